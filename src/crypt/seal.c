/* A nonce of 96 random bits may serve one key some 2^32 times before a repeat is likelier than 2^-32: far more than secrets will
 * ever be set on one machine. */
#include "crypt/seal.h"

#include <openssl/evp.h>

#include "base/must.h"
#include "crypt/random.h"

enum { MAGIC_LEN = 7, FORMAT = 1, HEAD_LEN = 16, NONCE_LEN = 12, TAG_LEN = 16, ABOUT_MAX = HEAD_LEN + 3 * (4 + SEAL_TEXT_MAX) };

static const char magic[] = "sawseal";

static bool put_text(struct buf *b, struct bytes text)
{
	return text.len <= SEAL_TEXT_MAX && buf_u32be(b, (uint32_t)text.len) && buf_bytes(b, text);
}

static bool put_head(struct buf *b, uint64_t version)
{
	return buf_str(b, magic) && buf_byte(b, FORMAT) && buf_u64be(b, version);
}

static bool about(struct buf *b, const struct seal_label *l)
{
	return put_head(b, l->version) && put_text(b, bytes_str(l->kind)) && put_text(b, l->owner) && put_text(b, l->id);
}

/* Both ways: what differs is who makes the tag. `len` bytes of `in` become as many of `out`. */
static bool run(bool seal, const struct secret *key, struct bytes ad, const uint8_t *nonce, uint8_t *tag, struct bytes in,
		  uint8_t *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t none[1];
	int n = 0;
	bool ok = c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, secret_view(key).p, nonce, seal) == 1 &&
		  (seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1) &&
		  EVP_CipherUpdate(c, NULL, &n, ad.p, (int)ad.len) == 1 &&
		  (in.len == 0 || (EVP_CipherUpdate(c, out, &n, in.p, (int)in.len) == 1 && (size_t)n == in.len)) &&
		  EVP_CipherFinal_ex(c, in.len ? out + in.len : none, &n) == 1 && n == 0 &&
		  (!seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1);

	EVP_CIPHER_CTX_free(c); /* clears the key schedule */
	return ok;
}

bool seal_put(const struct secret *key, const struct seal_label *label, struct bytes plain, struct buf *out)
{
	struct buf ad BUF_AUTO = { 0 };
	uint8_t *p;

	must(secret_view(key).len == SEAL_KEY_LEN);
	buf_init(&ad, ABOUT_MAX);
	if (plain.len > SECRET_MAX || !about(&ad, label))
		return false;
	p = buf_room(out, SEAL_OVERHEAD + plain.len);
	if (!p)
		return false;
	memcpy(p, ad.p, HEAD_LEN);
	random_bytes(p + HEAD_LEN, NONCE_LEN);
	if (!run(true, key, buf_view(&ad), p + HEAD_LEN, p + HEAD_LEN + NONCE_LEN, plain, p + SEAL_OVERHEAD))
		return false;
	buf_grew(out, SEAL_OVERHEAD + plain.len);
	return true;
}

enum seal_answer seal_version(struct bytes sealed, uint64_t *ret)
{
	uint64_t v = 0;

	if (sealed.len <= MAGIC_LEN || memcmp(sealed.p, magic, MAGIC_LEN) != 0)
		return SEAL_MALFORMED;
	if (sealed.p[MAGIC_LEN] != FORMAT)
		return sealed.p[MAGIC_LEN] > FORMAT ? SEAL_NEWER : SEAL_MALFORMED;
	if (sealed.len < SEAL_OVERHEAD || sealed.len > SEAL_MAX)
		return SEAL_MALFORMED;
	for (size_t i = MAGIC_LEN + 1; i < HEAD_LEN; i++)
		v = v << 8 | sealed.p[i];
	*ret = v;
	return SEAL_OK;
}

enum seal_answer seal_open(const struct secret *key, const struct seal_label *label, struct bytes sealed, struct secret **ret)
{
	struct buf ad BUF_AUTO = { 0 };
	struct secret *plain SECRET_AUTO = NULL;
	uint8_t tag[TAG_LEN];
	uint64_t version = 0;
	enum seal_answer a = seal_version(sealed, &version);

	must(secret_view(key).len == SEAL_KEY_LEN);
	if (a != SEAL_OK)
		return a;
	buf_init(&ad, ABOUT_MAX);
	plain = secret_new_empty(sealed.len - SEAL_OVERHEAD);
	if (!plain)
		return SEAL_NO_MEMORY;
	if (version != label->version || !about(&ad, label))
		return SEAL_WRONG;
	memcpy(tag, sealed.p + HEAD_LEN + NONCE_LEN, TAG_LEN);
	if (!run(false, key, buf_view(&ad), sealed.p + HEAD_LEN, tag, bytes_skip(sealed, SEAL_OVERHEAD), secret_room(plain)))
		return SEAL_WRONG;
	*ret = plain;
	plain = NULL;
	return SEAL_OK;
}

const char *seal_answer_text(enum seal_answer a)
{
	switch (a) {
	case SEAL_OK:
		return "is whole";
	case SEAL_MALFORMED:
		return "is no sealed file, or not a whole one";
	case SEAL_NEWER:
		return "was written by a newer saw: upgrade this one";
	case SEAL_WRONG:
		return "was changed, renamed, or sealed with another key";
	case SEAL_NO_MEMORY:
		break;
	}
	return "does not fit into guarded memory";
}
