#include "wire/sshsig.h"

#include "wire/armor.h"
#include "wire/ssh_key.h"

enum { VERSION = 1, LINE = 70, BLOB_MAX = SSHSIG_TEXT_MAX };

static const char label[] = "SSH SIGNATURE";
static const char magic[] = "SSHSIG";

static bool take_magic(struct bytes *in)
{
	if (!bytes_starts(*in, bytes_str(magic)))
		return false;
	*in = bytes_skip(*in, sizeof(magic) - 1);
	return true;
}

static bool set_namespace(struct sshsig *s, struct bytes name)
{
	if (name.len == 0 || name.len > SSHSIG_NAMESPACE_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] < 0x20 || name.p[i] > 0x7e)
			return false;
	memcpy(s->namespace, name.p, name.len);
	s->namespace[name.len] = '\0';
	return true;
}

/* string "ssh-ed25519", string 64 bytes */
static enum sshsig_answer get_signature(struct bytes in, struct sshsig *s)
{
	struct bytes type;
	struct bytes raw;

	if (!ssh_get_string(&in, &type) || !ssh_get_string(&in, &raw))
		return SSHSIG_BAD;
	if (!bytes_is(type, SSH_KEY_TYPE))
		return SSHSIG_OTHER;
	if (in.len || raw.len != SSHSIG_SIGNATURE)
		return SSHSIG_BAD;
	memcpy(s->signature, raw.p, raw.len);
	return SSHSIG_DONE;
}

static enum sshsig_answer get_key(struct bytes blob, struct sshsig *s)
{
	struct bytes rest = blob;
	struct bytes type;

	if (!ssh_get_string(&rest, &type))
		return SSHSIG_BAD;
	if (!bytes_is(type, SSH_KEY_TYPE))
		return SSHSIG_OTHER;
	return ssh_key_get_blob(blob, s->key) ? SSHSIG_DONE : SSHSIG_BAD;
}

static enum sshsig_answer get_hash(struct bytes name, struct sshsig *s)
{
	if (!bytes_is(name, "sha512") && !bytes_is(name, "sha256"))
		return SSHSIG_OTHER;
	s->hash = bytes_is(name, "sha512") ? SSHSIG_SHA512 : SSHSIG_SHA256;
	return SSHSIG_DONE;
}

static enum sshsig_answer get_blob(struct bytes in, struct sshsig *ret)
{
	struct sshsig s = { 0 };
	enum sshsig_answer a;
	struct bytes key;
	struct bytes namespace;
	struct bytes reserved;
	struct bytes hash;
	struct bytes signature;
	uint32_t version;

	if (!take_magic(&in) || !ssh_get_u32(&in, &version))
		return SSHSIG_BAD;
	if (version != VERSION)
		return SSHSIG_OTHER;
	if (!ssh_get_string(&in, &key) || !ssh_get_string(&in, &namespace) || !ssh_get_string(&in, &reserved) ||
	    !ssh_get_string(&in, &hash) || !ssh_get_string(&in, &signature) || in.len || reserved.len || !set_namespace(&s, namespace))
		return SSHSIG_BAD;
	a = get_key(key, &s);
	a = a == SSHSIG_DONE ? get_hash(hash, &s) : a;
	a = a == SSHSIG_DONE ? get_signature(signature, &s) : a;
	if (a == SSHSIG_DONE)
		*ret = s;
	return a;
}

enum sshsig_answer sshsig_get(struct bytes text, struct sshsig *ret)
{
	enum sshsig_answer a = SSHSIG_BAD;
	struct buf blob;

	if (text.len > SSHSIG_TEXT_MAX)
		return SSHSIG_BAD;
	buf_init(&blob, BLOB_MAX);
	if (armor_get(text, label, &blob))
		a = get_blob(buf_view(&blob), ret);
	buf_deinit(&blob);
	return a;
}

/* A string whose contents are themselves strings. */
static bool put_nested(struct buf *out, struct buf *inner)
{
	return !inner->failed && ssh_put_string(out, buf_view(inner));
}

bool sshsig_put(struct buf *out, const struct sshsig *s)
{
	struct buf blob;
	struct buf key;
	struct buf signature;
	bool ok;

	buf_init(&blob, BLOB_MAX);
	buf_init(&key, BLOB_MAX);
	buf_init(&signature, BLOB_MAX);
	(void)ssh_key_put_blob(&key, s->key);
	(void)ssh_put_string(&signature, bytes_str(SSH_KEY_TYPE));
	(void)ssh_put_string(&signature, bytes_of(s->signature, SSHSIG_SIGNATURE));
	ok = buf_str(&blob, magic) && buf_u32be(&blob, VERSION) && put_nested(&blob, &key) &&
	     ssh_put_string(&blob, bytes_str(s->namespace)) && ssh_put_string(&blob, bytes_of(NULL, 0)) &&
	     ssh_put_string(&blob, bytes_str(s->hash == SSHSIG_SHA512 ? "sha512" : "sha256")) && put_nested(&blob, &signature);
	ok = ok && armor_put(out, label, buf_view(&blob), LINE);
	buf_deinit(&signature);
	buf_deinit(&key);
	buf_deinit(&blob);
	return ok;
}
