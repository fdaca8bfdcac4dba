#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "crypt/seal.h"
#include "crypt/secure_heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing that was not sealed opens; what is sealed opens to itself, and not when a byte of it was changed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct secret *key;
	static bool made;
	struct seal_label l = { .kind = "fuzz", .owner = bytes_str("o"), .id = bytes_of(data, size < 32 ? size : 32) };
	struct secret *plain = NULL;
	struct buf b;
	uint64_t version = 0;

	if (!made) {
		(void)secure_heap_init_sized((size_t)512 * 1024, &made);
		key = secret_new_random(SEAL_KEY_LEN);
	}
	(void)seal_version(bytes_of(data, size), &l.version);
	must(seal_open(key, &l, bytes_of(data, size), &plain) != SEAL_OK && !plain);
	buf_init(&b, SEAL_MAX);
	if (seal_put(key, &l, bytes_of(data, size), &b)) {
		must(seal_version(buf_view(&b), &version) == SEAL_OK && version == l.version);
		must(seal_open(key, &l, buf_view(&b), &plain) == SEAL_OK && secret_eq(plain, bytes_of(data, size)));
		plain = secret_free(plain);
		b.p[size % b.len] ^= 1;
		must(seal_open(key, &l, buf_view(&b), &plain) != SEAL_OK && !plain);
	}
	buf_deinit(&b);
	return 0;
}
