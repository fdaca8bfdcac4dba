#include "wire/param_name.h"

#include "base/tap.h"

/* What is left of a decoded name. */
static const char *root(const char *text, size_t len)
{
	static char name[64];
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(name) - 1; i++) {
		enum param_name_byte is = param_name_byte(n, (uint8_t)text[i]);

		if (is == PARAM_NAME_ENDS)
			break;
		if (is == PARAM_NAME_HAS)
			name[n++] = text[i];
	}
	name[n] = '\0';
	return name;
}

TEST(brackets_in_front_of_a_name_do_not_count_and_the_next_one_ends_it)
{
	static const struct {
		const char *text, *want;
	} vectors[] = {
		{ "", "" },          { "a", "a" },    { "ab cd", "ab cd" }, { "[a]", "a" },
		{ "a]", "a" },       { "[a", "a" },   { "]a", "a" },        { "][]]a]b", "a" },
		{ "a[b]", "a" },     { "a[]", "a" },  { "[][a][b]", "a" },  { "[]", "" },
		{ "  a b[", "a b" }, { "[ a]", "a" }, { " [a]", "a" },      { "a]b[", "a" },
		{ "ids[]", "ids" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		CHECK_STR(root(vectors[i].text, strlen(vectors[i].text)), vectors[i].want);
	CHECK_STR(root("a\0b", 3), "a");
	CHECK_STR(root("\0b", 2), "");
}

TEST(an_opening_bracket_that_none_closes_is_an_underscore)
{
	uint8_t open = '[', close = ']', other = 'x';

	CHECK(param_name_unclosed(&open));
	CHECK_INT(open, '_');
	CHECK(!param_name_unclosed(&close));
	CHECK(param_name_unclosed(&other));
	CHECK_INT(other, 'x');
}
