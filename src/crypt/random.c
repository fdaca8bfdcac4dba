#include "crypt/random.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

#include "base/must.h"

void random_bytes(void *p, size_t len)
{
	uint8_t *at = p;

	while (len) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0) {
			must(errno == EINTR);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}
