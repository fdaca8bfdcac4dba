#include "crypt/seal.h"

#include "base/tap.h"
#include "crypt/secure_heap.h"

static struct secret *key_of(uint8_t fill)
{
	static bool made;
	struct secret *key;

	if (!made)
		(void)secure_heap_init_sized((size_t)256 * 1024, &made);
	key = secret_new_empty(SEAL_KEY_LEN);
	if (key)
		memset(secret_room(key), fill, SEAL_KEY_LEN);
	return key;
}

static struct seal_label label(void)
{
	return (struct seal_label){ .kind = "secret", .owner = bytes_str("alice"), .id = bytes_str("github"), .version = 7 };
}

static enum seal_answer opens(uint8_t fill, struct seal_label l, struct bytes sealed, const char *want)
{
	struct secret *key = key_of(fill);
	struct secret *plain = NULL;
	enum seal_answer a = seal_open(key, &l, sealed, &plain);

	CHECK((a == SEAL_OK) == (plain != NULL));
	CHECK(!plain || secret_eq(plain, bytes_str(want)));
	secret_free(plain);
	secret_free(key);
	return a;
}

static void seal(struct buf *out, const char *plain)
{
	struct secret *key = key_of(1);
	struct seal_label l = label();

	buf_init(out, SEAL_MAX);
	CHECK(seal_put(key, &l, bytes_str(plain), out));
	secret_free(key);
}

TEST(what_was_sealed_opens_and_does_not_stand_there_in_clear)
{
	struct buf b BUF_AUTO = { 0 };

	seal(&b, "ghp_0123456789");
	CHECK(b.len == SEAL_OVERHEAD + 14 && !memmem(b.p, b.len, "ghp_", 4));
	CHECK(opens(1, label(), buf_view(&b), "ghp_0123456789") == SEAL_OK);
}

TEST(the_same_value_is_never_sealed_to_the_same_bytes)
{
	struct buf a BUF_AUTO = { 0 };
	struct buf b BUF_AUTO = { 0 };

	seal(&a, "value");
	seal(&b, "value");
	CHECK(a.len == b.len && memcmp(a.p + 16, b.p + 16, 12) != 0 && memcmp(a.p + SEAL_OVERHEAD, b.p + SEAL_OVERHEAD, 5) != 0);
}

TEST(a_change_of_any_bit_is_noticed)
{
	struct buf b BUF_AUTO = { 0 };

	seal(&b, "value");
	for (size_t i = 0; i < b.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			b.p[i] ^= (uint8_t)(1U << bit);
			CHECK(opens(1, label(), buf_view(&b), "") != SEAL_OK);
			b.p[i] ^= (uint8_t)(1U << bit);
		}
	CHECK(opens(1, label(), buf_view(&b), "value") == SEAL_OK);
}

TEST(a_shorter_or_longer_file_is_noticed)
{
	struct buf b BUF_AUTO = { 0 };

	seal(&b, "value");
	for (size_t n = 0; n < b.len; n++)
		CHECK(opens(1, label(), bytes_of(b.p, n), "") == (n < SEAL_OVERHEAD ? SEAL_MALFORMED : SEAL_WRONG));
	(void)buf_byte(&b, 0);
	CHECK(opens(1, label(), buf_view(&b), "") == SEAL_WRONG);
}

TEST(another_key_owner_id_kind_or_version_does_not_open_it)
{
	struct seal_label l = label();
	struct buf b BUF_AUTO = { 0 };

	seal(&b, "value");
	CHECK(opens(2, l, buf_view(&b), "") == SEAL_WRONG);
	l.owner = bytes_str("bob");
	CHECK(opens(1, l, buf_view(&b), "") == SEAL_WRONG);
	l = label();
	l.id = bytes_str("gitlab");
	CHECK(opens(1, l, buf_view(&b), "") == SEAL_WRONG);
	l = label();
	l.kind = "ca";
	CHECK(opens(1, l, buf_view(&b), "") == SEAL_WRONG);
	l = label();
	l.version = 8;
	CHECK(opens(1, l, buf_view(&b), "") == SEAL_WRONG);
	/* no border between the texts moves */
	l = label();
	l.owner = bytes_str("aliceg");
	l.id = bytes_str("ithub");
	CHECK(opens(1, l, buf_view(&b), "") == SEAL_WRONG);
}

TEST(a_newer_format_is_said_to_be_newer)
{
	struct buf b BUF_AUTO = { 0 };

	seal(&b, "value");
	b.p[7] = 2;
	CHECK(opens(1, label(), buf_view(&b), "") == SEAL_NEWER);
	b.p[7] = 0;
	CHECK(opens(1, label(), buf_view(&b), "") == SEAL_MALFORMED);
	CHECK(opens(1, label(), bytes_str("not a sealed file at all, but long enough to be one"), "") == SEAL_MALFORMED);
}

TEST(the_version_is_known_before_it_is_opened)
{
	static uint8_t longer[SEAL_MAX + 1];
	struct buf b BUF_AUTO = { 0 };
	uint64_t v = 0;

	seal(&b, "value");
	CHECK(seal_version(buf_view(&b), &v) == SEAL_OK && v == 7);
	CHECK(seal_version(bytes_str("x"), &v) == SEAL_MALFORMED && v == 7);
	memcpy(longer, b.p, b.len);
	CHECK(seal_version(bytes_of(longer, SEAL_MAX), &v) == SEAL_OK);
	CHECK(seal_version(bytes_of(longer, SEAL_MAX + 1), &v) == SEAL_MALFORMED);
}

/* Made by another implementation of the format in seal.h; later versions must still read it. */
TEST(a_file_of_the_first_format_opens)
{
	static const uint8_t old[] = {
		0x73, 0x61, 0x77, 0x73, 0x65, 0x61, 0x6c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x07, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
		0x5d, 0xa7, 0x21, 0xc3, 0xc1, 0xbc, 0xba, 0x09, 0xa0, 0x85, 0x43, 0x05, 0xe3, 0x3c,
		0x8d, 0xd5, 0xdd, 0xcf, 0xe7, 0x55, 0x54, 0xde, 0x60, 0x16, 0x8c, 0x07, 0x86, 0xb0,
	};

	CHECK(opens(1, label(), bytes_of(old, sizeof(old)), "first format") == SEAL_OK);
}

TEST(nothing_and_the_largest_value_are_sealed_and_more_is_not)
{
	static uint8_t large[SECRET_MAX + 1];
	struct secret *key = key_of(1);
	struct secret *plain = NULL;
	struct seal_label l = label();
	char text[SEAL_TEXT_MAX + 2];
	struct buf b BUF_AUTO = { 0 };

	buf_init(&b, SEAL_MAX);
	CHECK(!seal_put(key, &l, bytes_of(large, sizeof(large)), &b) && b.len == 0);
	CHECK(seal_put(key, &l, bytes_of(large, SECRET_MAX - 64), &b));
	CHECK(seal_open(key, &l, buf_view(&b), &plain) == SEAL_OK && secret_view(plain).len == SECRET_MAX - 64);
	secret_free(plain);
	buf_reset(&b);
	CHECK(seal_put(key, &l, bytes_of(NULL, 0), &b) && opens(1, l, buf_view(&b), "") == SEAL_OK);
	buf_reset(&b);
	memset(text, 'x', sizeof(text));
	l.owner = bytes_of(text, SEAL_TEXT_MAX + 1);
	CHECK(!seal_put(key, &l, bytes_str("v"), &b) && b.len == 0);
	secret_free(key);
}
