#include "crypt/jks.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/must.h"

/* The format is nowhere specified but in the JDK's sun.security.provider.JavaKeyStore: numbers big-endian, strings as DataOutput.writeUTF
 * writes them, at the end SHA-1 over the password in UTF-16, a salt that never changes, and all of the above. No secret depends on it. */

enum { MAGIC_HIGH = 0xfeed, MAGIC_LOW = 0xfeed, VERSION = 2, TRUSTED_CERT = 2 };

static const char password_utf16[] = "\0c\0h\0a\0n\0g\0e\0i\0t";
static const char salt[] = "Mighty Aphrodite";

static void put_utf(struct buf *out, const char *text)
{
	(void)buf_u16be(out, (uint16_t)strlen(text));
	(void)buf_str(out, text);
}

static void put_cert(struct buf *out, size_t i, struct bytes der)
{
	char alias[32];

	(void)snprintf(alias, sizeof(alias), "saw-%zu", i);
	(void)buf_u32be(out, TRUSTED_CERT);
	put_utf(out, alias);
	(void)buf_u64be(out, 0); /* when it came in: nothing reads it but listings */
	put_utf(out, "X.509");
	(void)buf_u32be(out, (uint32_t)der.len);
	(void)buf_bytes(out, der);
}

static void put_digest(struct buf *out, struct bytes all)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t digest[JKS_DIGEST];
	unsigned len = 0;

	must(ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1);
	must(EVP_DigestUpdate(ctx, password_utf16, sizeof(password_utf16) - 1) == 1);
	must(EVP_DigestUpdate(ctx, salt, sizeof(salt) - 1) == 1 &&
	     EVP_DigestUpdate(ctx, all.p, all.len) == 1);
	must(EVP_DigestFinal_ex(ctx, digest, &len) == 1 && len == JKS_DIGEST);
	EVP_MD_CTX_free(ctx);
	(void)buf_add(out, digest, sizeof(digest));
}

bool jks_put(struct buf *out, const struct bytes *certs, size_t n)
{
	size_t start = out->len;

	if (n > JKS_CERTS_MAX)
		return false;
	(void)buf_u16be(out, MAGIC_HIGH);
	(void)buf_u16be(out, MAGIC_LOW);
	(void)buf_u32be(out, VERSION);
	(void)buf_u32be(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		if (certs[i].len > JKS_CERT_MAX)
			return false;
		put_cert(out, i, certs[i]);
	}
	if (!out->failed)
		put_digest(out, bytes_skip(buf_view(out), start));
	return !out->failed;
}
