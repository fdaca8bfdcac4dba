/* libcrypto's EVP interface fetches an algorithm by name at each use, which costs more than hashing a short record; so
 * the digest is fetched once per process and kept. */
#include "crypt/sha256.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/must.h"

struct sha256_run {
	EVP_MD_CTX *ctx;
};

static const EVP_MD *md(void)
{
	static EVP_MD *kept;

	if (!kept)
		kept = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(kept != NULL);
	return kept;
}

void sha256_2(struct bytes a, struct bytes b, uint8_t ret[SHA256_LEN])
{
	static EVP_MD_CTX *ctx;
	unsigned len = 0;

	if (!ctx)
		ctx = EVP_MD_CTX_new();
	must(ctx && EVP_DigestInit_ex(ctx, md(), NULL) == 1);
	must(EVP_DigestUpdate(ctx, a.p, a.len) == 1 && EVP_DigestUpdate(ctx, b.p, b.len) == 1);
	must(EVP_DigestFinal_ex(ctx, ret, &len) == 1 && len == SHA256_LEN);
}

void sha256(struct bytes data, uint8_t ret[SHA256_LEN])
{
	sha256_2(data, bytes_of(NULL, 0), ret);
}

void sha256_hmac(struct bytes key, struct bytes data, uint8_t ret[SHA256_LEN])
{
	unsigned len = 0;

	must(key.len <= INT_MAX);
	must(HMAC(md(), key.p ? key.p : (const uint8_t *)"", (int)key.len, data.p, data.len, ret, &len) != NULL);
	must(len == SHA256_LEN);
}

void sha256_hex(const uint8_t digest[SHA256_LEN], char ret[SHA256_HEX_MAX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_LEN; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[SHA256_HEX_MAX - 1] = '\0';
}

struct sha256_run *sha256_run_new(void)
{
	struct sha256_run *r = calloc(1, sizeof(*r));

	must(r != NULL);
	r->ctx = EVP_MD_CTX_new();
	must(r->ctx && EVP_DigestInit_ex(r->ctx, md(), NULL) == 1);
	return r;
}

void sha256_run_add(struct sha256_run *r, struct bytes data)
{
	must(EVP_DigestUpdate(r->ctx, data.p, data.len) == 1);
}

void sha256_run_digest(const struct sha256_run *r, uint8_t ret[SHA256_LEN])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	unsigned len = 0;

	must(copy && EVP_MD_CTX_copy_ex(copy, r->ctx) == 1);
	must(EVP_DigestFinal_ex(copy, ret, &len) == 1 && len == SHA256_LEN);
	EVP_MD_CTX_free(copy);
}

struct sha256_run *sha256_run_free(struct sha256_run *r)
{
	if (!r)
		return NULL;
	EVP_MD_CTX_free(r->ctx);
	free(r);
	return NULL;
}
