#include "wire/git_pkt.h"

#include "base/tap.h"

TEST(a_pkt_line_is_read_and_special_ones_are_told_apart)
{
	static const struct {
		const char *text;
		enum git_answer a;
		enum git_pkt_kind kind;
		const char *content;
		size_t len;
	} vectors[] = {
		{ "0006a\nrest", GIT_DONE, GIT_PKT_LINE, "a\n", 6 },
		{ "000Bfoobar\n", GIT_DONE, GIT_PKT_LINE, "foobar\n", 11 },
		{ "00000006a\n", GIT_DONE, GIT_PKT_FLUSH, "", 4 },
		{ "0001", GIT_DONE, GIT_PKT_DELIM, "", 4 },
		{ "0002", GIT_DONE, GIT_PKT_END, "", 4 },
		{ "", GIT_MORE, 0, NULL, 0 },
		{ "000", GIT_MORE, 0, NULL, 0 },
		{ "0006a", GIT_MORE, 0, NULL, 0 },
		{ "fff0", GIT_MORE, 0, NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		enum git_pkt_kind kind = GIT_PKT_LINE;
		struct bytes content;
		size_t len;

		if (!CHECK_INT(git_pkt_next(bytes_str(vectors[i].text), &kind, &content, &len), vectors[i].a))
			printf("# %s\n", vectors[i].text);
		if (vectors[i].a == GIT_DONE) {
			CHECK_INT(kind, vectors[i].kind);
			CHECK(bytes_is(content, vectors[i].content));
			CHECK_INT(len, vectors[i].len);
		}
	}
}

TEST(lengths_that_no_pkt_line_has_are_bad_at_once)
{
	static const char *const bad[] = { "0003", "0004", "fff1", "ffff", "x", "0x10", "00 6", "-001", "+006", "PACK", "\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum git_pkt_kind kind;
		struct bytes content;
		size_t len;

		if (!CHECK_INT(git_pkt_next(bytes_str(bad[i]), &kind, &content, &len), GIT_BAD))
			printf("# %s\n", bad[i]);
	}
}

TEST(an_id_has_the_length_of_its_format_and_lower_case_digits)
{
	const char *sha1 = "0123456789abcdef0123456789abcdef01234567";
	const char *sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

	CHECK(git_id_valid(bytes_str(sha1), false));
	CHECK(!git_id_valid(bytes_str(sha1), true));
	CHECK(git_id_valid(bytes_str(sha256), true));
	CHECK(!git_id_valid(bytes_str(sha256), false));
	CHECK(!git_id_valid(bytes_str("0123456789ABCDEF0123456789abcdef01234567"), false));
	CHECK(!git_id_valid(bytes_str("0123456789abcdeg0123456789abcdef01234567"), false));
	CHECK(git_id_is_zero(bytes_str("0000")));
	CHECK(!git_id_is_zero(bytes_str("0001")));
	CHECK(!git_id_is_zero(bytes_str("")));
}
