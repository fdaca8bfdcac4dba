/* Memory for private keys that is locked, left out of core dumps, and fenced by guard pages. */
#ifndef SAW_CRYPT_SECURE_HEAP_H
#define SAW_CRYPT_SECURE_HEAP_H

#include <stdbool.h>

/* Once, before the first key is made: libcrypto then keeps the private part of every key that it
 * generates in there (ed25519_generate). False when the memory cannot
 * be locked (RLIMIT_MEMLOCK under 64 KiB); keys would then live in ordinary memory. */
bool secure_heap_init(void);

#endif
