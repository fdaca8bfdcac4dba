#include "crypt/secure_heap.h"

#include <openssl/crypto.h>

enum { HEAP_SIZE = 32 * 1024, SMALLEST = 32 };

bool secure_heap_init(void)
{
	/* 2: it exists, but could not be locked or fenced */
	return CRYPTO_secure_malloc_init(HEAP_SIZE, SMALLEST) == 1;
}
