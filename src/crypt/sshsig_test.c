#include "crypt/sshsig.h"

#include "base/tap.h"

/* Made by `ssh-keygen -Y sign -n saw-policy` over "hello\n": the private key's seed and the signatures in its two files. */
static const uint8_t seed[ED25519_SEED] = { 0x9a, 0xc8, 0x90, 0xb1, 0xf6, 0x48, 0xcc, 0x94, 0x7b, 0x99, 0x33, 0xac, 0x34, 0x34, 0x07, 0x2f,
					    0x67, 0x87, 0x9a, 0x30, 0x86, 0x79, 0xae, 0xdb, 0xb8, 0x04, 0x1f, 0xbc, 0xde, 0xf1, 0x4d, 0xd7 };
static const uint8_t begin_512[] = { 0xad, 0x81, 0xae, 0x8b, 0xb2, 0x3a, 0x0c, 0x0b };
static const uint8_t begin_256[] = { 0x0d, 0x55, 0x13, 0x28, 0xe1, 0x4a, 0x4b, 0x38 };

TEST(a_signature_is_the_one_that_ssh_keygen_makes)
{
	struct ed25519 *k = ed25519_new(seed);
	uint8_t signature[ED25519_SIGNATURE];
	uint8_t key[ED25519_PUBLIC];

	ed25519_public(k, key);
	CHECK(sshsig_sign(k, "saw-policy", true, bytes_str("hello\n"), signature));
	CHECK(memcmp(signature, begin_512, sizeof(begin_512)) == 0);
	CHECK(sshsig_verify(key, "saw-policy", true, bytes_str("hello\n"), signature));
	CHECK(sshsig_sign(k, "saw-policy", false, bytes_str("hello\n"), signature));
	CHECK(memcmp(signature, begin_256, sizeof(begin_256)) == 0);
	CHECK(sshsig_verify(key, "saw-policy", false, bytes_str("hello\n"), signature));
	ed25519_free(k);
}

TEST(namespace_hash_message_and_key_are_all_bound)
{
	struct ed25519 *k = ed25519_new(seed);
	uint8_t signature[ED25519_SIGNATURE];
	uint8_t key[ED25519_PUBLIC];

	ed25519_public(k, key);
	CHECK(sshsig_sign(k, "saw-policy", true, bytes_str("hello\n"), signature));
	CHECK(!sshsig_verify(key, "saw-policy", true, bytes_str("hello"), signature));
	CHECK(!sshsig_verify(key, "file", true, bytes_str("hello\n"), signature));
	CHECK(!sshsig_verify(key, "saw-policy", false, bytes_str("hello\n"), signature));
	CHECK(!ed25519_verify(key, bytes_str("hello\n"), signature));
	key[0] ^= 1;
	CHECK(!sshsig_verify(key, "saw-policy", true, bytes_str("hello\n"), signature));
	ed25519_free(k);
}
