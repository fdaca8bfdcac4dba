#include "base/tap.h"
#include "crypt/ed25519.h"
#include "crypt/random.h"
#include "crypt/sha256.h"

static const char *hex_of(const uint8_t digest[SHA256_LEN])
{
	static char text[SHA256_HEX_MAX];

	sha256_hex(digest, text);
	return text;
}

TEST(sha256_gives_the_published_digests)
{
	uint8_t d[SHA256_LEN];
	struct sha256_run *r = sha256_run_new();

	sha256(bytes_str("abc"), d);
	CHECK_STR(hex_of(d), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256(bytes_of(NULL, 0), d);
	CHECK_STR(hex_of(d), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_2(bytes_str("a"), bytes_str("bc"), d);
	CHECK_STR(hex_of(d), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_run_add(r, bytes_str("ab"));
	sha256_run_digest(r, d);
	sha256_run_add(r, bytes_str("c"));
	sha256_run_digest(r, d);
	CHECK_STR(hex_of(d), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_run_free(r);
}

/* RFC 4231, test case 2 */
TEST(hmac_gives_the_published_value)
{
	uint8_t d[SHA256_LEN];

	sha256_hmac(bytes_str("Jefe"), bytes_str("what do ya want for nothing?"), d);
	CHECK_STR(hex_of(d), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* RFC 8032, 7.1, test 1 */
TEST(ed25519_signs_as_published_and_refuses_a_changed_message)
{
	static const uint8_t seed[ED25519_SEED] = {
		0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
		0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
	};
	static const uint8_t want_public[4] = { 0xd7, 0x5a, 0x98, 0x01 };
	static const uint8_t want_signature[4] = { 0xe5, 0x56, 0x43, 0x00 };
	struct ed25519 *k = ed25519_new(seed);
	uint8_t public_key[ED25519_PUBLIC];
	uint8_t signature[ED25519_SIGNATURE];

	ed25519_public(k, public_key);
	CHECK(memcmp(public_key, want_public, 4) == 0);
	CHECK(ed25519_sign(k, bytes_of("", 0), signature));
	CHECK(memcmp(signature, want_signature, 4) == 0);
	CHECK(ed25519_verify(public_key, bytes_of("", 0), signature));
	CHECK(!ed25519_verify(public_key, bytes_str("x"), signature));
	signature[0] ^= 1;
	CHECK(!ed25519_verify(public_key, bytes_of("", 0), signature));
	ed25519_free(k);
}

TEST(random_bytes_fill_the_whole_run)
{
	uint8_t a[64] = { 0 };
	uint8_t b[64] = { 0 };

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	CHECK(memcmp(a, b, 32) != 0 && memcmp(a + 32, b + 32, 32) != 0);
}
