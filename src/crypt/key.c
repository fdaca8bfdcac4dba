#include "crypt/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/must.h"

enum { SCALAR = 32, PRIVATE_AT = 36, PUBLIC_AT = KEY_DER - KEY_PUBLIC, UNCOMPRESSED = 0x04 };

/* A signing context is kept: making one costs a third of a signature. */
struct key {
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *signer;
	uint8_t public_key[KEY_PUBLIC];
};

/* PrivateKeyInfo { 0, { ecPublicKey, prime256v1 }, ECPrivateKey { 1, scalar, [1] public } }: all of fixed length, with the scalar
 * and the point cut out. */
static const uint8_t before_private[PRIVATE_AT] = {
	0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
	0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20,
};
static const uint8_t before_public[PUBLIC_AT - PRIVATE_AT - SCALAR] = { 0xa1, 0x44, 0x03, 0x42, 0x00 };

/* Between big-endian and the order in which libcrypto takes integers: this machine's. */
static void turn(const uint8_t from[SCALAR], uint8_t to[SCALAR])
{
	for (size_t i = 0; i < SCALAR; i++)
		to[i] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? from[SCALAR - 1 - i] : from[i];
}

/* `scalar` NULL: a public key only. libcrypto wants both without const, and changes neither. */
static EVP_PKEY *pkey_of(uint8_t public_key[KEY_PUBLIC], uint8_t scalar[SCALAR])
{
	char group[] = "P-256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public_key, KEY_PUBLIC),
		scalar ? OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar, SCALAR) : OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &pkey, scalar ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static bool points_to_its_key(EVP_PKEY *pkey, bool private_too)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ok = ctx && (private_too ? EVP_PKEY_check(ctx) : EVP_PKEY_public_check(ctx)) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* Takes `pkey`, also when it fails. */
static struct key *key_of(EVP_PKEY *pkey)
{
	struct key *k = pkey ? calloc(1, sizeof(*k)) : NULL;
	size_t len = 0;

	if (!k) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	k->pkey = pkey;
	k->signer = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	if (!k->signer || EVP_PKEY_sign_init(k->signer) != 1 ||
	    EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, k->public_key, KEY_PUBLIC, &len) != 1 ||
	    len != KEY_PUBLIC)
		return key_free(k);
	return k;
}

struct key *key_generate(void)
{
	return key_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
}

struct key *key_free(struct key *k)
{
	if (!k)
		return NULL;
	EVP_PKEY_CTX_free(k->signer);
	EVP_PKEY_free(k->pkey); /* clears the private part */
	free(k);
	return NULL;
}

void key_freep(struct key **k)
{
	*k = key_free(*k);
}

void key_der_wipe(struct key_der *d)
{
	OPENSSL_cleanse(d, sizeof(*d));
}

bool key_to_der(const struct key *k, struct key_der *ret)
{
	uint8_t scalar[SCALAR];
	OSSL_PARAM params[] = { OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar, SCALAR), OSSL_PARAM_construct_end() };
	bool ok = EVP_PKEY_get_params(k->pkey, params) == 1 && params[0].return_size == SCALAR;

	if (ok) {
		memcpy(ret->p, before_private, sizeof(before_private));
		turn(scalar, ret->p + PRIVATE_AT);
		memcpy(ret->p + PRIVATE_AT + SCALAR, before_public, sizeof(before_public));
		memcpy(ret->p + PUBLIC_AT, k->public_key, KEY_PUBLIC);
	}
	OPENSSL_cleanse(scalar, sizeof(scalar));
	return ok;
}

struct key *key_from_der(struct bytes der)
{
	uint8_t public_key[KEY_PUBLIC];
	uint8_t scalar[SCALAR];
	EVP_PKEY *pkey;

	if (der.len != KEY_DER || !bytes_starts(der, bytes_of(before_private, sizeof(before_private))) ||
	    memcmp(der.p + PRIVATE_AT + SCALAR, before_public, sizeof(before_public)) != 0 || der.p[PUBLIC_AT] != UNCOMPRESSED)
		return NULL;
	memcpy(public_key, der.p + PUBLIC_AT, KEY_PUBLIC);
	turn(der.p + PRIVATE_AT, scalar);
	ERR_set_mark();
	pkey = pkey_of(public_key, scalar);
	OPENSSL_cleanse(scalar, sizeof(scalar));
	if (pkey && !points_to_its_key(pkey, true)) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	ERR_pop_to_mark();
	return key_of(pkey);
}

void key_public(const struct key *k, uint8_t ret[KEY_PUBLIC])
{
	memcpy(ret, k->public_key, KEY_PUBLIC);
}

/* A point as this unit writes it: libcrypto would also take compressed and hybrid ones, and the point at infinity. */
static EVP_PKEY *public_of(struct bytes public_key)
{
	uint8_t copy[KEY_PUBLIC];

	if (public_key.len != KEY_PUBLIC || public_key.p[0] != UNCOMPRESSED)
		return NULL;
	memcpy(copy, public_key.p, KEY_PUBLIC);
	return pkey_of(copy, NULL);
}

bool key_public_ok(struct bytes public_key)
{
	EVP_PKEY *pkey;
	bool ok;

	ERR_set_mark();
	pkey = public_of(public_key);
	ok = pkey && points_to_its_key(pkey, false);
	EVP_PKEY_free(pkey);
	ERR_pop_to_mark();
	return ok;
}

bool key_sign(const struct key *k, const uint8_t digest[KEY_DIGEST], uint8_t ret[KEY_SIGNATURE_MAX], size_t *ret_len)
{
	size_t len = KEY_SIGNATURE_MAX;

	if (EVP_PKEY_sign(k->signer, ret, &len, digest, KEY_DIGEST) != 1)
		return false;
	*ret_len = len;
	return true;
}

bool key_verify(const uint8_t public_key[KEY_PUBLIC], const uint8_t digest[KEY_DIGEST], struct bytes signature)
{
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pkey;
	bool ok;

	ERR_set_mark();
	pkey = public_of(bytes_of(public_key, KEY_PUBLIC));
	if (pkey)
		ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	ok = ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, signature.p, signature.len, digest, KEY_DIGEST) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	ERR_pop_to_mark();
	return ok;
}

struct evp_pkey_st *key_handle(const struct key *k)
{
	return k->pkey;
}
