#include "wire/json_pointer.h"

#include "base/buf.h"
#include "base/tap.h"

enum { ARENA = 4 * 1024 * 1024 };

static enum json_pointer_answer read_one(struct bytes body, const char *pointer, struct arena *a, struct json_value *v)
{
	const struct bytes p = bytes_str(pointer);
	size_t at;

	arena_init(a, ARENA);
	return json_pointer_read(body, &p, 1, a, v, &at);
}

TEST(a_pointer_gives_the_value_that_rfc_6901_says)
{
	static const char text[] = "{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3, \"g|h\": 4, "
				   "\"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7, \"m~n\": 8, \"o\": {\"p\": [[], {\"q\": null}]}}";
	static const struct {
		const char *pointer;
		enum json_value_kind kind;
		const char *text;
	} vectors[] = {
		{ "", JSON_VALUE_OBJECT, "" },
		{ "/foo", JSON_VALUE_ARRAY, "" },
		{ "/foo/0", JSON_VALUE_STRING, "bar" },
		{ "/foo/1", JSON_VALUE_STRING, "baz" },
		{ "/foo/2", JSON_VALUE_ABSENT, "" },
		{ "/foo/-", JSON_VALUE_ABSENT, "" },
		{ "/foo/00", JSON_VALUE_ABSENT, "" },
		{ "/foo/0/x", JSON_VALUE_ABSENT, "" },
		{ "/", JSON_VALUE_NUMBER, "0" },
		{ "/a~1b", JSON_VALUE_NUMBER, "1" },
		{ "/c%d", JSON_VALUE_NUMBER, "2" },
		{ "/e^f", JSON_VALUE_NUMBER, "3" },
		{ "/g|h", JSON_VALUE_NUMBER, "4" },
		{ "/i\\j", JSON_VALUE_NUMBER, "5" },
		{ "/k\"l", JSON_VALUE_NUMBER, "6" },
		{ "/ ", JSON_VALUE_NUMBER, "7" },
		{ "/m~0n", JSON_VALUE_NUMBER, "8" },
		{ "/o/p/0", JSON_VALUE_ARRAY, "" },
		{ "/o/p/1", JSON_VALUE_OBJECT, "" },
		{ "/o/p/1/q", JSON_VALUE_NULL, "" },
		{ "/q", JSON_VALUE_ABSENT, "" },
		{ "/fo", JSON_VALUE_ABSENT, "" },
		{ "/fooo", JSON_VALUE_ABSENT, "" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct arena a ARENA_AUTO;
		struct json_value v;

		CHECK_INT(read_one(bytes_str(text), vectors[i].pointer, &a, &v), JSON_POINTER_DONE);
		if (!CHECK_INT(v.kind, vectors[i].kind) || !CHECK(bytes_is(v.text, vectors[i].text)))
			printf("# %s\n", vectors[i].pointer);
	}
}

TEST(many_pointers_are_read_in_one_pass)
{
	const struct bytes p[] = { bytes_str("/b/1"), bytes_str("/a"), bytes_str("/b/1/c"), bytes_str("/a"), bytes_str(""),
				   bytes_str("/nothing"), bytes_str("/b/0"), bytes_str("/t") };
	struct json_value v[8];
	struct arena a ARENA_AUTO;
	size_t at;

	arena_init(&a, ARENA);
	CHECK_INT(json_pointer_read(bytes_str("{\"a\":\"x\\u00e9\\ud83d\\ude00\\ny\",\"b\":[false,{\"c\":-1.50e3}],\"t\":true}"), p,
				    8, &a, v, &at),
		  JSON_POINTER_DONE);
	CHECK_INT(v[0].kind, JSON_VALUE_OBJECT);
	CHECK_INT(v[1].kind, JSON_VALUE_STRING);
	CHECK(bytes_eq(v[1].text, bytes_of("x\xc3\xa9\xf0\x9f\x98\x80\ny", 9)));
	CHECK(bytes_is(v[2].text, "-1.50e3"));
	CHECK(bytes_eq(v[3].text, v[1].text));
	CHECK_INT(v[4].kind, JSON_VALUE_OBJECT);
	CHECK_INT(v[5].kind, JSON_VALUE_ABSENT);
	CHECK_INT(v[6].kind, JSON_VALUE_FALSE);
	CHECK_INT(v[7].kind, JSON_VALUE_TRUE);
}

TEST(as_many_pointers_as_the_limit_says_are_read)
{
	struct bytes p[JSON_POINTERS_MAX];
	struct json_value v[JSON_POINTERS_MAX];
	struct arena a ARENA_AUTO;
	size_t at;

	for (size_t i = 0; i < JSON_POINTERS_MAX; i++)
		p[i] = bytes_str(i == JSON_POINTERS_MAX - 1 ? "/z" : "/a/0");
	arena_init(&a, ARENA);
	CHECK_INT(json_pointer_read(bytes_str("{\"a\":[true],\"z\":null}"), p, JSON_POINTERS_MAX, &a, v, &at), JSON_POINTER_DONE);
	for (size_t i = 0; i < JSON_POINTERS_MAX; i++)
		CHECK_INT(v[i].kind, i == JSON_POINTERS_MAX - 1 ? JSON_VALUE_NULL : JSON_VALUE_TRUE);
	CHECK_INT(json_pointer_read(bytes_str("{}"), NULL, 0, &a, NULL, &at), JSON_POINTER_DONE);
}

TEST(only_pointers_of_the_rfc_within_the_limits_are_valid)
{
	static const char *const bad[] = { "a", "#/a", "/a~", "/a~2b", "/~", "/\xff" };
	char deep[2 * JSON_POINTER_DEPTH_MAX + 3];
	char longest[JSON_POINTER_LEN_MAX + 1];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!json_pointer_valid(bytes_str(bad[i])));
	memset(deep, '/', sizeof(deep));
	CHECK(json_pointer_valid(bytes_of(deep, JSON_POINTER_DEPTH_MAX)));
	CHECK(!json_pointer_valid(bytes_of(deep, JSON_POINTER_DEPTH_MAX + 1)));
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	CHECK(json_pointer_valid(bytes_of(longest, JSON_POINTER_LEN_MAX)));
	CHECK(!json_pointer_valid(bytes_of(longest, JSON_POINTER_LEN_MAX + 1)));
	CHECK(json_pointer_valid(bytes_str("")));
	CHECK(json_pointer_valid(bytes_str("/a~0~1/\xc3\xa9//0")));
}

#define V(text, answer) { "" text, sizeof(text) - 1, JSON_POINTER_##answer }

/* I3, I5 */
TEST(what_parsers_disagree_about_is_refused_each_with_its_reason)
{
	static const struct {
		const char *text;
		size_t len;
		enum json_pointer_answer want;
	} vectors[] = {
		V("", NOT_PARSABLE),
		V("  ", NOT_PARSABLE),
		V("\xef\xbb\xbf{}", NOT_PARSABLE),
		V("{}{}", NOT_PARSABLE),
		V("{}\n{}", NOT_PARSABLE),
		V("{} x", NOT_PARSABLE),
		V("{}\0", NOT_PARSABLE),
		V("{", NOT_PARSABLE),
		V("{\"a\":1", NOT_PARSABLE),
		V("{\"a\":1,}", NOT_PARSABLE),
		V("[1,]", NOT_PARSABLE),
		V("[,1]", NOT_PARSABLE),
		V("[1 2]", NOT_PARSABLE),
		V("{\"a\" 1}", NOT_PARSABLE),
		V("{\"a\":}", NOT_PARSABLE),
		V("{\"a\"}", NOT_PARSABLE),
		V("{a:1}", NOT_PARSABLE),
		V("{'a':1}", NOT_PARSABLE),
		V("{1:1}", NOT_PARSABLE),
		V("[1}", NOT_PARSABLE),
		V("{\"a\":1]", NOT_PARSABLE),
		V("]", NOT_PARSABLE),
		V("/**/{}", NOT_PARSABLE),
		V("[NaN]", NOT_PARSABLE),
		V("[Infinity]", NOT_PARSABLE),
		V("[-Infinity]", NOT_PARSABLE),
		V("[nan]", NOT_PARSABLE),
		V("[True]", NOT_PARSABLE),
		V("[nul]", NOT_PARSABLE),
		V("[01]", NOT_PARSABLE),
		V("[+1]", NOT_PARSABLE),
		V("[.5]", NOT_PARSABLE),
		V("[0x1]", NOT_PARSABLE),
		V("[1e400]", NOT_PARSABLE),
		V("[1e-400]", NOT_PARSABLE),
		V("[11111111111111111111111111111111111111111111111111111111111111111]", NOT_PARSABLE),
		V("[\"\xff\"]", NOT_PARSABLE),
		V("[\"\xed\xa0\x80\"]", NOT_PARSABLE),
		V("[\"\\ud800\"]", NOT_PARSABLE),
		V("[\"\\udc00\"]", NOT_PARSABLE),
		V("[\"\n\"]", NOT_PARSABLE),
		V("[\"\0\"]", NOT_PARSABLE),
		V("[\"\\x\"]", NOT_PARSABLE),
		V("\f[]", NOT_PARSABLE),
		V("\xc2\xa0[]", NOT_PARSABLE),
		V("{\"a\":1,\"a\":1}", AMBIGUOUS),
		V("[[{\"x\":{\"a\":1,\"b\":2,\"\\u0061\":1}}]]", AMBIGUOUS),
		V("{\"\":1,\"\":1}", AMBIGUOUS),
		V("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":1}", AMBIGUOUS),
		V("{\"a\\u0000\":1}", AMBIGUOUS),
		V("{\"draft\":\"no\\u0000\"}", AMBIGUOUS), /* to cJSON it ends there */
		V("{\"other\":\"no\\u0000\"}", DONE),
		V("{\"draft\":true,\"Draft\":false}", AMBIGUOUS),
		V("{\"DRAFT\":false}", AMBIGUOUS),
		V("{\"\\u0044raft\":false}", AMBIGUOUS),
		V("{\"dra\\u017ft\":1,\"draft\":1}", DONE), /* no twin: f is no s */
		V("{\"draft\":{\"Deep\":1}}", DONE), /* no pointer goes there */
		V("{\"x\":{\"Draft\":1}}", DONE),
		V("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", DONE),
		V("{\"a\":1,\"A\":1}", DONE), /* beside no pointer's way */
		V("{\"draft\":12345678901234567890}", AMBIGUOUS),
		V("{\"draft\":0.12345678901234567}", AMBIGUOUS),
		V("{\"draft\":1234567890123456789}", DONE),
		V("{\"x\":12345678901234567890}", DONE),
		V(" \t\r\n[ ] \n", DONE),
		V("\"a\"", DONE),
		V("-0", DONE),
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct arena a ARENA_AUTO;
		struct json_value v = { .kind = JSON_VALUE_ARRAY, .text = bytes_str("untouched") };

		if (!CHECK_INT(read_one(bytes_of(vectors[i].text, vectors[i].len), "/draft", &a, &v), vectors[i].want))
			printf("# vector %zu: %s\n", i, vectors[i].text);
		if (vectors[i].want != JSON_POINTER_DONE)
			CHECK(bytes_is(v.text, "untouched"));
	}
}

TEST(foreign_twins_of_a_name_are_twins)
{
	static const char *const twins[] = { "{\"\xe2\x84\xaa" "ey\":1}", "{\"\\u212aey\":1}", "{\"Key\":1}" };
	struct json_value v;

	for (size_t i = 0; i < 3; i++) {
		struct arena a ARENA_AUTO;

		CHECK_INT(read_one(bytes_str(twins[i]), "/key", &a, &v), JSON_POINTER_AMBIGUOUS);
	}
	for (size_t i = 0; i < 2; i++) {
		struct arena a ARENA_AUTO;

		CHECK_INT(read_one(bytes_str(i ? "{\"\xc5\xbf" "et\":1}" : "{\"\xc4\xb1" "d\":1}"), i ? "/set" : "/id", &a, &v),
			  JSON_POINTER_AMBIGUOUS);
	}
	for (size_t i = 0; i < 2; i++) {
		struct arena a ARENA_AUTO;

		CHECK_INT(read_one(bytes_str(i ? "{\"\xc3\x84\":1}" : "{\"\xc3\xa4\":1}"), "/\xc3\xa4", &a, &v),
			  i ? JSON_POINTER_AMBIGUOUS : JSON_POINTER_DONE);
	}
}

/* Protocol Buffers' */
TEST(names_that_differ_in_underscores_within_are_twins)
{
	static const struct {
		const char *pointer, *text;
		enum json_pointer_answer want;
	} rows[] = {
		{ "/dry_run", "{\"dry_run\":1,\"dryRun\":2}", JSON_POINTER_AMBIGUOUS },
		{ "/dryRun", "{\"dry_run\":1,\"dryRun\":2}", JSON_POINTER_AMBIGUOUS },
		{ "/dry_run", "{\"dryrun\":1}", JSON_POINTER_AMBIGUOUS },
		{ "/a/dry_run_now", "{\"a\":{\"dry\\u005FrunNow\":1}}", JSON_POINTER_AMBIGUOUS },
		{ "/dry_run", "{\"dry__run\":1}", JSON_POINTER_AMBIGUOUS },
		{ "/dry_run", "{\"dry_run\":1,\"x\":{\"dryRun\":1}}", JSON_POINTER_DONE },
		{ "/id", "{\"_id\":1,\"id\":2}", JSON_POINTER_DONE },
		{ "/_id", "{\"_id\":1,\"id\":2}", JSON_POINTER_DONE },
		{ "/id", "{\"id_\":1,\"id\":2}", JSON_POINTER_DONE },
		{ "/dry_run", "{\"dry-run\":1,\"dry_runs\":2}", JSON_POINTER_DONE },
	};
	struct json_value v;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a ARENA_AUTO;

		if (!CHECK_INT(read_one(bytes_str(rows[i].text), rows[i].pointer, &a, &v), rows[i].want))
			printf("# %s in %s\n", rows[i].pointer, rows[i].text);
	}
}

TEST(depth_is_bounded_with_its_own_reason)
{
	for (size_t depth = JSON_POINTER_DEPTH_MAX; depth <= JSON_POINTER_DEPTH_MAX + 1; depth++) {
		struct arena a ARENA_AUTO;
		struct buf text BUF_AUTO;
		struct json_value v;

		buf_init(&text, 1000);
		for (size_t i = 0; i < depth; i++)
			(void)buf_byte(&text, '[');
		for (size_t i = 0; i < depth; i++)
			(void)buf_byte(&text, ']');
		CHECK_INT(read_one(buf_view(&text), "", &a, &v),
			  depth > JSON_POINTER_DEPTH_MAX ? JSON_POINTER_TOO_DEEP : JSON_POINTER_DONE);
	}
}

static void object_of(struct buf *text, size_t n, size_t twice)
{
	buf_init(text, 2 * JSON_POINTER_BODY_MAX);
	(void)buf_byte(text, '{');
	for (size_t i = 0; i < n; i++)
		(void)buf_fmt(text, "%s\"\\u0061%zu\":%zu", i ? "," : "", i == twice ? 0 : i * 7919 % 100003, i);
	(void)buf_byte(text, '}');
}

TEST(one_name_twice_among_thousands_is_found_wherever_it_stands)
{
	static const size_t twice[] = { 1, 2, 3, 2499, 4998, 4999 };

	for (size_t i = 0; i <= sizeof(twice) / sizeof(twice[0]); i++) {
		bool clean = i == sizeof(twice) / sizeof(twice[0]);
		struct arena a ARENA_AUTO;
		struct buf text BUF_AUTO;
		struct json_value v;

		object_of(&text, 5000, clean ? SIZE_MAX : twice[i]);
		CHECK_INT(read_one(buf_view(&text), "/a7919", &a, &v), clean ? JSON_POINTER_DONE : JSON_POINTER_AMBIGUOUS);
		if (clean)
			CHECK(bytes_is(v.text, "1"));
	}
}

/* I1 */
TEST(a_body_its_names_and_the_arena_are_bounded)
{
	struct arena a ARENA_AUTO;
	struct arena b ARENA_AUTO;
	struct arena c ARENA_AUTO;
	struct buf text BUF_AUTO;
	struct buf names BUF_AUTO;
	struct json_value v;
	const struct bytes p = bytes_str("/a");
	size_t at;

	buf_init(&text, 2 * JSON_POINTER_BODY_MAX);
	(void)buf_str(&text, "{\"a\":1}");
	while (text.len < JSON_POINTER_BODY_MAX)
		(void)buf_byte(&text, ' ');
	CHECK_INT(read_one(buf_view(&text), "/a", &a, &v), JSON_POINTER_DONE);
	(void)buf_byte(&text, ' ');
	CHECK_INT(read_one(buf_view(&text), "/a", &b, &v), JSON_POINTER_TOO_LARGE);
	buf_init(&names, JSON_POINTER_BODY_MAX);
	(void)buf_byte(&names, '{');
	for (size_t i = 0; i <= JSON_POINTER_MEMBERS_MAX; i++)
		(void)buf_fmt(&names, "%s\"%zx\":0", i ? "," : "", i);
	(void)buf_byte(&names, '}');
	arena_deinit(&b);
	CHECK_INT(read_one(buf_view(&names), "/a", &b, &v), JSON_POINTER_TOO_LARGE);
	arena_init(&c, 16);
	CHECK_INT(json_pointer_read(bytes_str("{\"a\":\"\\n123456789012345678901234567890\"}"), &p, 1, &c, &v, &at), JSON_POINTER_TOO_LARGE);
}
