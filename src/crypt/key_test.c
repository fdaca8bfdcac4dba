#include "crypt/key.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/tap.h"
#include "crypt/secure_heap.h"

static const uint8_t digest[KEY_DIGEST] = { 1, 2, 3 };

TEST(a_signature_verifies_and_a_changed_one_does_not)
{
	KEY_AUTO struct key *k = key_generate();
	KEY_AUTO struct key *other = key_generate();
	uint8_t public_key[KEY_PUBLIC], others[KEY_PUBLIC], signature[KEY_SIGNATURE_MAX];
	uint8_t changed[KEY_DIGEST] = { 1, 2, 4 };
	size_t len = 0;

	key_public(k, public_key);
	key_public(other, others);
	for (int i = 0; i < 20; i++) { /* one context, many signatures */
		CHECK(key_sign(k, digest, signature, &len) && len <= KEY_SIGNATURE_MAX);
		CHECK(key_verify(public_key, digest, bytes_of(signature, len)));
	}
	CHECK(!key_verify(others, digest, bytes_of(signature, len)));
	CHECK(!key_verify(public_key, changed, bytes_of(signature, len)));
	CHECK(!key_verify(public_key, digest, bytes_of(signature, len - 1)));
	signature[len - 1] ^= 1;
	CHECK(!key_verify(public_key, digest, bytes_of(signature, len)));
	CHECK(ERR_peek_error() == 0); /* a session of libssl would take it for its own */
}

TEST(a_key_survives_its_der_and_libcrypto_writes_the_same)
{
	KEY_AUTO struct key *k = key_generate();
	KEY_DER_AUTO struct key_der der, again;
	KEY_AUTO struct key *back = NULL;
	uint8_t public_key[KEY_PUBLIC], backs[KEY_PUBLIC], signature[KEY_SIGNATURE_MAX];
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key_handle(k));
	uint8_t *theirs = NULL;
	size_t len = 0;

	CHECK(key_to_der(k, &der));
	CHECK_INT(i2d_PKCS8_PRIV_KEY_INFO(info, &theirs), KEY_DER);
	CHECK(theirs && memcmp(theirs, der.p, KEY_DER) == 0);
	back = key_from_der(bytes_of(der.p, KEY_DER));
	CHECK(back && key_to_der(back, &again) && memcmp(&der, &again, sizeof(der)) == 0);
	key_public(k, public_key);
	key_public(back, backs);
	CHECK(memcmp(public_key, backs, KEY_PUBLIC) == 0);
	CHECK(key_sign(back, digest, signature, &len) && key_verify(public_key, digest, bytes_of(signature, len)));
	key_der_wipe(&again);
	for (size_t i = 0; i < KEY_DER; i++)
		CHECK(again.p[i] == 0);
	OPENSSL_clear_free(theirs, KEY_DER);
	PKCS8_PRIV_KEY_INFO_free(info);
}

static bool refused(struct bytes der)
{
	KEY_AUTO struct key *k = key_from_der(der);

	return !k && ERR_peek_error() == 0;
}

TEST(der_that_is_not_one_whole_key_is_refused)
{
	KEY_AUTO struct key *k = key_generate();
	KEY_AUTO struct key *other = key_generate();
	KEY_DER_AUTO struct key_der der, wrong;
	uint8_t longer[KEY_DER + 1] = { 0 };

	CHECK(key_to_der(k, &der));
	memcpy(longer, der.p, KEY_DER);
	CHECK(refused(bytes_of(longer, sizeof(longer))));
	for (size_t cut = 0; cut < KEY_DER; cut++)
		CHECK(refused(bytes_of(der.p, cut)));
	/* every byte counts: frame, scalar, point */
	for (size_t i = 0; i < KEY_DER; i++) {
		wrong = der;
		wrong.p[i] ^= 1;
		CHECK(refused(bytes_of(wrong.p, KEY_DER)));
	}
	wrong = der;
	key_public(other, wrong.p + KEY_DER - KEY_PUBLIC);
	CHECK(refused(bytes_of(wrong.p, KEY_DER)));
	wrong = der;
	wrong.p[KEY_DER - KEY_PUBLIC] = (uint8_t)(6 | (der.p[KEY_DER - 1] & 1)); /* hybrid: libcrypto alone would take it */
	CHECK(refused(bytes_of(wrong.p, KEY_DER)));
	wrong = der;
	memset(wrong.p + 36, 0, 32);
	CHECK(refused(bytes_of(wrong.p, KEY_DER)));
	memset(wrong.p + 36, 0xff, 32);
	CHECK(refused(bytes_of(wrong.p, KEY_DER)));
	OPENSSL_cleanse(longer, sizeof(longer));
}

TEST(a_public_key_is_a_point_on_the_curve)
{
	KEY_AUTO struct key *k = key_generate();
	uint8_t p[KEY_PUBLIC];

	key_public(k, p);
	CHECK(key_public_ok(bytes_of(p, KEY_PUBLIC)));
	CHECK(!key_public_ok(bytes_of(p, KEY_PUBLIC - 1)) && !key_public_ok(bytes_of(NULL, 0)) && !key_public_ok(bytes_of("", 1)));
	p[64] ^= 1;
	CHECK(!key_public_ok(bytes_of(p, KEY_PUBLIC)));
	p[64] ^= 1;
	p[0] = (uint8_t)(6 | (p[64] & 1)); /* hybrid: libcrypto alone would take it */
	CHECK(!key_public_ok(bytes_of(p, KEY_PUBLIC)));
	CHECK(ERR_peek_error() == 0);
}

TEST(a_private_key_lies_in_the_locked_heap_generated_or_imported_and_leaves_it)
{
	KEY_DER_AUTO struct key_der der;
	struct key *k;
	size_t before;

	if (!secure_heap_init()) {
		tap_skip("this process may not lock memory");
		return;
	}
	key_free(key_generate()); /* brings the generator's own state, which stays */
	before = CRYPTO_secure_used();
	k = key_generate();
	CHECK(CRYPTO_secure_used() > before && key_to_der(k, &der));
	key_free(k);
	CHECK(CRYPTO_secure_used() == before);
	k = key_from_der(bytes_of(der.p, KEY_DER));
	CHECK(k && CRYPTO_secure_used() > before);
	key_free(k);
	CHECK(CRYPTO_secure_used() == before);
}
