#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/sshsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read, written and read again is the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sshsig a;
	struct sshsig b;
	struct buf text;

	if (sshsig_get(bytes_of(data, size), &a) != SSHSIG_DONE)
		return 0;
	buf_init(&text, SSHSIG_TEXT_MAX);
	must(sshsig_put(&text, &a));
	must(sshsig_get(buf_view(&text), &b) == SSHSIG_DONE);
	must(memcmp(a.key, b.key, SSHSIG_KEY) == 0 && memcmp(a.signature, b.signature, SSHSIG_SIGNATURE) == 0);
	must(a.hash == b.hash && strcmp(a.namespace, b.namespace) == 0);
	buf_deinit(&text);
	return 0;
}
