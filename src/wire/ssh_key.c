#include "wire/ssh_key.h"

#include "base/base64.h"
#include "base/utf8.h"

enum { PEM_LINE = 70, PRIVATE_MAX = 1024, BLOB_MAX = 64 };

bool ssh_put_string(struct buf *out, struct bytes s)
{
	return buf_u32be(out, (uint32_t)s.len) && buf_bytes(out, s);
}

bool ssh_get_u32(struct bytes *in, uint32_t *ret)
{
	if (in->len < 4)
		return false;
	*ret = (uint32_t)in->p[0] << 24 | (uint32_t)in->p[1] << 16 | (uint32_t)in->p[2] << 8 | in->p[3];
	*in = bytes_skip(*in, 4);
	return true;
}

bool ssh_get_u64(struct bytes *in, uint64_t *ret)
{
	uint32_t high;
	uint32_t low;

	if (in->len < 8 || !ssh_get_u32(in, &high) || !ssh_get_u32(in, &low))
		return false;
	*ret = (uint64_t)high << 32 | low;
	return true;
}

bool ssh_get_string(struct bytes *in, struct bytes *ret)
{
	struct bytes at = *in;
	uint32_t len;

	if (!ssh_get_u32(&at, &len) || len > at.len)
		return false;
	*ret = bytes_of(at.p, len);
	*in = bytes_skip(at, len);
	return true;
}

bool ssh_key_put_blob(struct buf *out, const uint8_t key[SSH_KEY_PUBLIC])
{
	return ssh_put_string(out, bytes_str(SSH_KEY_TYPE)) && ssh_put_string(out, bytes_of(key, SSH_KEY_PUBLIC));
}

bool ssh_key_get_blob(struct bytes blob, uint8_t ret[SSH_KEY_PUBLIC])
{
	struct bytes type;
	struct bytes key;

	if (!ssh_get_string(&blob, &type) || !bytes_is(type, SSH_KEY_TYPE) || !ssh_get_string(&blob, &key) ||
	    key.len != SSH_KEY_PUBLIC || blob.len)
		return false;
	memcpy(ret, key.p, SSH_KEY_PUBLIC);
	return true;
}

bool ssh_key_put_line(struct buf *out, const uint8_t key[SSH_KEY_PUBLIC], const char *comment)
{
	struct buf blob;
	bool ok;

	buf_init(&blob, BLOB_MAX);
	ok = ssh_key_put_blob(&blob, key) && buf_str(out, SSH_KEY_TYPE " ") && base64_put(out, buf_view(&blob));
	if (ok && comment && comment[0])
		ok = buf_byte(out, ' ') && buf_str(out, comment);
	buf_deinit(&blob);
	return ok;
}

static bool comment_ok(struct bytes c)
{
	for (size_t i = 0; i < c.len; i++)
		if (c.p[i] < 0x20 || c.p[i] == 0x7f)
			return false;
	return c.len <= SSH_KEY_COMMENT_MAX && utf8_valid(c);
}

bool ssh_key_get_line(struct bytes line, uint8_t ret[SSH_KEY_PUBLIC])
{
	struct bytes type = bytes_str(SSH_KEY_TYPE " ");
	struct bytes text;
	struct buf blob;
	size_t len;
	bool ok;

	if (line.len > SSH_KEY_LINE_MAX || !bytes_starts(line, type))
		return false;
	if (line.p[line.len - 1] == '\n')
		line.len--;
	line = bytes_skip(line, type.len < line.len ? type.len : line.len);
	len = bytes_find(line, ' ');
	text = bytes_of(line.p, len);
	if (len < line.len && !comment_ok(bytes_skip(line, len + 1)))
		return false;
	buf_init(&blob, BLOB_MAX);
	ok = base64_get(text, &blob) && ssh_key_get_blob(buf_view(&blob), ret);
	buf_deinit(&blob);
	return ok;
}

/* The check number only tells a wrong pass phrase from a right one; a file without a pass phrase may use any. */
static bool put_private_section(struct buf *out, const uint8_t *seed, const uint8_t *key, const char *comment)
{
	bool ok = buf_add(out, key, 4) && buf_add(out, key, 4) && ssh_key_put_blob(out, key);

	ok = ok && buf_u32be(out, SSH_KEY_SEED + SSH_KEY_PUBLIC) && buf_add(out, seed, SSH_KEY_SEED) &&
	     buf_add(out, key, SSH_KEY_PUBLIC) && ssh_put_string(out, bytes_str(comment));
	for (uint8_t pad = 1; ok && out->len % 8; pad++)
		ok = buf_byte(out, pad);
	return ok;
}

static bool put_pem(struct buf *out, struct bytes text)
{
	bool ok = buf_str(out, "-----BEGIN OPENSSH PRIVATE KEY-----\n");

	while (ok && text.len) {
		size_t n = text.len < PEM_LINE ? text.len : PEM_LINE;

		ok = buf_bytes(out, bytes_of(text.p, n)) && buf_byte(out, '\n');
		text = bytes_skip(text, n);
	}
	return ok && buf_str(out, "-----END OPENSSH PRIVATE KEY-----\n");
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_deinit(b);
}

bool ssh_key_put_private(struct buf *out, const uint8_t seed[SSH_KEY_SEED], const uint8_t key[SSH_KEY_PUBLIC],
			 const char *comment)
{
	static const char magic[] = "openssh-key-v1"; /* with its NUL */
	struct buf section;
	struct buf file;
	struct buf text;
	bool ok;

	buf_init(&section, PRIVATE_MAX);
	buf_init(&file, PRIVATE_MAX * 2);
	buf_init(&text, PRIVATE_MAX * 4);
	ok = put_private_section(&section, seed, key, comment);
	ok = ok && buf_add(&file, magic, sizeof(magic)) && ssh_put_string(&file, bytes_str("none")) &&
	     ssh_put_string(&file, bytes_str("none")) && ssh_put_string(&file, bytes_str("")) && buf_u32be(&file, 1);
	ok = ok && buf_u32be(&file, 4 + sizeof(SSH_KEY_TYPE) - 1 + 4 + SSH_KEY_PUBLIC) && ssh_key_put_blob(&file, key) &&
	     ssh_put_string(&file, buf_view(&section));
	ok = ok && base64_put(&text, buf_view(&file)) && put_pem(out, buf_view(&text));
	wipe(&section);
	wipe(&file);
	wipe(&text);
	return ok;
}
