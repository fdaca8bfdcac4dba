#include <openssl/crypto.h>

#include "base/tap.h"
#include "crypt/ed25519.h"
#include "crypt/key.h"
#include "crypt/secure_heap.h"

TEST(a_generated_key_lies_in_the_locked_heap_and_leaves_it)
{
	struct ed25519 *k;
	size_t before;

	if (!secure_heap_init()) {
		tap_skip("this process may not lock memory");
		return;
	}
	/* the first key also brings the generator's own state, which stays */
	ed25519_free(ed25519_generate());
	before = CRYPTO_secure_used();
	k = ed25519_generate();
	CHECK(k && CRYPTO_secure_used() > before);
	ed25519_free(k);
	CHECK(CRYPTO_secure_used() == before);
}

TEST(a_key_that_came_from_another_process_lies_in_the_locked_heap_and_leaves_it)
{
	KEY_AUTO struct key *made = key_generate();
	struct key_der der KEY_DER_AUTO = { 0 };
	struct key *k;
	size_t before;

	if (!CRYPTO_secure_malloc_initialized()) {
		tap_skip("this process may not lock memory");
		return;
	}
	CHECK(made && key_to_der(made, &der));
	before = CRYPTO_secure_used();
	k = key_from_der(bytes_of(der.p, sizeof(der.p)));
	CHECK(k && CRYPTO_secure_used() > before);
	key_free(k);
	CHECK(CRYPTO_secure_used() == before);
}
