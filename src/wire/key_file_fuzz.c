#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/key_file.h"
#include "wire/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A public key that is read is read again from our own line. Outputs are untouched unless it was read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[KEY_FILE_SEED];
	uint8_t seed[KEY_FILE_SEED] = { 0 };
	uint8_t key[KEY_FILE_PUBLIC] = { 0 };
	uint8_t again[KEY_FILE_PUBLIC];
	enum key_file_form form;
	struct buf line;

	if (key_file_private(bytes_of(data, size), seed, &form) != KEY_FILE_DONE)
		must(memcmp(seed, none, sizeof(seed)) == 0);
	if (key_file_public(bytes_of(data, size), key) != KEY_FILE_DONE) {
		must(memcmp(key, none, sizeof(key)) == 0);
		return 0;
	}
	buf_init(&line, SSH_KEY_LINE_MAX);
	must(ssh_key_put_line(&line, key, "x"));
	must(key_file_public(buf_view(&line), again) == KEY_FILE_DONE && memcmp(key, again, sizeof(key)) == 0);
	buf_deinit(&line);
	return 0;
}
