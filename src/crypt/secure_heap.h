/* Memory for private keys that is locked, left out of core dumps, and fenced by guard pages. */
#ifndef SAW_CRYPT_SECURE_HEAP_H
#define SAW_CRYPT_SECURE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* Once, before the first key is made: libcrypto then keeps the private part of every key that it
 * generates or imports in there (ed25519_generate, key_from_der; libssl's ephemeral ones too). False when the memory
 * cannot be made, or not be locked (RLIMIT_MEMLOCK under 64 KiB): keys could then reach the swap. */
bool secure_heap_init(void);
/* The same with room for about `bytes` (a power of two, at least 32 KiB) of keys and secrets (crypt/secret.h). False too when it is
 * there and fenced but could not be locked; `ret_made` then says that it is there. */
bool secure_heap_init_sized(size_t bytes, bool *ret_made);

#endif
