#include "wire/key_file.h"

#include "wire/armor.h"
#include "wire/ssh_key.h"

/* The DER of these keys is of fixed length: what stands before the key is compared as a whole (RFC 8410, 7 and 4). */

static const uint8_t pkcs8[] = { 0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20 };
/* The same with the public key behind it (RFC 5958, version 2). */
static const uint8_t pkcs8_2[] = { 0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20 };
static const uint8_t pkcs8_public[] = { 0x81, 0x21, 0 };
static const uint8_t spki[] = { 0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0 };
static const char openssh_magic[] = "openssh-key-v1"; /* with its NUL */

#define RUN(a) bytes_of(a, sizeof(a))

static bool take(struct bytes *in, struct bytes word)
{
	if (!bytes_starts(*in, word))
		return false;
	*in = bytes_skip(*in, word.len);
	return true;
}

static enum key_file_answer get_pkcs8(struct bytes der, uint8_t ret[KEY_FILE_SEED])
{
	bool first = take(&der, RUN(pkcs8));

	if (!first && !take(&der, RUN(pkcs8_2)))
		return der.len && der.p[0] == 0x30 ? KEY_FILE_OTHER : KEY_FILE_BAD;
	if (der.len != KEY_FILE_SEED + (first ? 0 : sizeof(pkcs8_public) + KEY_FILE_PUBLIC))
		return KEY_FILE_BAD;
	if (!first && !bytes_starts(bytes_skip(der, KEY_FILE_SEED), RUN(pkcs8_public)))
		return KEY_FILE_BAD;
	memcpy(ret, der.p, KEY_FILE_SEED);
	return KEY_FILE_DONE;
}

/* The check number twice, then type, public key, seed and public key, comment, and 1, 2, 3... up to a multiple of eight. */
static enum key_file_answer get_section(struct bytes in, const uint8_t key[SSH_KEY_PUBLIC], uint8_t ret[KEY_FILE_SEED])
{
	struct bytes type;
	struct bytes public_key;
	struct bytes both;
	struct bytes comment;
	uint32_t check[2];

	if (in.len % 8 || !ssh_get_u32(&in, &check[0]) || !ssh_get_u32(&in, &check[1]) || check[0] != check[1] ||
	    !ssh_get_string(&in, &type) || !ssh_get_string(&in, &public_key) || !ssh_get_string(&in, &both) ||
	    !ssh_get_string(&in, &comment))
		return KEY_FILE_BAD;
	for (size_t i = 0; i < in.len; i++)
		if (in.p[i] != i + 1)
			return KEY_FILE_BAD;
	if (in.len >= 8 || !bytes_is(type, SSH_KEY_TYPE) || !bytes_eq(public_key, bytes_of(key, SSH_KEY_PUBLIC)) ||
	    both.len != SSH_KEY_SEED + SSH_KEY_PUBLIC || !bytes_eq(bytes_skip(both, SSH_KEY_SEED), public_key))
		return KEY_FILE_BAD;
	memcpy(ret, both.p, KEY_FILE_SEED);
	return KEY_FILE_DONE;
}

static enum key_file_answer get_openssh(struct bytes in, uint8_t ret[KEY_FILE_SEED])
{
	uint8_t key[SSH_KEY_PUBLIC];
	struct bytes cipher;
	struct bytes kdf;
	struct bytes kdf_options;
	struct bytes blob;
	struct bytes section;
	struct bytes type;
	struct bytes rest;
	uint32_t n;

	if (!take(&in, bytes_of(openssh_magic, sizeof(openssh_magic))) || !ssh_get_string(&in, &cipher) || !ssh_get_string(&in, &kdf) ||
	    !ssh_get_string(&in, &kdf_options) || !ssh_get_u32(&in, &n) || n != 1 || !ssh_get_string(&in, &blob) ||
	    !ssh_get_string(&in, &section))
		return KEY_FILE_BAD;
	rest = blob;
	if (!ssh_get_string(&rest, &type))
		return KEY_FILE_BAD;
	if (!bytes_is(type, SSH_KEY_TYPE))
		return KEY_FILE_OTHER;
	if (!bytes_is(cipher, "none"))
		return KEY_FILE_ENCRYPTED;
	if (!bytes_is(kdf, "none") || kdf_options.len || in.len || !ssh_key_get_blob(blob, key))
		return KEY_FILE_BAD;
	return get_section(section, key, ret);
}

static enum key_file_answer armored(struct bytes text, const char *label, uint8_t ret[KEY_FILE_SEED],
				    enum key_file_answer (*get)(struct bytes, uint8_t[KEY_FILE_SEED]))
{
	BUF_AUTO struct buf b;

	buf_init_wiping(&b, KEY_FILE_MAX);
	return armor_get(text, label, &b) ? get(buf_view(&b), ret) : KEY_FILE_BAD;
}

enum key_file_answer key_file_private(struct bytes text, uint8_t ret_seed[KEY_FILE_SEED], enum key_file_form *ret_form)
{
	enum key_file_form form = KEY_FILE_PEM;
	enum key_file_answer a = KEY_FILE_BAD;
	struct bytes label;

	if (bytes_starts(text, bytes_str("ssh-")))
		return KEY_FILE_WRONG_HALF;
	if (text.len > KEY_FILE_MAX || !armor_label(text, &label))
		return KEY_FILE_BAD;
	if (bytes_is(label, "PRIVATE KEY")) {
		a = armored(text, "PRIVATE KEY", ret_seed, get_pkcs8);
	} else if (bytes_is(label, "OPENSSH PRIVATE KEY")) {
		form = KEY_FILE_SSH;
		a = armored(text, "OPENSSH PRIVATE KEY", ret_seed, get_openssh);
	} else if (bytes_is(label, "ENCRYPTED PRIVATE KEY")) {
		a = KEY_FILE_ENCRYPTED;
	} else if (bytes_is(label, "PUBLIC KEY")) {
		a = KEY_FILE_WRONG_HALF;
	} else if (bytes_ends(label, bytes_str("PRIVATE KEY"))) {
		a = KEY_FILE_OTHER;
	}
	if (a == KEY_FILE_DONE)
		*ret_form = form;
	return a;
}

static enum key_file_answer get_spki(struct bytes der, uint8_t ret[KEY_FILE_PUBLIC])
{
	if (!take(&der, RUN(spki)))
		return der.len && der.p[0] == 0x30 ? KEY_FILE_OTHER : KEY_FILE_BAD;
	if (der.len != KEY_FILE_PUBLIC)
		return KEY_FILE_BAD;
	memcpy(ret, der.p, KEY_FILE_PUBLIC);
	return KEY_FILE_DONE;
}

enum key_file_answer key_file_public(struct bytes text, uint8_t ret[KEY_FILE_PUBLIC])
{
	struct bytes label;

	if (text.len > KEY_FILE_MAX)
		return KEY_FILE_BAD;
	if (!armor_label(text, &label)) {
		if (ssh_key_get_line(text, ret))
			return KEY_FILE_DONE;
		return !bytes_starts(text, bytes_str(SSH_KEY_TYPE " ")) &&
				       (bytes_starts(text, bytes_str("ssh-")) || bytes_starts(text, bytes_str("ecdsa-")) ||
					bytes_starts(text, bytes_str("sk-"))) ?
			       KEY_FILE_OTHER :
			       KEY_FILE_BAD;
	}
	if (bytes_is(label, "PUBLIC KEY"))
		return armored(text, "PUBLIC KEY", ret, get_spki);
	if (bytes_ends(label, bytes_str("PRIVATE KEY")))
		return KEY_FILE_WRONG_HALF;
	return KEY_FILE_BAD;
}
