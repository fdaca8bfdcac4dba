/* Ed25519 keys and signatures (RFC 8032). */
#ifndef SAW_CRYPT_ED25519_H
#define SAW_CRYPT_ED25519_H

#include "base/bytes.h"

enum { ED25519_SEED = 32, ED25519_PUBLIC = 32, ED25519_SIGNATURE = 64 };

/* A private key; opaque, wiped when freed. */
struct ed25519;

/* Any 32 bytes are a key. Borrows `seed`. NULL only when out of memory. */
struct ed25519 *ed25519_new(const uint8_t seed[ED25519_SEED]);
/* A new random key, made inside libcrypto: after secure_heap_init() its private part never lies in ordinary memory. NULL when the
 * library fails. */
struct ed25519 *ed25519_generate(void);
struct ed25519 *ed25519_free(struct ed25519 *k);

void ed25519_public(const struct ed25519 *k, uint8_t ret[ED25519_PUBLIC]);
/* False only when the library fails. */
bool ed25519_sign(const struct ed25519 *k, struct bytes data, uint8_t ret[ED25519_SIGNATURE]);
bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC], struct bytes data,
		    const uint8_t signature[ED25519_SIGNATURE]);

#endif
