#include "wire/http1_target.h"

#include "base/tap.h"

/* The canonical text, or NULL with the fault. */
static const char *canon(struct buf *out, struct bytes text, bool flag, enum http1_fault *f)
{
	struct http1_target t = { 0 };

	buf_init(out, 100000);
	*f = http1_target_canon(text, flag, out, &t);
	if (*f == HTTP1_FAULT_NONE) {
		CHECK_INT(t.path_len + (t.has_query ? t.query_len + 1 : 0), out->len);
		CHECK(!t.has_query || out->p[t.path_len] == '?');
		return buf_cstr(out);
	}
	CHECK_INT(out->len, 0);
	return NULL;
}

TEST(targets_have_one_form)
{
	static const char *const vectors[][2] = {
		{ "/", "/" },
		{ "/a/b", "/a/b" },
		{ "/a/", "/a/" },
		{ "/?", "/?" },
		{ "/a?", "/a?" },
		{ "/a?b?c/d", "/a?b?c/d" },
		/* G2: never decoded twice */
		{ "/%252e%252e/x", "/%252e%252e/x" },
		{ "/%25252e", "/%25252e" },
		{ "/%252F", "/%252F" },
		/* G7: one form */
		{ "/%61dmin", "/admin" },
		{ "/%c3%a9", "/%C3%A9" },
		{ "/a%7Eb%2Dc", "/a~b-c" },
		{ "/%40x%3a%2c", "/@x:," },
		{ "/a%2Bb+c", "/a%2Bb+c" },
		{ "/%3bx", "/%3Bx" },
		{ "/v1.2/...", "/v1.2/..." },
		{ "/.well-known/x", "/.well-known/x" },
		{ "/[a]|b^", "/%5Ba%5D%7Cb%5E" },
		/* G10: the query's own meaning is left alone */
		{ "/?a=1&a=2;b=%20+&c%5b%5D=", "/?a=1&a=2;b=%20+&c%5B%5D=" },
		{ "/?a[]={x|y}\\`", "/?a%5B%5D=%7Bx%7Cy%7D%5C%60" },
		{ "/?x=%0A%0d%09", "/?x=%0A%0D%09" },
		{ "/?u=../..//%2f%2e", "/?u=../..//%2F." },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf out BUF_AUTO;
		enum http1_fault f;
		const char *got = canon(&out, bytes_str(vectors[i][0]), false, &f);

		CHECK_STR(got ? got : "(fault)", vectors[i][1]);
	}
}

#define V(text, fault) { "" text, sizeof(text) - 1, HTTP1_FAULT_##fault }

TEST(what_has_two_readings_is_refused_each_with_its_fault)
{
	static const struct {
		const char *text;
		size_t len;
		enum http1_fault want;
	} vectors[] = {
		/* G1 */
		V("/public/../admin", DOT_SEGMENT),
		V("/./", DOT_SEGMENT),
		V("/.", DOT_SEGMENT),
		V("/..", DOT_SEGMENT),
		V("/a/..", DOT_SEGMENT),
		V("/a/..?x", DOT_SEGMENT),
		V("/%2e%2e/", DOT_SEGMENT),
		V("/.%2e/", DOT_SEGMENT),
		V("/%2E./x", DOT_SEGMENT),
		V("/%2E%2E%2F", DOT_SEGMENT),
		V("/%2e", DOT_SEGMENT),
		V("/..%5cadmin", DOT_SEGMENT),
		/* G3 */
		V("/@scope%2fname", ENCODED_SLASH),
		V("/a%2Fb", ENCODED_SLASH),
		V("/a%5Cb", TARGET),
		/* G4 */
		V("//admin", EMPTY_SEGMENT),
		V("/a//b", EMPTY_SEGMENT),
		V("/a//", EMPTY_SEGMENT),
		V("/admin;x=1", PATH_PARAMETER),
		V("/..;/admin", PATH_PARAMETER),
		/* G6 */
		V("/%c0%ae", TARGET),
		V("/%ff", TARGET),
		V("/%c3", TARGET),
		V("/%c3/%a9", TARGET),
		V("/%ed%a0%80", TARGET),
		V("/%00", TARGET),
		V("/%0a", TARGET),
		V("/%0d", TARGET),
		V("/%7f", TARGET),
		V("/%", TARGET),
		V("/%2", TARGET),
		V("/%zz", TARGET),
		V("/%/1", TARGET),
		V("/%4/", TARGET),
		V("/%:1", TARGET),
		V("/%4:", TARGET),
		V("/%g1", TARGET),
		V("/%4g", TARGET),
		{ "/%41", 3, HTTP1_FAULT_TARGET },
		V("/%u002e", TARGET),
		V("/a#b", TARGET),
		V("/a b", TARGET),
		V("/a\\b", TARGET),
		V("/a\"b", TARGET),
		V("/<a>", TARGET),
		V("/\x80", TARGET),
		V("/a\0", TARGET),
		V("/?a=%00", TARGET),
		V("/?a=%1b", TARGET),
		V("/?a=%7f", TARGET),
		V("/?a=%ff", TARGET),
		V("/?a=%", TARGET),
		V("/?a#b", TARGET),
		V("/?a<b", TARGET),
		V("", TARGET),
		V("*", TARGET),
		V("a/b", TARGET),
		V("?a", TARGET),
		V("good.example:443", TARGET),
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf out BUF_AUTO;
		enum http1_fault f;

		(void)canon(&out, bytes_of(vectors[i].text, vectors[i].len), false, &f);
		if (!CHECK_INT(f, vectors[i].want))
			printf("# vector %zu: %s\n", i, vectors[i].text);
	}
}

TEST(the_encoded_slash_flag_lets_a_slash_through_but_no_dot_segment)
{
	static const struct {
		const char *text;
		const char *want;
		enum http1_fault fault;
	} vectors[] = {
		{ "/@scope%2fname", "/@scope%2Fname", HTTP1_FAULT_NONE },
		{ "/%40scope%2Fname", "/@scope%2Fname", HTTP1_FAULT_NONE },
		{ "/a%2f..%2fb", NULL, HTTP1_FAULT_DOT_SEGMENT },
		{ "/a%2f..", NULL, HTTP1_FAULT_DOT_SEGMENT },
		{ "/..%2fb", NULL, HTTP1_FAULT_DOT_SEGMENT },
		{ "/a%2f%2fb", NULL, HTTP1_FAULT_EMPTY_SEGMENT },
		{ "/a%2f/b", NULL, HTTP1_FAULT_EMPTY_SEGMENT },
		{ "/%2fb", NULL, HTTP1_FAULT_EMPTY_SEGMENT },
		{ "/a%5cb", NULL, HTTP1_FAULT_TARGET },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf out BUF_AUTO;
		enum http1_fault f;
		const char *got = canon(&out, bytes_str(vectors[i].text), true, &f);

		CHECK_INT(f, vectors[i].fault);
		CHECK_STR(got ? got : "(fault)", vectors[i].want ? vectors[i].want : "(fault)");
	}
}

TEST(long_targets_are_judged_as_short_ones_are)
{
	for (size_t n = 250; n < 262; n++) {
		struct buf text BUF_AUTO = { 0 }, out BUF_AUTO = { 0 };
		enum http1_fault f;
		const char *got;

		buf_init(&text, HTTP1_LINE_MAX + 1);
		(void)buf_byte(&text, '/');
		while (text.len < n)
			(void)buf_byte(&text, 'a');
		got = canon(&out, buf_view(&text), false, &f);
		CHECK(got && bytes_is(buf_view(&text), got));
		buf_deinit(&out);
		(void)buf_str(&text, "/%2e%2e/b");
		CHECK(!canon(&out, buf_view(&text), false, &f) && f == HTTP1_FAULT_DOT_SEGMENT);
		buf_deinit(&out);
		buf_consume(&text, 1);
		while (text.len < HTTP1_LINE_MAX)
			(void)buf_byte(&text, 'b');
		CHECK(!canon(&out, buf_view(&text), false, &f) && f == HTTP1_FAULT_TARGET);
	}
}

TEST(a_target_that_no_line_holds_is_too_long)
{
	static char text[HTTP1_LINE_MAX + 1];
	struct buf out BUF_AUTO = { 0 };
	struct http1_target t;

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	buf_init(&out, 2 * sizeof(text));
	CHECK_INT(http1_target_canon(bytes_of(text, HTTP1_LINE_MAX), false, &out, &t), HTTP1_FAULT_NONE);
	buf_reset(&out);
	CHECK_INT(http1_target_canon(bytes_of(text, sizeof(text)), false, &out, &t), HTTP1_FAULT_TARGET_TOO_LONG);
	CHECK_INT(out.len, 0);
}

TEST(the_canonical_form_of_a_canonical_form_is_itself)
{
	const char *text = "/%61%c3%a9[%2b?%7e|=%0a";
	struct buf once BUF_AUTO;
	struct buf twice BUF_AUTO;
	enum http1_fault f;

	(void)canon(&once, bytes_str(text), false, &f);
	CHECK_STR(canon(&twice, buf_view(&once), false, &f), buf_cstr(&once));
}
