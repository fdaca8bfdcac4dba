/* P-256 keys, and ECDSA signatures with them over SHA-256 digests (FIPS 186-4). */
#ifndef SAW_CRYPT_KEY_H
#define SAW_CRYPT_KEY_H

#include "base/bytes.h"

enum {
	KEY_PUBLIC = 65, /* the uncompressed point: 04, x, y */
	KEY_DER = 138,
	KEY_DIGEST = 32,
	KEY_SIGNATURE_MAX = 72, /* DER: SEQUENCE of two INTEGERs */
};

/* A private key; opaque. After secure_heap_init() its private part never lies in ordinary memory; wiped when freed. */
struct key;
struct evp_pkey_st;

/* A new random key. NULL when the library fails. */
struct key *key_generate(void);
struct key *key_free(struct key *k);
void key_freep(struct key **k);
#define KEY_AUTO __attribute__((cleanup(key_freep)))

/* A private key on its way to a file or another process: PKCS#8 with the public key inside (RFC 5958, RFC 5915), of one length, as
 * `openssl pkcs8` writes it too. KEY_DER_AUTO wipes it where its scope ends. */
struct key_der {
	uint8_t p[KEY_DER];
};
void key_der_wipe(struct key_der *d);
#define KEY_DER_AUTO __attribute__((cleanup(key_der_wipe)))

/* False only when the library fails. */
bool key_to_der(const struct key *k, struct key_der *ret);
/* Exactly the form above. NULL for anything else, for a public key that is not the private one's, or when the library fails. */
struct key *key_from_der(struct bytes der);

void key_public(const struct key *k, uint8_t ret[KEY_PUBLIC]);
/* A point on the curve, in the form above. */
bool key_public_ok(struct bytes public_key);

/* False only when the library fails. */
bool key_sign(const struct key *k, const uint8_t digest[KEY_DIGEST], uint8_t ret[KEY_SIGNATURE_MAX], size_t *ret_len);
bool key_verify(const uint8_t public_key[KEY_PUBLIC], const uint8_t digest[KEY_DIGEST], struct bytes signature);

/* libcrypto's own handle, for net/tls (SSL_use_PrivateKey takes a reference of its own). Borrowed: good until key_free(). */
struct evp_pkey_st *key_handle(const struct key *k);

#endif
