#include "crypt/sshsig.h"

#include <openssl/evp.h>

#include "base/buf.h"

static bool put_string(struct buf *out, struct bytes s)
{
	return buf_u32be(out, (uint32_t)s.len) && buf_bytes(out, s);
}

/* "SSHSIG", string namespace, string reserved, string hash algorithm, string H(message) */
static bool frame(struct buf *out, const char *namespace, bool is_sha512, struct bytes message)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_Digest(message.p ? message.p : (const uint8_t *)"", message.len, digest, &len, is_sha512 ? EVP_sha512() : EVP_sha256(),
		       NULL) != 1)
		return false;
	return buf_str(out, "SSHSIG") && put_string(out, bytes_str(namespace)) && put_string(out, bytes_of(NULL, 0)) &&
	       put_string(out, bytes_str(is_sha512 ? "sha512" : "sha256")) && put_string(out, bytes_of(digest, len));
}

bool sshsig_sign(const struct ed25519 *k, const char *namespace, bool is_sha512, struct bytes message,
		 uint8_t ret[ED25519_SIGNATURE])
{
	struct buf b;
	bool ok;

	buf_init(&b, SSHSIG_FRAME_MAX);
	ok = frame(&b, namespace, is_sha512, message) && ed25519_sign(k, buf_view(&b), ret);
	buf_deinit(&b);
	return ok;
}

bool sshsig_verify(const uint8_t public_key[ED25519_PUBLIC], const char *namespace, bool is_sha512, struct bytes message,
		   const uint8_t signature[ED25519_SIGNATURE])
{
	struct buf b;
	bool ok;

	buf_init(&b, SSHSIG_FRAME_MAX);
	ok = frame(&b, namespace, is_sha512, message) && ed25519_verify(public_key, buf_view(&b), signature);
	buf_deinit(&b);
	return ok;
}
