#include "crypt/secure_heap.h"

#include <openssl/crypto.h>

enum { HEAP_SIZE = 32 * 1024, SMALLEST = 32 };

bool secure_heap_init(void)
{
	return secure_heap_init_sized(HEAP_SIZE, &(bool){ false });
}

bool secure_heap_init_sized(size_t bytes, bool *ret_made)
{
	/* 2: it exists, but could not be locked or fenced */
	int r = CRYPTO_secure_malloc_init(bytes, SMALLEST);

	*ret_made = r != 0;
	return r == 1;
}
