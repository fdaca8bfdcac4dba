#include "wire/json_lex.h"

#include "base/tap.h"

TEST(a_character_is_plain_or_escaped_and_pairs_are_joined)
{
	static const struct {
		const char *text;
		enum json_answer a;
		uint32_t c;
		size_t len;
	} vectors[] = {
		{ "a\"", JSON_OK, 'a', 1 },
		{ "\xc3\xa9x", JSON_OK, 0xe9, 2 },
		{ "\\n", JSON_OK, '\n', 2 },
		{ "\\/", JSON_OK, '/', 2 },
		{ "\\u0041B", JSON_OK, 'A', 6 },
		{ "\\u0000", JSON_OK, 0, 6 },
		{ "\\ud7ff", JSON_OK, 0xd7ff, 6 },
		{ "\\ue000", JSON_OK, 0xe000, 6 },
		{ "\\udbff\\udfff", JSON_OK, 0x10ffff, 12 },
		{ "\\ud83dxude00", JSON_NOT_TEXT, 0, 0 },
		{ "\\ud83d\\xde00", JSON_NOT_TEXT, 0, 0 },
		{ "\\ud83d\\ude00", JSON_OK, 0x1f600, 12 },
		{ "\\", JSON_SHORT, 0, 0 },
		{ "\\u00", JSON_SHORT, 0, 0 },
		{ "\\ud83d", JSON_SHORT, 0, 0 },
		{ "\\x41", JSON_MALFORMED, 0, 0 },
		{ "\\u004g", JSON_MALFORMED, 0, 0 },
		{ "\n", JSON_MALFORMED, 0, 0 },
		{ "\\ude00", JSON_NOT_TEXT, 0, 0 },
		{ "\\ud83dxx", JSON_NOT_TEXT, 0, 0 },
		{ "\\ud83d\\u0041", JSON_NOT_TEXT, 0, 0 },
		{ "\xc0\xaf", JSON_NOT_TEXT, 0, 0 },
		{ "\xed\xa0\x80", JSON_NOT_TEXT, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint32_t c = 77;
		size_t len = 77;

		if (!CHECK_INT(json_lex_char(bytes_str(vectors[i].text), &c, &len), vectors[i].a))
			printf("# vector %zu\n", i);
		CHECK_INT(c, vectors[i].a == JSON_OK ? vectors[i].c : 77);
		CHECK_INT(len, vectors[i].a == JSON_OK ? vectors[i].len : 77);
	}
}

TEST(a_string_ends_at_its_own_quote)
{
	struct bytes raw = { 0 };
	bool nul = true;
	size_t len = 0;

	CHECK_INT(json_lex_string(bytes_str("\"a\\\"b\\\\\" c\""), &raw, &nul, &len), JSON_OK);
	CHECK(bytes_is(raw, "a\\\"b\\\\"));
	CHECK_INT(len, 8);
	CHECK(!nul);
	CHECK_INT(json_lex_string(bytes_str("\"\\u0000\""), &raw, &nul, &len), JSON_OK);
	CHECK(nul);
	CHECK_INT(json_lex_string(bytes_str("\"a\\\""), &raw, &nul, &len), JSON_SHORT);
	CHECK_INT(json_lex_string(bytes_str("\"ab\tc\""), &raw, &nul, &len), JSON_MALFORMED);
	CHECK_INT(len, 3);
}

TEST(strings_are_ordered_by_what_they_say)
{
	CHECK_INT(json_lex_cmp(bytes_str("method"), bytes_str("\\u006dethod")), 0);
	CHECK_INT(json_lex_cmp(bytes_str("\xf0\x9f\x98\x80"), bytes_str("\\ud83d\\ude00")), 0);
	CHECK(json_lex_cmp(bytes_str("a"), bytes_str("\\u0062")) < 0);
	CHECK(json_lex_cmp(bytes_str("\\u0061b"), bytes_str("a")) > 0);
	CHECK(json_lex_cmp(bytes_str(""), bytes_str("a")) < 0);
	CHECK_INT(json_lex_cmp(bytes_str(""), bytes_str("")), 0);
}

TEST(a_number_is_the_longest_one_that_the_grammar_allows)
{
	static const struct {
		const char *text;
		enum json_answer a;
		size_t len;
	} vectors[] = {
		{ "0,", JSON_OK, 1 },	       { "-1.5e+10]", JSON_OK, 8 }, { "90x", JSON_OK, 2 },  { "-", JSON_SHORT, 0 },
		{ "1.", JSON_SHORT, 0 },       { "1e", JSON_SHORT, 0 },	    { "01", JSON_MALFORMED, 0 }, { "-a", JSON_MALFORMED, 0 },
		{ "1.e5", JSON_MALFORMED, 0 }, { "+1", JSON_MALFORMED, 0 },
	};
	char text[JSON_NUMBER_MAX + 2];
	struct bytes n;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		n = bytes_of(NULL, 0);
		if (!CHECK_INT(json_lex_number(bytes_str(vectors[i].text), &n), vectors[i].a) ||
		    !CHECK_INT(n.len, vectors[i].len))
			printf("# vector %zu\n", i);
	}
	memset(text, '1', sizeof(text));
	CHECK_INT(json_lex_number(bytes_of(text, JSON_NUMBER_MAX), &n), JSON_OK);
	CHECK_INT(json_lex_number(bytes_of(text, JSON_NUMBER_MAX + 1), &n), JSON_TOO_LARGE);
}
