#include "wire/json_scan.h"

#include "base/tap.h"

static struct json_node nodes[64];
static uint32_t n;
static size_t at;

static enum json_answer scan(const char *text)
{
	return json_scan(bytes_str(text), nodes, 64, &n, &at);
}

TEST(values_of_every_kind_are_found)
{
	BUF_AUTO struct buf b;
	uint64_t v = 0;
	bool t = false;

	buf_init(&b, 100);
	CHECK_INT(scan(" {\"a\": [1, -2.5e+3, true], \"b\\u0063\": {\"x\": \"\\ud83d\\ude00\\n\"}, \"e\": {}, \"z\": null}\r\n"),
		  JSON_OK);
	CHECK_INT(nodes[0].kind, JSON_OBJECT);
	CHECK(json_u64(json_at(nodes, json_get(nodes, nodes, "a"), 0), 10, &v) && v == 1);
	CHECK(!json_u64(json_at(nodes, json_get(nodes, nodes, "a"), 1), 10, &v));
	CHECK(json_bool(json_at(nodes, json_get(nodes, nodes, "a"), 2), &t) && t);
	CHECK(json_at(nodes, json_get(nodes, nodes, "a"), 3) == NULL);
	CHECK(json_text(json_get(nodes, json_get(nodes, nodes, "bc"), "x"), &b));
	CHECK_STR(buf_cstr(&b), "\xf0\x9f\x98\x80\n");
	CHECK(json_is(json_get(nodes, json_get(nodes, nodes, "bc"), "x"), "\xf0\x9f\x98\x80\n"));
	CHECK(!json_is(json_get(nodes, json_get(nodes, nodes, "bc"), "x"), "\xf0\x9f\x98\x80"));
	CHECK_INT(json_get(nodes, nodes, "z")->kind, JSON_NULL);
	CHECK(json_get(nodes, json_get(nodes, nodes, "none"), "x") == NULL);
	CHECK_INT(json_get(nodes, nodes, "e")->first, 0);
}

TEST(every_looseness_is_refused)
{
	static const struct {
		const char *text;
		enum json_answer want;
	} bad[] = {
		{ "\xef\xbb\xbf{}", JSON_MALFORMED }, { "{\"a\":1,\"a\":2}", JSON_DUPLICATE },
		{ "{\"a\":1,\"\\u0061\":2}", JSON_DUPLICATE }, { "{} {}", JSON_TRAILING },
		{ "{}x", JSON_TRAILING }, { "[1,]", JSON_MALFORMED }, { "{\"a\":1,}", JSON_MALFORMED },
		{ "[,1]", JSON_MALFORMED }, { "{a:1}", JSON_MALFORMED }, { "{'a':1}", JSON_MALFORMED },
		{ "[01]", JSON_MALFORMED }, { "[+1]", JSON_MALFORMED }, { "[1.]", JSON_MALFORMED },
		{ "[.5]", JSON_MALFORMED }, { "[0x1]", JSON_MALFORMED }, { "[NaN]", JSON_MALFORMED },
		{ "[True]", JSON_MALFORMED }, { "[1}", JSON_MALFORMED }, { "{\"a\" 1}", JSON_MALFORMED },
		{ "[\"a\tb\"]", JSON_MALFORMED }, { "[\"\\x41\"]", JSON_MALFORMED },
		{ "[\"\\ud800\"]", JSON_NOT_TEXT }, { "[\"\\udc00\\ud800\"]", JSON_NOT_TEXT },
		{ "[\"\\u0000\"]", JSON_NOT_TEXT }, { "[\"\xff\"]", JSON_NOT_TEXT },
		{ "[\"\xc0\x80\"]", JSON_NOT_TEXT }, { "[1 /* c */]", JSON_MALFORMED }, { "[1", JSON_SHORT },
		{ "", JSON_SHORT }, { "\"abc", JSON_SHORT }, { "tru", JSON_SHORT }, { "[\"\\u00", JSON_SHORT },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_STR(json_answer_text(scan(bad[i].text)), json_answer_text(bad[i].want));
}

TEST(a_duplicate_in_a_nested_object_is_refused_and_a_repeat_elsewhere_is_not)
{
	CHECK_INT(scan("[{\"a\":{\"b\":1,\"b\":1}}]"), JSON_DUPLICATE);
	CHECK_INT(scan("[{\"a\":{\"a\":1}},{\"a\":1}]"), JSON_OK);
}

TEST(depth_and_size_are_bounded)
{
	char deep[64] = "";
	char many[200];

	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		deep[i] = '[';
	CHECK_INT(scan(deep), JSON_TOO_LARGE);
	deep[JSON_DEPTH_MAX] = 0;
	CHECK_INT(scan(deep), JSON_SHORT);
	for (size_t i = 0; i < sizeof(many) - 1; i++)
		many[i] = i & 1 ? '1' : i ? ',' : '[';
	many[sizeof(many) - 1] = 0;
	CHECK_INT(scan(many), JSON_TOO_LARGE);
}
