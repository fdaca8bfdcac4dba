#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line that is read, written again, is the same up to its comment. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t key[SSH_KEY_PUBLIC];
	uint8_t again[SSH_KEY_PUBLIC];
	struct buf line;

	if (!ssh_key_get_line(bytes_of(data, size), key))
		return 0;
	buf_init(&line, SSH_KEY_LINE_MAX);
	must(ssh_key_put_line(&line, key, ""));
	must(bytes_starts(bytes_of(data, size), buf_view(&line)));
	must(ssh_key_get_line(buf_view(&line), again) && memcmp(key, again, sizeof(key)) == 0);
	buf_deinit(&line);
	return 0;
}
