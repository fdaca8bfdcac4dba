#include "crypt/ed25519.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/must.h"

struct ed25519 {
	EVP_PKEY *key;
};

struct ed25519 *ed25519_new(const uint8_t seed[ED25519_SEED])
{
	struct ed25519 *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED);
	return k->key ? k : ed25519_free(k);
}

/* Not ed25519_new() with random bytes: libcrypto 3.0 keeps an imported key in ordinary memory, a generated one in the secure heap. */
struct ed25519 *ed25519_generate(void)
{
	struct ed25519 *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return k->key ? k : ed25519_free(k);
}

struct ed25519 *ed25519_free(struct ed25519 *k)
{
	if (!k)
		return NULL;
	EVP_PKEY_free(k->key); /* clears the private part */
	free(k);
	return NULL;
}

void ed25519_public(const struct ed25519 *k, uint8_t ret[ED25519_PUBLIC])
{
	size_t len = ED25519_PUBLIC;

	must(EVP_PKEY_get_raw_public_key(k->key, ret, &len) == 1 && len == ED25519_PUBLIC);
}

bool ed25519_sign(const struct ed25519 *k, struct bytes data, uint8_t ret[ED25519_SIGNATURE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = ED25519_SIGNATURE;
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key) == 1 &&
		  EVP_DigestSign(ctx, ret, &len, data.p, data.len) == 1 && len == ED25519_SIGNATURE;

	EVP_MD_CTX_free(ctx);
	return ok;
}

bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC], struct bytes data,
		    const uint8_t signature[ED25519_SIGNATURE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_PUBLIC);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		  EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE, data.p, data.len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}
