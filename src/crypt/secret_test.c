#include "crypt/secret.h"

#include <openssl/crypto.h>
#include <stdint.h>

#include "base/tap.h"
#include "crypt/secure_heap.h"

enum { HEAP = 256 * 1024 };

static bool ready(void)
{
	static bool made;

	if (!CRYPTO_secure_malloc_initialized())
		(void)secure_heap_init_sized(HEAP, &made);
	return CRYPTO_secure_malloc_initialized();
}

TEST(without_a_guarded_heap_there_is_no_secret)
{
	CHECK(!secret_new(bytes_str("value")) && !secret_new_empty(1) && !secret_new_random(32));
}

TEST(a_value_comes_out_as_it_went_in_and_lies_in_the_guarded_heap)
{
	struct secret *s;

	CHECK(ready());
	s = secret_new(bytes_str("ghp_value"));
	CHECK(s && CRYPTO_secure_allocated(s) && bytes_is(secret_view(s), "ghp_value"));
	secret_free(s);
}

TEST(a_value_is_wiped_when_it_goes_and_where_it_is_cut)
{
	struct secret *s = secret_new(bytes_str("0123456789abcdef"));
	const volatile uint8_t *p = secret_room(s);

	secret_cut(s, 4, 6);
	CHECK(bytes_is(secret_view(s), "456789") && p[6] == 0 && p[10] == 0 && p[15] == 0);
	secret_cut(s, 6, 0);
	CHECK(secret_view(s).len == 0 && p[0] == 0 && p[5] == 0);
	secret_free(s);
	s = secret_new(bytes_str("0123456789abcdef"));
	p = secret_room(s);
	secret_free(s);
	for (size_t i = 0; i < 16; i++)
		CHECK(p[i] == 0);
}

TEST(equal_is_equal_in_length_and_every_byte)
{
	struct secret *s = secret_new(bytes_str("abc"));
	struct secret *none = secret_new(bytes_of(NULL, 0));

	CHECK(secret_eq(s, bytes_str("abc")) && !secret_eq(s, bytes_str("abd")) && !secret_eq(s, bytes_str("xbc")));
	CHECK(!secret_eq(s, bytes_str("ab")) && !secret_eq(s, bytes_str("abcd")) && !secret_eq(s, bytes_of(NULL, 0)));
	CHECK(secret_eq(none, bytes_of(NULL, 0)) && !secret_eq(none, bytes_str("a")));
	secret_free(none);
	secret_free(s);
}

TEST(more_than_the_limit_or_than_the_heap_holds_is_refused)
{
	static uint8_t v[SECRET_MAX + 1];
	struct secret *held[8] = { NULL };
	size_t before = CRYPTO_secure_used();
	size_t n = 0;

	CHECK(!secret_new(bytes_of(v, sizeof(v))));
	while (n < 8 && (held[n] = secret_new_empty(SECRET_MAX)) != NULL)
		n++;
	CHECK(n > 0 && n < 8);
	while (n)
		secret_free(held[--n]);
	CHECK(CRYPTO_secure_used() == before && secret_free(NULL) == NULL);
}

TEST(random_secrets_differ)
{
	struct secret *a = secret_new_random(32);
	struct secret *b = secret_new_random(32);

	CHECK(a && b && !secret_eq(a, secret_view(b)));
	secret_free(a);
	secret_free(b);
}

/* "dd" of VmFlags: MADV_DONTDUMP. */
TEST(the_heap_is_left_out_of_core_dumps_and_fenced)
{
	struct secret *s = secret_new(bytes_str("value"));
	uintptr_t at = (uintptr_t)secret_view(s).p;
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false;
	bool dontdump = false;
	uintptr_t end = 0;
	bool fenced = false;

	while (f && fgets(line, sizeof(line), f)) {
		unsigned long from;
		unsigned long to;
		char rights[5] = "";

		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3) {
			fenced = fenced || (end && from == end && strncmp(rights, "---", 3) == 0);
			here = at >= from && at < to;
			end = here ? to : end;
		} else if (here && strncmp(line, "VmFlags:", 8) == 0) {
			dontdump = strstr(line, " dd") != NULL;
		}
	}
	if (f)
		(void)fclose(f);
	CHECK(end != 0 && dontdump && fenced);
	secret_free(s);
}
