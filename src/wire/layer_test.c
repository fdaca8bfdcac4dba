#include "wire/layer.h"

#include "base/buf.h"
#include "base/tap.h"

/* All characters of `text`, "*" for others than ASCII. */
static const char *read_all(const char *text, size_t len, enum layer outer, enum layer within, uint8_t skip)
{
	static char got[200];
	struct layer_source x = { .s = bytes_of(text, len), .last = true, .layer = outer, .skip = skip };
	uint32_t c = 0;
	size_t n = 0;

	while (n < sizeof(got) - 1 && layer_next_within(&x, within, &c) == LAYER_DONE)
		got[n++] = c == 0 ? '0' : c < 0x80 ? (char)c : '*';
	got[n] = '\0';
	return got;
}

TEST(each_layer_is_taken_off_and_what_it_does_not_know_stays)
{
	static const struct {
		enum layer layer;
		const char *text, *want;
	} vectors[] = {
		{ LAYER_NONE, "a%2Db\\n&lt;", "a%2Db\\n&lt;" },
		{ LAYER_PERCENT, "a%2Db%2d%zz%2", "a-b-%zz%2" },
		{ LAYER_SCRIPT, "a\\u002Db\\x2d\\/\\\"\\\\\\-\\q\\u00\\", "a-b-/\"\\-\\q\\u00\\" },
		{ LAYER_SCRIPT, "\\n\\u00e9", "\n*" },
		{ LAYER_ENTITY, "a&#45;b&#x2D;&lt;&LTx&amp&ampq&quot&sol;&sol&#45", "a-b-<<x&&q\"/&sol-" },
		{ LAYER_ENTITY, "&#;&#x;&#000000045;&#301;&nosuch;&", "&#;&#x;&#000000045;*&nosuch;&" },
		{ LAYER_ANY, "%2D\\x2d&#45;", "---" },
		{ LAYER_HEX, "612d4Bz", "a-K" },
		{ LAYER_BASE64, "YS1iYw==", "a-bc" },
		{ LAYER_BASE64, "YS\r\n1iY\\nw", "a-bc" },
		{ LAYER_BASE64, "Y%531i!", "a-b" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		CHECK_STR(read_all(vectors[i].text, strlen(vectors[i].text), vectors[i].layer, LAYER_NONE, 0), vectors[i].want);
	CHECK_STR(read_all("a\0-\0b\0", 6, LAYER_WIDE, LAYER_NONE, 0), "a-b");
	CHECK_STR(read_all("a\0\0\0-\0\0\0", 8, LAYER_WIDE, LAYER_NONE, 0), "a-");
}

TEST(base64_begins_at_any_of_its_digits)
{
	CHECK_STR(read_all("dWEtYg==", 8, LAYER_BASE64, LAYER_NONE, 0), "ua-b");
	CHECK_STR(read_all("WEtYg==", 7, LAYER_BASE64, LAYER_NONE, 2), "a-b");
	CHECK_STR(read_all("EtYg==", 6, LAYER_BASE64, LAYER_NONE, 4), "-b");
}

TEST(a_layer_is_taken_off_within_another)
{
	static const struct {
		enum layer outer, within;
		const char *text, *want;
	} vectors[] = {
		{ LAYER_PERCENT, LAYER_PERCENT, "%252D%25%32%44%2%41", "--*" },
		{ LAYER_SCRIPT, LAYER_SCRIPT, "\\\\u002d\\u005c\\u0075002d\\\\\\/", "--/" },
		{ LAYER_SCRIPT, LAYER_ENTITY, "\\u0026#45;\\u0026amp;", "-&" },
		{ LAYER_ENTITY, LAYER_PERCENT, "&percnt;2D&#37;2d", "--" },
		{ LAYER_ENTITY, LAYER_SCRIPT, "&bsol;&#47;", "/" },
		{ LAYER_BASE64, LAYER_PERCENT, "YSUyRGI=", "a-b" },
		{ LAYER_BASE64, LAYER_ENTITY, "YSYjNDU=", "a-" }, /* the end is the semicolon */
		{ LAYER_BASE64, LAYER_WIDE, "YQAtAA==", "a-" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		CHECK_STR(read_all(vectors[i].text, strlen(vectors[i].text), vectors[i].outer, vectors[i].within, 0), vectors[i].want);
}

TEST(what_does_not_tell_yet_waits)
{
	static const char *const beginnings[] = { "%", "%2", "%25", "%252", "%25%3", "&#37", "&perc", "&#3", "\\", "\\u002", "\\u0025", "" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		struct layer_source x = { .s = bytes_str(beginnings[i]), .layer = i < 5 ? LAYER_PERCENT : i < 8 ? LAYER_ENTITY : LAYER_SCRIPT };
		uint32_t c;

		CHECK_INT(layer_next_within(&x, LAYER_PERCENT, &c), LAYER_MORE);
	}
}

TEST(digits_are_taken_in_any_layer_with_line_breaks_only_within)
{
	struct layer_source x = { .s = bytes_str("WQ\r\nB=\n"), .layer = LAYER_NONE };
	const int want[] = { 22, 16, 1, -1 };
	int v = 0;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		CHECK_INT(layer_next_digit(&x, i > 0, &v), LAYER_DONE);
		CHECK_INT(v, want[i]);
	}
	CHECK_INT(layer_next_digit(&x, false, &v), LAYER_DONE);
	CHECK_INT(v, -1);
	CHECK_INT(layer_next_digit(&x, false, &v), LAYER_MORE);
}
