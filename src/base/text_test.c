#include <stdlib.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/num.h"
#include "base/tap.h"
#include "base/time_text.h"
#include "base/utf8.h"

TEST(numbers_take_no_sign_blank_or_leading_zero)
{
	uint64_t v = 7;

	CHECK(num_u64(bytes_str("0"), 10, &v) && v == 0);
	CHECK(num_u64(bytes_str("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX);
	v = 7;
	CHECK(!num_u64(bytes_str("18446744073709551616"), UINT64_MAX, &v));
	CHECK(!num_u64(bytes_str("00"), 10, &v) && !num_u64(bytes_str("+1"), 10, &v));
	CHECK(!num_u64(bytes_str(" 1"), 10, &v) && !num_u64(bytes_str(""), 10, &v));
	CHECK(!num_u64(bytes_str("11"), 10, &v) && v == 7);
}

TEST(numbers_become_text_and_come_back)
{
	const uint64_t tried[] = { 0, 9, 10, 99, 100, 4294967295, 9999999999999999999U, UINT64_MAX };
	char text[NUM_TEXT_MAX + 1];
	uint64_t v;

	for (uint64_t i = 0; i < 20000; i++)
		CHECK(num_u64(bytes_of(text, num_text(i, text)), 20000, &v) && v == i);
	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
		size_t n = num_text(tried[i], text);

		CHECK(n == strlen(text) && num_u64(bytes_of(text, n), UINT64_MAX, &v) && v == tried[i]);
	}
	CHECK_STR(text, "18446744073709551615");
}

TEST(sixteen_digits_are_hexadecimal_six_of_them_in_two_cases)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (unsigned c = 0; c < 256; c++) {
		const char *at = c ? strchr(digits, (int)c) : NULL;
		int i = at ? (int)(at - digits) : -1;

		CHECK_INT(num_hex_digit((uint8_t)c), i < 16 ? i : i - 6);
	}
}

TEST(sizes_are_exact_binary_units)
{
	uint64_t v;

	CHECK(num_size(bytes_str("2GiB"), UINT64_MAX, &v) && v == 2ULL << 30);
	CHECK(num_size(bytes_str("4096"), UINT64_MAX, &v) && v == 4096);
	CHECK(!num_size(bytes_str("2GB"), UINT64_MAX, &v) && !num_size(bytes_str("1.5GiB"), UINT64_MAX, &v));
	CHECK(!num_size(bytes_str("99999999999TiB"), UINT64_MAX, &v) && !num_size(bytes_str("GiB"), UINT64_MAX, &v));
}

TEST(utf8_refuses_overlong_surrogates_and_cut_characters)
{
	CHECK(utf8_valid(bytes_str("aé€😀")));
	CHECK(!utf8_valid(bytes_str("\xc0\xaf")) && !utf8_valid(bytes_str("\xe0\x80\x80")));
	CHECK(!utf8_valid(bytes_str("\xed\xa0\x80")) && !utf8_valid(bytes_str("\xf4\x90\x80\x80")));
	CHECK(!utf8_valid(bytes_str("\xe2\x82")) && !utf8_valid(bytes_str("\x80")) && !utf8_valid(bytes_str("\xff")));
}

TEST(times_go_to_text_and_back)
{
	char text[TIME_TEXT_MAX];
	uint64_t ms;

	time_text(1795539600123, text);
	CHECK_STR(text, "2026-11-24T17:00:00.123Z");
	CHECK(time_text_parse(bytes_str(text), &ms) && ms == 1795539600123);
	CHECK(time_text_parse(bytes_str("2028-02-29T00:00:00Z"), &ms));
	CHECK(!time_text_parse(bytes_str("2027-02-29T00:00:00Z"), &ms));
	CHECK(!time_text_parse(bytes_str("2027-02-28T00:00:00+00:00"), &ms));
}

TEST(a_buffer_never_grows_past_its_ceiling_and_stays_failed)
{
	BUF_AUTO struct buf b;

	buf_init(&b, 10);
	CHECK(buf_str(&b, "0123456789"));
	CHECK_STR(buf_cstr(&b), "0123456789");
	CHECK(!buf_byte(&b, 'x') && b.failed && b.len == 10);
	CHECK(!buf_str(&b, ""));
	buf_reset(&b);
	CHECK(buf_fmt(&b, "%d", 42) && b.len == 2);
	buf_consume(&b, 1);
	CHECK(bytes_is(buf_view(&b), "2"));
}

TEST(decimal_numbers_of_any_size_fit)
{
	BUF_AUTO struct buf b;

	buf_init(&b, 64);
	CHECK(buf_decimal(&b, 0) && buf_byte(&b, ' ') && buf_decimal(&b, 1090) && buf_byte(&b, ' '));
	CHECK(buf_decimal(&b, UINT64_MAX));
	CHECK_STR(buf_cstr(&b), "0 1090 18446744073709551615");
}

TEST(errors_grow_from_the_left)
{
	struct err e = { 0 };

	CHECK_INT(err_set(&e, 5, "greeting too long"), -5);
	CHECK_INT(err_in(&e, -5, "qmp"), -5);
	CHECK_STR(e.text, "qmp: greeting too long");
}

TEST(a_wiping_buffer_leaves_nothing_behind_what_it_drops)
{
	struct buf b;

	buf_init_wiping(&b, 4096);
	CHECK(buf_str(&b, "secret rest"));
	buf_consume(&b, 7);
	CHECK(b.len == 4 && memcmp(b.p, "rest\0\0\0\0\0\0\0", 11) == 0);
	for (size_t i = 0; i < 300; i++) /* grows out of its first memory */
		CHECK(buf_str(&b, "secret"));
	CHECK(b.len == 1804 && memcmp(b.p, "restsecretsecret", 16) == 0);
	buf_reset(&b);
	CHECK(b.len == 0 && b.p[0] == 0 && b.p[1803] == 0);
	buf_deinit(&b);
	CHECK(b.wipes && b.max == 4096 && !b.p);
}

TEST(a_sum_counts_what_its_buffers_have_taken_and_lets_none_grow_over_its_ceiling)
{
	struct buf_sum sum = { .max = 3000 };
	struct buf a BUF_AUTO = { 0 };
	struct buf b BUF_AUTO = { 0 };

	buf_init(&a, 100000);
	buf_init_wiping(&b, 100000);
	buf_charge(&a, &sum);
	buf_charge(&b, &sum);
	CHECK(buf_str(&a, "x"));
	CHECK(sum.used == a.cap && a.cap > 1); /* memory, not contents */
	while (b.cap < 2048)
		CHECK(buf_str(&b, "0123456789"));
	CHECK(sum.used == a.cap + b.cap);
	while (buf_str(&b, "0123456789"))
		CHECK(sum.used <= sum.max);
	CHECK(b.failed && b.cap == 2048 && b.len > 2030);
	buf_reset(&b);
	CHECK(sum.used == a.cap + b.cap);
	buf_deinit(&b);
	CHECK(sum.used == a.cap && b.sum == &sum);
	CHECK(buf_str(&b, "again") && sum.used == a.cap + b.cap);
	buf_deinit(&a);
	buf_deinit(&a);
	buf_deinit(&b);
	CHECK(sum.used == 0);
}

TEST(text_in_pieces_is_valid_exactly_when_the_whole_is)
{
	static const char *const texts[] = {
		"plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\x80", "\xff", "a\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3\x28", "\xe2\x28\xa1", "x\xc3\xa9y\xe2\x82\xacz",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct utf8_run r = { 0 };
		bool ok = true;

		for (const char *c = texts[i]; *c && ok; c++)
			ok = utf8_run_byte(&r, (uint8_t)*c);
		if (!CHECK_INT(ok && r.left == 0, utf8_valid(bytes_str(texts[i]))))
			printf("# text %zu\n", i);
	}
}

/* The allocator gives out again what was freed last: then it is looked at. */
static bool freed_memory_has(size_t size, const char *text)
{
	volatile uint8_t *p = malloc(size);
	size_t len = strlen(text);
	bool found = false;

	__asm__ volatile("" : "+r"(p) : : "memory"); /* what stands there is what is asked */
	for (size_t i = 0; p && i + len <= size && !found; i++) {
		size_t k = 0;

		while (k < len && p[i + k] == (uint8_t)text[k])
			k++;
		found = k == len;
	}
	free((void *)(uintptr_t)p);
	return found;
}

TEST(a_wiping_buffer_leaves_nothing_in_memory_that_it_frees)
{
	struct buf b;

	buf_init_wiping(&b, 4096);
	for (size_t i = 0; i < 43; i++)
		CHECK(buf_str(&b, "secret"));
	CHECK(b.len == 258 && b.cap == 512 && !freed_memory_has(256, "secret"));
	buf_deinit(&b);
	CHECK(!freed_memory_has(512, "secret"));
}
