#include "crypt/jks.h"

#include <string.h>

#include "base/tap.h"

static struct buf out;

TEST(a_store_is_laid_out_and_signed_as_javas_own)
{
	/* as DataOutput writes it */
	static const uint8_t want[] = {
		0xfe, 0xed, 0xfe, 0xed, 0,   0,   0,   2,   0, 0, 0, 1, 0,   0,   0,
		2,    0,    5,    's',  'a', 'w', '-', '0', 0, 0, 0, 0, 0,   0,   0,
		0,    0,    5,    'X',  '.', '5', '0', '9', 0, 0, 0, 3, 'd', 'e', 'r',
	};
	const struct bytes cert = bytes_str("der");

	buf_init(&out, 1024);
	CHECK(jks_put(&out, &cert, 1));
	CHECK_INT(out.len, sizeof(want) + JKS_DIGEST);
	CHECK(memcmp(out.p, want, sizeof(want)) == 0);
	buf_deinit(&out);
}

TEST(an_empty_store_has_javas_digest)
{
	/* what java.security.KeyStore stores with nothing in it */
	static const uint8_t digest[JKS_DIGEST] = { 0xe2, 0x68, 0x6e, 0x45, 0xfb, 0x43, 0xdf,
						    0xa4, 0xd9, 0x92, 0xdd, 0x41, 0xce, 0xb6,
						    0xb2, 0x1c, 0x63, 0x30, 0xd7, 0x92 };

	buf_init(&out, 1024);
	CHECK(jks_put(&out, NULL, 0));
	CHECK_INT(out.len, JKS_HEAD + JKS_DIGEST);
	CHECK(memcmp(out.p + JKS_HEAD, digest, sizeof(digest)) == 0);
	buf_deinit(&out);
}

TEST(it_stands_behind_what_the_buffer_had)
{
	struct buf alone;

	buf_init(&out, 1024);
	buf_init(&alone, 1024);
	(void)buf_str(&out, "before");
	CHECK(jks_put(&out, NULL, 0) && jks_put(&alone, NULL, 0));
	CHECK(bytes_eq(bytes_skip(buf_view(&out), 6), buf_view(&alone)));
	buf_deinit(&out);
	buf_deinit(&alone);
}

TEST(what_is_too_long_too_many_or_without_room_is_no_store)
{
	static uint8_t big[JKS_CERT_MAX + 1];
	static struct bytes many[JKS_CERTS_MAX + 1];
	const struct bytes one = bytes_of(big, sizeof(big)), fits = bytes_of(big, sizeof(big) - 1);

	buf_init(&out, sizeof(big) + 1024);
	CHECK(!jks_put(&out, &one, 1));
	buf_reset(&out);
	CHECK(jks_put(&out, &fits, 1));
	CHECK(!jks_put(&out, many, JKS_CERTS_MAX + 1));
	buf_deinit(&out);
	buf_init(&out, 40);
	CHECK(!jks_put(&out, &fits, 1));
	buf_deinit(&out);
}
