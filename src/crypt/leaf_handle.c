/* OpenSSL 3.0: d2i_X509() and X509_set_pubkey() cost 0.2 and 0.3 ms, since both look through all providers for a decoder or encoder
 * of the key. In a library context that has the null provider only, parsing finds none at once and leaves the key out; and a key
 * in the older form (EC_KEY) is encoded by libcrypto itself. The bytes of the certificate stay as they are. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypt/leaf_handle.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

/* Lives as long as the process: a certificate in it may outlive whoever minted it, in a session of libssl. */
static OSSL_LIB_CTX *bare_context(void)
{
	static OSSL_LIB_CTX *kept;

	if (kept)
		return kept;
	kept = OSSL_LIB_CTX_new();
	if (kept && !OSSL_PROVIDER_load(kept, "null")) {
		OSSL_LIB_CTX_free(kept);
		kept = NULL;
	}
	return kept;
}

EVP_PKEY *leaf_handle_key_new(const uint8_t public_key[KEY_PUBLIC])
{
	EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
	EVP_PKEY *key = EVP_PKEY_new();
	bool ok = ec && key && EC_KEY_oct2key(ec, public_key, KEY_PUBLIC, NULL) == 1 && EVP_PKEY_set1_EC_KEY(key, ec) == 1;

	EC_KEY_free(ec);
	return ok ? key : leaf_handle_key_free(key);
}

EVP_PKEY *leaf_handle_key_free(EVP_PKEY *key)
{
	EVP_PKEY_free(key);
	return NULL;
}

static X509 *parse(struct bytes der, OSSL_LIB_CTX *context)
{
	X509 *x = X509_new_ex(context, NULL);
	const unsigned char *at = der.p;

	/* on failure it frees `x` and sets it to NULL */
	if (x && (!d2i_X509(&x, &at, (long)der.len) || at != der.p + der.len))
		x = leaf_handle_free(x);
	return x;
}

X509 *leaf_handle_new(struct bytes der, EVP_PKEY *key)
{
	OSSL_LIB_CTX *bare = key ? bare_context() : NULL;
	X509 *x;

	ERR_set_mark();
	x = parse(der, bare);
	if (x && bare && X509_set_pubkey(x, key) != 1)
		x = leaf_handle_free(x);
	ERR_pop_to_mark();
	return x;
}

X509 *leaf_handle_free(X509 *handle)
{
	X509_free(handle);
	return NULL;
}
