#include "wire/tls_hello.h"

#include "base/buf.h"
#include "base/tap.h"

static uint8_t wire[TLS_HELLO_BYTES_MAX + 64];

static void ext(struct buf *b, uint16_t type, const void *p, size_t len)
{
	(void)buf_u16be(b, type);
	(void)buf_u16be(b, (uint16_t)len);
	(void)buf_add(b, p, len);
}

static void sni(struct buf *b, const char *name)
{
	struct buf d BUF_AUTO;

	buf_init(&d, 1024);
	(void)buf_u16be(&d, (uint16_t)(strlen(name) + 3));
	(void)buf_byte(&d, 0);
	(void)buf_u16be(&d, (uint16_t)strlen(name));
	(void)buf_str(&d, name);
	ext(b, 0, d.p, d.len);
}

static void ech(struct buf *b, uint8_t type, uint16_t kdf, uint16_t aead, uint16_t enc_len,
		uint16_t payload_len)
{
	struct buf d BUF_AUTO;
	static const uint8_t zeros[4096];

	buf_init(&d, sizeof(zeros) * 2);
	(void)buf_byte(&d, type);
	(void)buf_u16be(&d, kdf);
	(void)buf_u16be(&d, aead);
	(void)buf_byte(&d, 7);
	(void)buf_u16be(&d, enc_len);
	(void)buf_add(&d, zeros, enc_len);
	(void)buf_u16be(&d, payload_len);
	(void)buf_add(&d, zeros, payload_len);
	ext(b, 0xfe0d, d.p, d.len);
}

/* A hello with these extensions in records of `step` bytes, in `wire`; gives its length. */
static size_t hello(const struct buf *extensions, size_t step)
{
	struct buf m BUF_AUTO;
	size_t n = 0;
	static const uint8_t zeros[32];

	buf_init(&m, 60000);
	(void)buf_u16be(&m, 0x0303);
	(void)buf_add(&m, zeros, 32);
	(void)buf_byte(&m, 0);
	(void)buf_add(&m, "\0\2\x13\1\1\0", 6);
	(void)buf_u16be(&m, (uint16_t)extensions->len);
	(void)buf_bytes(&m, buf_view(extensions));
	for (size_t off = 0; off < m.len + 4;) {
		const uint8_t head[4] = { 1, 0, (uint8_t)(m.len >> 8), (uint8_t)m.len };
		size_t len = m.len + 4 - off < step ? m.len + 4 - off : step;

		memcpy(wire + n, "\x16\3\1", 3);
		wire[n + 3] = (uint8_t)(len >> 8);
		wire[n + 4] = (uint8_t)len;
		n += TLS_RECORD_HEAD;
		for (size_t i = 0; i < len; i++, off++)
			wire[n++] = off < 4 ? head[off] : m.p[off - 4];
	}
	return n;
}

static enum tls_hello_answer read_n(size_t n, struct tls_hello *ret)
{
	return tls_hello_read(bytes_of(wire, n), ret);
}

static enum tls_hello_answer read_ext(const struct buf *extensions, struct tls_hello *ret)
{
	return read_n(hello(extensions, 16384), ret);
}

TEST(the_name_is_read_the_same_however_the_hello_is_cut)
{
	struct buf e BUF_AUTO;
	struct tls_hello h;
	static const size_t steps[] = { 1, 2, 3, 4, 5, 50, 16384 };

	buf_init(&e, 4096);
	sni(&e, "pass.example");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		size_t n = hello(&e, steps[i]);

		CHECK_INT(read_n(n, &h), TLS_HELLO_DONE);
		CHECK(h.has_sni && bytes_is(bytes_of(h.sni, h.sni_len), "pass.example") &&
		      h.used == n);
		CHECK(h.ech == TLS_ECH_NONE);
		for (size_t cut = 0; cut < n; cut++)
			CHECK_INT(read_n(cut, &h), TLS_HELLO_MORE);
	}
}

TEST(early_data_behind_the_hello_is_left_alone)
{
	struct buf e BUF_AUTO;
	struct tls_hello h;
	size_t n;

	buf_init(&e, 4096);
	sni(&e, "pass.example");
	n = hello(&e, 16384);
	memcpy(wire + n, "\x14\3\3\0\1\1\x17\3\3\0\1x", 12);
	CHECK_INT(read_n(n + 12, &h), TLS_HELLO_DONE);
	CHECK_INT(h.used, n);
}

TEST(no_sni_is_done_without_a_name)
{
	struct buf e BUF_AUTO;
	struct tls_hello h;

	buf_init(&e, 4096);
	ext(&e, 43, "\2\3\4", 3);
	ext(&e, 0xfe07, "x", 1);
	ext(&e, 0xfe0e, "x", 1);
	CHECK_INT(read_ext(&e, &h), TLS_HELLO_DONE);
	CHECK(!h.has_sni && h.sni_len == 0 && h.ech == TLS_ECH_NONE);
}

TEST(malformed_server_names_are_refused)
{
	static const struct {
		const char *what;
		const char *p;
		size_t len;
	} bad[] = {
		{ "empty extension", "", 0 },
		{ "empty list", "\0\0", 2 },
		{ "empty name", "\0\3\0\0\0", 5 },
		{ "other type", "\0\4\1\0\1a", 6 },
		{ "two names", "\0\10\0\0\1a\0\0\1b", 10 },
		{ "trailing byte", "\0\4\0\0\1ax", 7 },
		{ "list too short", "\0\3\0\0\1a", 6 },
		{ "list too long", "\0\5\0\0\1a", 6 },
		{ "name too long", "\0\4\0\0\2a", 6 },
	};
	struct tls_hello h;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf e BUF_AUTO;

		buf_init(&e, 4096);
		ext(&e, 0, bad[i].p, bad[i].len);
		tap_check(read_ext(&e, &h) == TLS_HELLO_BAD_SNI, bad[i].what, __FILE__, __LINE__);
	}
}

TEST(a_server_name_of_more_bytes_than_any_has_is_refused)
{
	char name[TLS_SNI_MAX + 2];
	struct buf e BUF_AUTO;
	struct tls_hello h;

	buf_init(&e, 4096);
	memset(name, 'a', sizeof(name));
	name[TLS_SNI_MAX + 1] = '\0';
	sni(&e, name);
	CHECK_INT(read_ext(&e, &h), TLS_HELLO_BAD_SNI);
	buf_reset(&e);
	sni(&e, name + 1);
	CHECK_INT(read_ext(&e, &h), TLS_HELLO_DONE);
	CHECK_INT(h.sni_len, TLS_SNI_MAX);
}

/* The message alone, in one record. */
static enum tls_hello_answer read_message(struct bytes m)
{
	struct tls_hello h;

	memcpy(wire, "\x16\3\1", 3);
	wire[3] = (uint8_t)((m.len + 4) >> 8);
	wire[4] = (uint8_t)(m.len + 4);
	memcpy(wire + 5, "\1\0", 2);
	wire[7] = (uint8_t)(m.len >> 8);
	wire[8] = (uint8_t)m.len;
	memcpy(wire + 9, m.p, m.len);
	return read_n(m.len + 9, &h);
}

static void message(struct buf *b, uint16_t version, uint8_t session, uint16_t suites, const char *compression, uint8_t compressions)
{
	static const uint8_t zeros[64];

	(void)buf_u16be(b, version);
	(void)buf_add(b, zeros, 32);
	(void)buf_byte(b, session);
	(void)buf_add(b, zeros, session);
	(void)buf_u16be(b, suites);
	(void)buf_add(b, zeros, suites);
	(void)buf_byte(b, compressions);
	(void)buf_add(b, compression, compressions);
}

TEST(a_hello_whose_parts_are_none_that_tls_has_is_malformed)
{
	static const struct {
		const char *what;
		uint16_t version;
		uint8_t session;
		uint16_t suites;
		const char *compression;
		uint8_t compressions;
		const char *tail;
		size_t tail_len;
		enum tls_hello_answer want;
	} rows[] = {
		{ "TLS 1.0 without extensions", 0x0301, 0, 2, "", 1, "", 0, TLS_HELLO_DONE },
		{ "the last version", 0x0304, 32, 4, "\1", 2, "\0\0", 2, TLS_HELLO_DONE },
		{ "SSL 3", 0x0300, 0, 2, "", 1, "", 0, TLS_HELLO_MALFORMED },
		{ "a version to come", 0x0305, 0, 2, "", 1, "", 0, TLS_HELLO_MALFORMED },
		{ "long session", 0x0303, 33, 2, "", 1, "", 0, TLS_HELLO_MALFORMED },
		{ "no cipher", 0x0303, 0, 0, "", 1, "", 0, TLS_HELLO_MALFORMED },
		{ "half a cipher", 0x0303, 0, 3, "", 1, "", 0, TLS_HELLO_MALFORMED },
		{ "no compression named", 0x0303, 0, 2, "", 0, "", 0, TLS_HELLO_MALFORMED },
		{ "compression alone", 0x0303, 0, 2, "\1", 1, "", 0, TLS_HELLO_MALFORMED },
		{ "half a length", 0x0303, 0, 2, "", 1, "\0", 1, TLS_HELLO_MALFORMED },
		{ "extensions missing", 0x0303, 0, 2, "", 1, "\0\4\0", 3, TLS_HELLO_MALFORMED },
		{ "bytes behind", 0x0303, 0, 2, "", 1, "\0\0x", 3, TLS_HELLO_MALFORMED },
		{ "half an extension's head", 0x0303, 0, 2, "", 1, "\0\3\0\x0a\0", 5, TLS_HELLO_MALFORMED },
		{ "half an extension", 0x0303, 0, 2, "", 1, "\0\5\0\x0a\0\2x", 7, TLS_HELLO_MALFORMED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf m BUF_AUTO;

		buf_init(&m, 4096);
		message(&m, rows[i].version, rows[i].session, rows[i].suites, rows[i].compression, rows[i].compressions);
		(void)buf_add(&m, rows[i].tail, rows[i].tail_len);
		tap_check(read_message(buf_view(&m)) == rows[i].want, rows[i].what, __FILE__, __LINE__);
	}
}

TEST(a_hello_that_ends_early_is_malformed)
{
	struct buf m BUF_AUTO;

	buf_init(&m, 4096);
	message(&m, 0x0303, 32, 4, "", 1);
	for (size_t n = 0; n < m.len; n++)
		CHECK_INT(read_message(bytes_of(m.p, n)), TLS_HELLO_MALFORMED);
	CHECK_INT(read_message(buf_view(&m)), TLS_HELLO_DONE);
}

TEST(a_second_server_name_extension_is_refused)
{
	struct buf e BUF_AUTO;
	struct tls_hello h;

	buf_init(&e, 4096);
	sni(&e, "pass.example");
	sni(&e, "pass.example");
	CHECK_INT(read_ext(&e, &h), TLS_HELLO_BAD_SNI);
	buf_reset(&e);
	ext(&e, 10, "", 0);
	ext(&e, 10, "", 0);
	CHECK_INT(read_ext(&e, &h), TLS_HELLO_MALFORMED);
}

TEST(only_the_shape_of_grease_passes_as_grease)
{
	static const struct {
		uint8_t type;
		uint16_t kdf, aead, enc, payload;
		enum tls_hello_ech want;
	} forms[] = {
		{ 0, 1, 1, 32, 144, TLS_ECH_GREASE },
		{ 0, 1, 3, 32, 240, TLS_ECH_GREASE },
		{ 0, 1, 2, 32, 16 + 32 * 40, TLS_ECH_GREASE },
		{ 1, 1, 1, 32, 144, TLS_ECH_REAL },
		{ 0, 2, 1, 32, 144, TLS_ECH_REAL },
		{ 0, 1, 0, 32, 144, TLS_ECH_REAL },
		{ 0, 1, 4, 32, 144, TLS_ECH_REAL },
		{ 0, 1, 1, 65, 144, TLS_ECH_REAL },
		{ 0, 1, 1, 0, 144, TLS_ECH_REAL },
		{ 0, 1, 1, 32, 143, TLS_ECH_REAL },
		{ 0, 1, 1, 32, 16, TLS_ECH_REAL },
		{ 0, 1, 1, 32, 0, TLS_ECH_REAL },
	};
	static const uint8_t whole[10 + 32 + 144 + 1] = { 0, 0, 1, 0, 1, 7, 0, 32, [8 + 32] = 0, 144 }; /* and a byte behind */
	static const uint16_t hidden[] = { 0xfd00, 0xfe08, 0xfe0a, 0xfe0c, 0xffce };
	struct tls_hello h;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct buf e BUF_AUTO;

		buf_init(&e, 8192);
		sni(&e, "pass.example");
		ech(&e, forms[i].type, forms[i].kdf, forms[i].aead, forms[i].enc, forms[i].payload);
		CHECK_INT(read_ext(&e, &h), TLS_HELLO_DONE);
		CHECK_INT(h.ech, forms[i].want);
	}
	for (size_t n = 0; n <= sizeof(whole); n++) {
		struct buf e BUF_AUTO;

		buf_init(&e, 8192);
		ext(&e, 0xfe0d, whole, n);
		CHECK_INT(read_ext(&e, &h), TLS_HELLO_DONE);
		CHECK_INT(h.ech, n == sizeof(whole) - 1 ? TLS_ECH_GREASE : TLS_ECH_REAL);
	}
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		struct buf e BUF_AUTO;

		buf_init(&e, 8192);
		ext(&e, hidden[i], "x", 1);
		ech(&e, 0, 1, 1, 32, 144);
		CHECK_INT(read_ext(&e, &h), TLS_HELLO_DONE);
		CHECK_INT(h.ech, TLS_ECH_REAL);
	}
}

TEST(other_protocols_are_not_tls_from_their_first_bytes)
{
	static const char *const others[] = { "SSH-2.0-x\r\n", "GET / HTTP/1.1\r\n",
					      "\x80\x2e\1\3\1", "\x16\2", "\x17\2" };
	static const char *const wrong[] = { "\x14\3\3", "\x15\3\1", "\x17\3\3", "\x16\3\1\x41\1\1",
					     "\x16\3\1\1\1\2" };
	struct tls_hello h;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK_INT(tls_hello_read(bytes_str(others[i]), &h), TLS_HELLO_NOT_TLS);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_INT(tls_hello_read(bytes_str(wrong[i]), &h), TLS_HELLO_MALFORMED);
	CHECK_INT(tls_hello_read(bytes_of("\x16\3\1\0\0", 5), &h), TLS_HELLO_MALFORMED);
	CHECK_INT(tls_hello_read(bytes_of(NULL, 0), &h), TLS_HELLO_MORE);
}

TEST(an_over_long_hello_is_refused_from_its_header)
{
	struct tls_hello h;

	CHECK_INT(tls_hello_read(bytes_of("\x16\3\1\x40\0\1\0\x3f\xfc", 9), &h), TLS_HELLO_MORE);
	CHECK_INT(tls_hello_read(bytes_of("\x16\3\1\x40\0\1\0\x3f\xfd", 9), &h),
		  TLS_HELLO_TOO_LONG);
	for (size_t i = 0; i < TLS_HELLO_RECORDS_MAX; i++)
		memcpy(wire + i * 6,
		       i == 0   ? "\x16\3\1\0\1\1"
		       : i == 2 ? "\x16\3\1\0\1\x20"
				: "\x16\3\1\0\1\0",
		       6);
	CHECK_INT(read_n(TLS_HELLO_RECORDS_MAX * 6 - 1, &h), TLS_HELLO_MORE);
	CHECK_INT(read_n(TLS_HELLO_RECORDS_MAX * 6, &h), TLS_HELLO_TOO_LONG);
}

TEST(a_hello_with_more_handshake_bytes_in_its_record_is_malformed)
{
	struct buf e BUF_AUTO;
	struct tls_hello h;
	size_t n;

	buf_init(&e, 4096);
	sni(&e, "pass.example");
	n = hello(&e, 16384);
	wire[4]++;
	wire[n] = 0;
	CHECK_INT(read_n(n + 1, &h), TLS_HELLO_MALFORMED);
	CHECK_INT(read_n(n, &h), TLS_HELLO_MALFORMED);
}
