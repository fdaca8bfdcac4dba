#include "wire/tls_hello.h"

/* Two steps: join the handshake bytes of the leading records until the message is whole, then
 * read the message once.
 *
 * What can be known about ECH without its key. RFC 9849 (6.2) makes GREASE look like the real
 * thing on purpose, so no reader can separate the two by content. What is left is shape and
 * name. Shape: current clients (BoringSSL, NSS, rustls, OpenSSL) grease with the outer form,
 * HKDF-SHA256 and a registered AEAD, an X25519 share of 32 bytes, and a payload of n * 32 bytes
 * and a tag of 16; everything else is called real. Name: a real outer hello carries the
 * `public_name` of the key's owner as SNI. Our caller demands that SNI is the flow's own name,
 * so what remains is a real ECH to the very host that policy lists as single-tenant passthrough,
 * with a key that our DNS never gave out. Where that host fronts for others, policy must not
 * list it as passthrough. */

enum {
	RECORD_CHANGE_CIPHER = 20,
	RECORD_HANDSHAKE = 22,
	RECORD_APPLICATION = 23,
	RECORD_LEN_MAX = 16384,
	HANDSHAKE_CLIENT_HELLO = 1,
	HANDSHAKE_HEAD = 4,
	EXT_SERVER_NAME = 0,
	EXT_ECH = 0xfe0d,
	EXT_ECH_DRAFT_FIRST = 0xfe08,
	EXT_ECH_DRAFT_LAST = 0xfe0c,
	EXT_ECH_OUTER = 0xfd00, /* legal only inside an encrypted hello */
	EXT_ESNI_DRAFT = 0xffce,
	ECH_TYPE_OUTER = 0,
	ECH_KDF_SHA256 = 1,
	ECH_AEAD_LAST = 3, /* AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305 */
	ECH_X25519_LEN = 32,
	ECH_PAD = 32,
	ECH_TAG = 16,
};

/* A cursor that only moves on success; `bad` is sticky. */
struct cut {
	struct bytes left;
	bool bad;
};

static uint32_t get_uint(struct cut *c, size_t n)
{
	uint32_t v = 0;

	if (c->bad || n > c->left.len) {
		c->bad = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v = v << 8 | c->left.p[i];
	c->left = bytes_skip(c->left, n);
	return v;
}

static struct bytes get_run(struct cut *c, size_t n)
{
	struct bytes run;

	if (c->bad || n > c->left.len) {
		c->bad = true;
		return bytes_of(NULL, 0);
	}
	run = bytes_of(c->left.p, n);
	c->left = bytes_skip(c->left, n);
	return run;
}

/* A vector behind a length of `n` bytes. */
static struct bytes get_vector(struct cut *c, size_t n)
{
	return get_run(c, get_uint(c, n));
}

static enum tls_hello_answer read_sni(struct bytes data, struct tls_hello *h)
{
	struct cut ext = { .left = data };
	struct cut list = { .left = get_vector(&ext, 2) };
	uint32_t type = get_uint(&list, 1);
	struct bytes name = get_vector(&list, 2);

	if (ext.bad || list.bad || ext.left.len || list.left.len || type != 0 || !name.len ||
	    name.len > TLS_SNI_MAX)
		return TLS_HELLO_BAD_SNI;
	memcpy(h->sni, name.p, name.len);
	h->sni_len = name.len;
	h->has_sni = true;
	return TLS_HELLO_DONE;
}

static enum tls_hello_ech read_ech(struct bytes data)
{
	struct cut c = { .left = data };
	uint32_t type = get_uint(&c, 1);
	uint32_t kdf = get_uint(&c, 2);
	uint32_t aead = get_uint(&c, 2);
	struct bytes enc;
	struct bytes payload;

	(void)get_uint(&c, 1); /* config_id: any byte in both forms */
	enc = get_vector(&c, 2);
	payload = get_vector(&c, 2);
	if (c.bad || c.left.len || type != ECH_TYPE_OUTER || kdf != ECH_KDF_SHA256 || !aead ||
	    aead > ECH_AEAD_LAST || enc.len != ECH_X25519_LEN || payload.len <= ECH_TAG ||
	    (payload.len - ECH_TAG) % ECH_PAD)
		return TLS_ECH_REAL;
	return TLS_ECH_GREASE;
}

static bool hides_name(uint32_t type)
{
	return type == EXT_ESNI_DRAFT || type == EXT_ECH_OUTER ||
	       (type >= EXT_ECH_DRAFT_FIRST && type <= EXT_ECH_DRAFT_LAST);
}

static enum tls_hello_answer read_extensions(struct bytes all, struct tls_hello *h)
{
	struct cut c = { .left = all };
	uint64_t seen[65536 / 64] = { 0 };

	while (c.left.len) {
		uint32_t type = get_uint(&c, 2);
		struct bytes data = get_vector(&c, 2);
		uint64_t bit = 1ULL << (type % 64);
		enum tls_hello_answer a = TLS_HELLO_DONE;

		if (c.bad)
			return TLS_HELLO_MALFORMED;
		if (seen[type / 64] & bit)
			return type == EXT_SERVER_NAME ? TLS_HELLO_BAD_SNI : TLS_HELLO_MALFORMED;
		seen[type / 64] |= bit;
		if (type == EXT_SERVER_NAME)
			a = read_sni(data, h);
		else if (type == EXT_ECH && h->ech == TLS_ECH_NONE)
			h->ech = read_ech(data);
		else if (hides_name(type))
			h->ech = TLS_ECH_REAL;
		if (a != TLS_HELLO_DONE)
			return a;
	}
	return TLS_HELLO_DONE;
}

/* `m`: the handshake message behind its header. */
static enum tls_hello_answer read_message(struct bytes m, size_t used, struct tls_hello *ret)
{
	struct cut c = { .left = m };
	struct tls_hello h = { .used = used };
	uint32_t version = get_uint(&c, 2);
	struct bytes session;
	struct bytes suites;
	struct bytes compression;
	enum tls_hello_answer a = TLS_HELLO_DONE;

	(void)get_run(&c, 32); /* random */
	session = get_vector(&c, 1);
	suites = get_vector(&c, 2);
	compression = get_vector(&c, 1);
	if (c.bad || version < 0x0301 || version > 0x0304 || session.len > 32 || suites.len < 2 ||
	    suites.len % 2 || bytes_find(compression, 0) == compression.len)
		return TLS_HELLO_MALFORMED;
	if (c.left.len) {
		struct bytes extensions = get_vector(&c, 2);

		if (c.bad || c.left.len)
			return TLS_HELLO_MALFORMED;
		a = read_extensions(extensions, &h);
	}
	if (a == TLS_HELLO_DONE)
		*ret = h;
	return a;
}

/* Where the record at `b` stands: DONE with its contents (as far as they are there) and its full
 * length. */
static enum tls_hello_answer read_record(struct bytes b, struct bytes *ret, size_t *ret_len)
{
	size_t len;

	if (b.len && (b.p[0] < RECORD_CHANGE_CIPHER || b.p[0] > RECORD_APPLICATION))
		return TLS_HELLO_NOT_TLS;
	if (b.len > 1 && b.p[1] != 3)
		return TLS_HELLO_NOT_TLS;
	if (b.len && b.p[0] != RECORD_HANDSHAKE)
		return b.len > 1 ? TLS_HELLO_MALFORMED : TLS_HELLO_MORE;
	if (b.len < TLS_RECORD_HEAD)
		return TLS_HELLO_MORE;
	len = (size_t)b.p[3] << 8 | b.p[4];
	if (!len || len > RECORD_LEN_MAX)
		return TLS_HELLO_MALFORMED;
	b = bytes_skip(b, TLS_RECORD_HEAD);
	*ret = bytes_of(b.p, b.len < len ? b.len : len);
	*ret_len = len;
	return TLS_HELLO_DONE;
}

/* Length of the whole message, as its header says; 0 while the header is not whole. */
static enum tls_hello_answer message_len(const uint8_t *p, size_t have, size_t *ret)
{
	if (have && p[0] != HANDSHAKE_CLIENT_HELLO)
		return TLS_HELLO_MALFORMED;
	*ret = have < HANDSHAKE_HEAD
		       ? 0
		       : HANDSHAKE_HEAD + ((size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
	return *ret > TLS_HELLO_MAX ? TLS_HELLO_TOO_LONG : TLS_HELLO_DONE;
}

enum tls_hello_answer tls_hello_read(struct bytes b, struct tls_hello *ret)
{
	uint8_t whole[TLS_HELLO_MAX];
	size_t have = 0;
	size_t want = 0;
	size_t off = 0;

	for (unsigned n = 0; n < TLS_HELLO_RECORDS_MAX; n++) {
		struct bytes part;
		size_t len;
		enum tls_hello_answer a = read_record(bytes_skip(b, off), &part, &len);

		if (a == TLS_HELLO_NOT_TLS && n)
			return TLS_HELLO_MALFORMED;
		if (a != TLS_HELLO_DONE)
			return a;
		if (part.len > sizeof(whole) - have)
			part.len = sizeof(whole) - have;
		if (part.len)
			memcpy(whole + have, part.p, part.len);
		have += part.len;
		a = message_len(whole, have, &want);
		if (a != TLS_HELLO_DONE)
			return a;
		/* The record that ends the hello holds nothing else: RFC 8446, 5.1. Judged by
		 * its length, so that a cut input never gets another answer than the whole one. */
		off += TLS_RECORD_HEAD + len;
		if (want && have - part.len + len > want)
			return TLS_HELLO_MALFORMED;
		if (off > b.len)
			return TLS_HELLO_MORE;
		if (want && have == want)
			return read_message(bytes_of(whole + HANDSHAKE_HEAD, want - HANDSHAKE_HEAD),
					    off, ret);
	}
	return TLS_HELLO_TOO_LONG;
}
