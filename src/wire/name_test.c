#include "wire/name.h"

#include "base/tap.h"

static enum name_answer answer(const char *text)
{
	struct name n;

	return name_parse(bytes_str(text), &n);
}

static const char *parsed(const char *text)
{
	static struct name n;

	return name_parse(bytes_str(text), &n) == NAME_OK ? n.text : "(refused)";
}

static bool under(const char *name, const char *suffix, bool many)
{
	return name_under(bytes_str(name), bytes_str(suffix), many);
}

/* n labels of `len` letters with dots between. */
static const char *long_name(int n, int len, const char *end)
{
	static char text[600];
	int at = 0;

	for (int i = 0; i < n; i++) {
		memset(text + at, 'a', (size_t)len);
		at += len;
		text[at++] = '.';
	}
	(void)snprintf(text + at, sizeof(text) - (size_t)at, "%s", end);
	return text;
}

TEST(case_folds_to_one_form)
{
	CHECK_STR(parsed("GOOD.Example"), "good.example");
	CHECK_STR(parsed("a_b-c.Example"), "a_b-c.example");
}

TEST(one_trailing_dot_is_dropped_only_where_the_door_allows_it)
{
	struct name n;

	CHECK_STR(parsed("good.example."), "good.example");
	CHECK_INT(name_parse_strict(bytes_str("good.example."), &n), NAME_MALFORMED);
	CHECK_INT(name_parse_strict(bytes_str("good.example"), &n), NAME_OK);
	CHECK_INT(answer("good.example.."), NAME_MALFORMED);
	CHECK_INT(answer("."), NAME_MALFORMED);
}

TEST(empty_labels_and_foreign_bytes_are_malformed)
{
	static const char *const bad[] = { "",
					   ".good.example",
					   "good..example",
					   "good .example",
					   "good\t.example",
					   "good\r\n.example",
					   "good\\.example",
					   "a@good.example",
					   "good#.example",
					   "good?.example",
					   "good%2e.example",
					   "good.example:443",
					   "*.good.example",
					   "good/example",
					   "b\xc3\xbc"
					   "cher.example",
					   "good\xe3\x80\x82"
					   "example",
					   "-good.example",
					   "good-.example",
					   "[good.example]" };
	struct name n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK_INT(answer(bad[i]), NAME_MALFORMED))
			printf("#   name %s\n", bad[i]);
	CHECK_INT(name_parse(bytes_of("evil.example\0.good.example", 26), &n), NAME_MALFORMED);
	CHECK_INT(name_parse(bytes_of("good.example\0", 13), &n), NAME_MALFORMED);
}

TEST(addresses_in_every_spelling_are_no_names)
{
	static const char *const bad[] = { "2130706433",
					   "0177.0.0.1",
					   "0x7f.1",
					   "127.1",
					   "127.0.0.1",
					   "127.0.0.1.",
					   "::1",
					   "[::1]",
					   "[127.0.0.1]",
					   "0x7F.0.0.1",
					   "good.0x",
					   "a.b.1",
					   "0X7F000001",
					   "::ffff:127.0.0.1",
					   "999.999.999.999" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK_INT(answer(bad[i]), NAME_ADDRESS))
			printf("#   name %s\n", bad[i]);
	CHECK_INT(answer("1.example"), NAME_OK);
	CHECK_INT(answer("example.0xg"), NAME_OK);
	CHECK_INT(answer("1e100.example"), NAME_OK);
}

TEST(only_canonical_a_labels_are_names)
{
	CHECK_INT(answer("xn--bcher-kva.example"), NAME_OK);
	CHECK_INT(answer("XN--BCHER-KVA.example"), NAME_OK);
	CHECK_INT(answer("xn--strae-oqa.example"), NAME_OK);
	CHECK_INT(answer("xn--fiqs8s"), NAME_OK);
	CHECK_INT(answer("xn--ihqwcrb4cv8a8dqg056pqjye.example"), NAME_OK);
	CHECK_INT(answer("xn--.example"), NAME_MALFORMED); /* ends in a hyphen */
	CHECK_INT(answer("xn--zz.example"), NAME_NOT_CANONICAL); /* cut integer */
	CHECK_INT(answer("xn--a-ecp.ru"), NAME_OK);
	CHECK_INT(answer("xn--99999999.example"), NAME_NOT_CANONICAL); /* overflow */
	CHECK_INT(answer("xn--a_b.example"), NAME_NOT_CANONICAL); /* no such digit */
	CHECK_INT(answer("xn--a.example"), NAME_NOT_CANONICAL); /* U+0080, a control character */
	CHECK_INT(answer("good.xn--ab-j1t"), NAME_OK);
	CHECK_INT(answer("xn--ab-uw7b.example"), NAME_OK);
	CHECK_INT(answer("xn--ab-s13a.example"),
		  NAME_NOT_CANONICAL); /* the ideographic full stop inside */
}

TEST(the_longest_legal_name_parses_and_one_byte_more_does_not)
{
	char label[NAME_LABEL_MAX + 12];

	CHECK_INT(answer(long_name(3, 63, "b")), NAME_OK);
	CHECK_INT(answer(long_name(
			  3, 63, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")),
		  NAME_OK); /* 253 */
	CHECK_INT(answer(long_name(
			  3, 63, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.")),
		  NAME_OK);
	CHECK_INT(answer(long_name(
			  3, 63, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")),
		  NAME_MALFORMED);
	memset(label, 'a', sizeof(label));
	memcpy(label + NAME_LABEL_MAX, ".example", 9);
	CHECK_INT(answer(label), NAME_OK);
	memcpy(label + NAME_LABEL_MAX, "a.example", 10);
	CHECK_INT(answer(label), NAME_MALFORMED);
}

TEST(a_wildcard_is_exactly_one_label_and_a_double_one_is_one_or_more)
{
	CHECK(under("a.example.com", "example.com", false) &&
	      under("a.example.com", "example.com", true));
	CHECK(!under("example.com", "example.com", false) &&
	      !under("example.com", "example.com", true));
	CHECK(!under("a.b.example.com", "example.com", false) &&
	      under("a.b.example.com", "example.com", true));
	CHECK(!under(".example.com", "example.com", false) &&
	      !under(".example.com", "example.com", true));
	CHECK(!under("evilexample.com", "example.com", true) &&
	      !under("a.example.com.evil.example", "example.com", true));
	CHECK(!under("a", "", true));
}
