#include "rules/policy_spelling.h"

#include "base/buf.h"
#include "base/tap.h"

static void check(const char *path, const char *want)
{
	BUF_AUTO struct buf got = { .max = 1 << 16 };
	struct policy_spelling s;
	struct bytes one;

	CHECK(policy_spelling_any(bytes_str(path)) == (*want != '\0'));
	if (!CHECK(policy_spelling_start(&s, bytes_str(path))))
		return;
	while (policy_spelling_next(&s, &one)) {
		buf_bytes(&got, one);
		buf_byte(&got, ' ');
	}
	CHECK_STR(buf_cstr(&got), want);
}

TEST(each_encoded_slash_is_read_either_way)
{
	check("/a%2Fb", "/a/b ");
	check("/a%2Fb/c%2Fd", "/a/b/c%2Fd /a%2Fb/c/d /a/b/c/d ");
}

TEST(encoded_pluses_are_read_together)
{
	check("/%2B%2B", "/++ ");
	check("/a%2Fb%2B%2B", "/a/b%2B%2B /a%2Fb++ /a/b++ ");
}

TEST(a_slash_at_the_end_may_be_none)
{
	check("/a/", "/a ");
	check("/a%2B/", "/a+/ /a%2B /a+ ");
	check("/a%2Fb/c%2F", "/a/b/c%2F /a%2Fb/c/ /a/b/c/ /a%2Fb/c /a/b/c ");
	check("/", "");
	check("/%2F", "// ");
}

TEST(no_other_escape_has_another_spelling)
{
	check("/a+b/c", "");
	check("/%252F%20%2f%2", "");
}

TEST(a_path_with_too_many_encoded_slashes_has_no_spellings)
{
	static char path[HTTP1_LINE_MAX + 2];
	static struct policy_spelling s;
	struct bytes one;
	unsigned n = 0;

	CHECK(policy_spelling_start(&s, bytes_str("/a%2Fb%2F%2F%2F%2F%2F%2F%2Fc")));
	while (policy_spelling_next(&s, &one))
		n++;
	CHECK_INT(n, 255);
	CHECK(!policy_spelling_start(&s, bytes_str("/a%2F%2F%2F%2F%2F%2F%2F%2F%2Fc")));
	memset(path, 'a', HTTP1_LINE_MAX + 1);
	CHECK(!policy_spelling_start(&s, bytes_of((const uint8_t *)path, HTTP1_LINE_MAX + 1)));
	CHECK(policy_spelling_start(&s, bytes_of((const uint8_t *)path, HTTP1_LINE_MAX)));
}

TEST(a_pattern_is_opened_where_its_wildcards_may_stand_for_slashes)
{
	static const char *const rows[][3] = { { "/a%2Fb/*c", "/a/b/*c", "/a/b/**" }, { "/*/a", "/*/a", "/**/a" },     { "/a%2F*%2F/", "/a/*//", "/a/**//" },
					       { "/**", "/**", "/**" },	       { "/a%2f*%2", "/a%2f*%2", "/**" }, { "/", "/", "/" } };
	uint8_t room[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(bytes_is(policy_spelling_slashes(bytes_str(rows[i][0]), room), rows[i][1]));
		CHECK(bytes_is(policy_spelling_opened(bytes_str(rows[i][0]), room), rows[i][2]));
	}
}
