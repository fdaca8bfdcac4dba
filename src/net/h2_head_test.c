#include "net/h2_head.h"

#include "base/tap.h"
#include "wire/http1_head.h"

/* Fields are written "name=value" with '|' between. */
static void put(struct h2_head *h, struct bytes fields)
{
	while (fields.len) {
		struct bytes field = bytes_of(fields.p, bytes_find(fields, '|'));
		size_t equals = bytes_find(field, '=');

		h2_head_field(h, bytes_of(field.p, equals),
			      bytes_skip(field, equals + (equals < field.len)));
		fields = bytes_skip(fields, field.len + (field.len < fields.len));
	}
}

static struct h2_head head;
static enum http1_framing framing;

static enum h2_fault translate(enum h2_head_kind kind, struct bytes fields, bool end, bool to_head,
			       struct buf *out)
{
	enum h2_fault f;

	h2_head_init(&head);
	h2_head_begin(&head, kind);
	head.to_head = to_head;
	put(&head, fields);
	f = h2_head_end(&head, end, out, &framing);
	h2_head_deinit(&head);
	return f;
}

struct good {
	const char *fields;
	bool end;
	const char *want;
	enum http1_framing framing;
};

static void check_good(enum h2_head_kind kind, const struct good *v, size_t n, bool to_head)
{
	for (size_t i = 0; i < n; i++) {
		struct buf out BUF_AUTO = { 0 };

		buf_init(&out, 1000);
		if (!CHECK_INT(translate(kind, bytes_str(v[i].fields), v[i].end, to_head, &out),
			       H2_OK) ||
		    !CHECK_STR(buf_cstr(&out), v[i].want) || !CHECK_INT(framing, v[i].framing))
			printf("# vector %zu: %s\n", i, v[i].fields);
	}
}

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))
#define GET ":method=GET|:scheme=https|:authority=good.example|:path=/x?y=z"
#define LINE "GET /x?y=z HTTP/1.1\r\nhost: good.example\r\n"

TEST(requests_become_heads_of_http1_verbatim)
{
	static const struct good vectors[] = {
		{ GET, true, LINE "\r\n", HTTP1_NO_BODY },
		{ ":path=/x?y=z|:authority=good.example|:scheme=https|:method=GET", true,
		  LINE "\r\n", HTTP1_NO_BODY },
		{ GET, false, LINE "transfer-encoding: chunked\r\n\r\n", HTTP1_CHUNKED },
		{ GET "|content-length=5", false, LINE "content-length: 5\r\n\r\n", HTTP1_LENGTH },
		{ GET "|content-length=0", true, LINE "content-length: 0\r\n\r\n", HTTP1_LENGTH },
		{ GET "|accept=*/*|x-y=a \tb|x-y=|te=trailers", true,
		  LINE "accept: */*\r\nx-y: a \tb\r\nx-y: \r\nte: trailers\r\n\r\n",
		  HTTP1_NO_BODY },
		{ GET "|host=good.example|a=b", true, LINE "a: b\r\n\r\n", HTTP1_NO_BODY },
		{ ":method=GET|:scheme=https|:path=/x?y=z|a=b|host=good.example", true,
		  LINE "a: b\r\n\r\n", HTTP1_NO_BODY },
		{ GET "|cookie=a=b|x=y|cookie=c=d|cookie=e=f", true,
		  LINE "x: y\r\ncookie: a=b; c=d; e=f\r\n\r\n", HTTP1_NO_BODY },
		{ ":method=OPTIONS|:scheme=https|:authority=good.example|:path=*", true,
		  "OPTIONS * HTTP/1.1\r\nhost: good.example\r\n\r\n", HTTP1_NO_BODY },
		/* judged later, by who knows the flow */
		{ ":method=GET|:scheme=https|:authority=EVIL.example:8443|:path=/a/../%2e;b//",
		  true, "GET /a/../%2e;b// HTTP/1.1\r\nhost: EVIL.example:8443\r\n\r\n",
		  HTTP1_NO_BODY },
	};

	check_good(H2_HEAD_REQUEST, vectors, COUNT(vectors), false);
}

TEST(answers_become_heads_of_http1)
{
	static const struct good vectors[] = {
		{ ":status=200|a=b", false,
		  "HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n", HTTP1_CHUNKED },
		{ ":status=200|content-length=3", false,
		  "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", HTTP1_LENGTH },
		/* or it would have no end on HTTP/1.1 */
		{ ":status=200|a=b", true, "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 0\r\n\r\n",
		  HTTP1_NO_BODY },
		{ ":status=204", true, "HTTP/1.1 204 No Content\r\n\r\n", HTTP1_NO_BODY },
		{ ":status=304|content-length=9", true,
		  "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", HTTP1_NO_BODY },
		{ ":status=103|link=x", false, "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
		  HTTP1_NO_BODY },
		/* hosts do */
		{ ":status=204|a=  b\t|b=\xc3\xa9", true,
		  "HTTP/1.1 204 No Content\r\na: b\r\nb: \xc3\xa9\r\n\r\n", HTTP1_NO_BODY },
		{ ":status=204|cookie=a|cookie=b", true,
		  "HTTP/1.1 204 No Content\r\ncookie: a\r\ncookie: b\r\n\r\n", HTTP1_NO_BODY },
	};
	static const struct good of_head[] = {
		{ ":status=200|content-length=3", true,
		  "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", HTTP1_NO_BODY },
		{ ":status=200", true, "HTTP/1.1 200 OK\r\n\r\n", HTTP1_NO_BODY },
	};

	check_good(H2_HEAD_ANSWER, vectors, COUNT(vectors), false);
	check_good(H2_HEAD_ANSWER, of_head, COUNT(of_head), true);
}

TEST(trailers_become_lines)
{
	static const struct good vectors[] = {
		{ "grpc-status=0|grpc-message=", true, "grpc-status: 0\r\ngrpc-message: \r\n",
		  HTTP1_NO_BODY },
		{ "", true, "", HTTP1_NO_BODY },
	};

	check_good(H2_HEAD_TRAILERS, vectors, COUNT(vectors), false);
}

struct bad {
	const char *fields;
	size_t len;
	enum h2_fault want;
};
#define V(text, fault)                                                                             \
	{                                                                                          \
		"" text, sizeof(text) - 1, H2_##fault                                              \
	}

static void check_bad(enum h2_head_kind kind, const struct bad *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf out BUF_AUTO = { 0 };

		buf_init(&out, 1000);
		(void)buf_str(&out, "before");
		if (!CHECK_INT(translate(kind, bytes_of(v[i].fields, v[i].len), true, false, &out),
			       v[i].want) ||
		    !CHECK_STR(buf_cstr(&out), "before"))
			printf("# vector %zu: %s\n", i, v[i].fields);
	}
}

TEST(malformed_requests_are_refused_each_with_its_reason)
{
	static const struct bad vectors[] = {
		V("", BAD_PSEUDO),
		V(":method=GET|:scheme=https|:authority=good.example", BAD_PSEUDO),
		V(":method=GET|:path=/|:authority=good.example", BAD_PSEUDO),
		V(":scheme=https|:path=/|:authority=good.example", BAD_PSEUDO),
		V(GET "|:method=GET", BAD_PSEUDO),
		V(GET "|:path=/y", BAD_PSEUDO),
		V(GET "|:authority=good.example", BAD_PSEUDO),
		V(GET "|:scheme=https", BAD_PSEUDO),
		V(GET "|:status=200", BAD_PSEUDO),
		V(GET "|:unknown=x", BAD_PSEUDO),
		V(GET "|:=x", BAD_PSEUDO),
		V(":Method=GET|:scheme=https|:authority=good.example|:path=/", BAD_PSEUDO),
		V(":method=GET|:scheme=https|:authority=good.example|a=b|:path=/", BAD_PSEUDO),
		V(":method=GET|:scheme=https|host=good.example|:path=/", BAD_PSEUDO),
		V(":method=GET|:scheme=https|:authority=good.example|cookie=a|:path=/", BAD_PSEUDO),
		V(":method=|:scheme=https|:authority=good.example|:path=/", BAD_METHOD),
		V(":method=G ET|:scheme=https|:authority=good.example|:path=/", BAD_METHOD),
		V(":method=GET / HTTP/1.1\r\nx: y|:scheme=https|:authority=good.example|:path=/",
		  BAD_METHOD),
		V(":method=ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC|:scheme=https|:authority=good.example|:path=/",
		  BAD_METHOD),
		/* F5 */
		V(":method=CONNECT|:authority=good.example:443", BAD_CONNECT),
		V(":method=CONNECT|:protocol=websocket|:scheme=https|:path=/|:authority=good.example",
		  BAD_CONNECT),
		V(GET "|:protocol=websocket", BAD_CONNECT),
		V(":method=GET|:scheme=http|:authority=good.example|:path=/", BAD_SCHEME),
		V(":method=GET|:scheme=HTTPS|:authority=good.example|:path=/", BAD_SCHEME),
		V(":method=GET|:scheme=|:authority=good.example|:path=/", BAD_SCHEME),
		V(":method=GET|:scheme=https|:authority=good.example|:path=", BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=x", BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=*", BAD_TARGET),
		V(":method=OPTIONS|:scheme=https|:authority=good.example|:path=*x", BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=https://good.example/",
		  BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=http://evil.example/",
		  BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=/ HTTP/1.1\r\nhost: evil.example",
		  BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=/a b", BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=/\t", BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=/\x7f", BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=/\xc3\xa9", BAD_TARGET),
		V(":method=GET|:scheme=https|:authority=good.example|:path=/\0", BAD_TARGET),
		/* F1 */
		V(":method=GET|:scheme=https|:path=/", BAD_AUTHORITY),
		V(":method=GET|:scheme=https|:path=/|:authority=", BAD_AUTHORITY),
		V(GET "|host=evil.example", BAD_AUTHORITY),
		V(GET "|host=GOOD.example", BAD_AUTHORITY),
		V(GET "|host=", BAD_AUTHORITY),
		V(GET "|host=good.example|host=good.example", BAD_AUTHORITY),
		V(":method=GET|:scheme=https|:path=/|:authority=good.example\r\nx: y",
		  BAD_AUTHORITY),
		V(":method=GET|:scheme=https|:path=/|:authority=good.example evil.example",
		  BAD_AUTHORITY),
		V(":method=GET|:scheme=https|:path=/|host=a b", BAD_AUTHORITY),
		/* F2 */
		V(GET "|=x", BAD_NAME),
		V(GET "|X-y=z", BAD_NAME),
		V(GET "|Host=good.example", BAD_NAME),
		V(GET "|x y=z", BAD_NAME),
		V(GET "|x:y=z", BAD_NAME),
		V(GET "|x\r\ny=z", BAD_NAME),
		V(GET "|x\0y=z", BAD_NAME),
		V(GET "|x\xc3=z", BAD_NAME),
		V(GET "| x=z", BAD_NAME),
		V(GET "|x=a\r\nhost: evil.example", BAD_VALUE),
		V(GET "|x=a\rb", BAD_VALUE),
		V(GET "|x=a\nb", BAD_VALUE),
		V(GET "|x=a\0b", BAD_VALUE),
		V(GET "|x=a\x01", BAD_VALUE),
		V(GET "|x=a\x7f", BAD_VALUE),
		V(GET "|x=\xc3\xa9", BAD_VALUE),
		V(GET "|x= a", BAD_VALUE),
		V(GET "|x=a ", BAD_VALUE),
		V(GET "|x=\ta", BAD_VALUE),
		V(GET "|x=a\t", BAD_VALUE),
		V(GET "|x= ", BAD_VALUE),
		V(GET "|cookie=a\r\nx: y", BAD_VALUE),
		/* F3 */
		V(GET "|connection=close", BAD_HOP),
		V(GET "|connection=", BAD_HOP),
		V(GET "|transfer-encoding=chunked", BAD_HOP),
		V(GET "|keep-alive=5", BAD_HOP),
		V(GET "|upgrade=h2c", BAD_HOP),
		V(GET "|proxy-connection=x", BAD_HOP),
		V(GET "|te=gzip", BAD_HOP),
		V(GET "|te=trailers, gzip", BAD_HOP),
		V(GET "|te=", BAD_HOP),
		/* E2, E3 */
		V(GET "|content-length=0|content-length=0", BAD_LENGTH),
		V(GET "|content-length=+5", BAD_LENGTH),
		V(GET "|content-length=-5", BAD_LENGTH),
		V(GET "|content-length=0x5", BAD_LENGTH),
		V(GET "|content-length=5,5", BAD_LENGTH),
		V(GET "|content-length=", BAD_LENGTH),
		V(GET "|content-length=007", BAD_LENGTH),
		V(GET "|content-length=18446744073709551616", BAD_LENGTH),
		V(GET "|content-length=9223372036854775808", BAD_LENGTH),
		/* the stream has ended */
		V(GET "|content-length=5", BAD_CONTENT),
		/* the first fault counts */
		V(GET "|X=y|connection=x", BAD_NAME),
	};

	check_bad(H2_HEAD_REQUEST, vectors, COUNT(vectors));
}

/* E27 */
TEST(malformed_answers_are_refused_each_with_its_reason)
{
	static const struct bad vectors[] = {
		V("", BAD_PSEUDO),
		V("a=b", BAD_PSEUDO),
		V(":status=200|:status=200", BAD_PSEUDO),
		V(":status=200|:path=/", BAD_PSEUDO),
		V("a=b|:status=200", BAD_PSEUDO),
		V(":status=", BAD_STATUS),
		V(":status=20", BAD_STATUS),
		V(":status=0200", BAD_STATUS),
		V(":status=099", BAD_STATUS),
		V(":status=600", BAD_STATUS),
		V(":status=+20", BAD_STATUS),
		V(":status=200 OK", BAD_STATUS),
		V(":status=101", BAD_STATUS),
		V(":status=100", BAD_STATUS), /* an interim answer cannot end the stream */
		V(":status=200|connection=close", BAD_HOP),
		V(":status=200|transfer-encoding=chunked", BAD_HOP),
		V(":status=200|upgrade=x", BAD_HOP),
		V(":status=200|X=y", BAD_NAME),
		V(":status=200|x=a\r\nb: c", BAD_VALUE),
		V(":status=200|x=a\nb", BAD_VALUE),
		V(":status=200|x=a\0b", BAD_VALUE),
		V(":status=200|content-length=1|content-length=1", BAD_LENGTH),
		V(":status=200|content-length=x", BAD_LENGTH),
		V(":status=200|content-length=1", BAD_CONTENT),
	};

	check_bad(H2_HEAD_ANSWER, vectors, COUNT(vectors));
}

TEST(malformed_trailers_are_refused)
{
	static const struct bad vectors[] = {
		V(":status=200", BAD_TRAILERS),
		V("a=b|:path=/", BAD_TRAILERS),
		V("A=b", BAD_NAME),
		V("a=b\r\nc: d", BAD_VALUE),
		V("transfer-encoding=chunked", BAD_HOP),
		V("te=x", BAD_HOP),
	};
	struct buf out BUF_AUTO = { 0 };

	check_bad(H2_HEAD_TRAILERS, vectors, COUNT(vectors));
	buf_init(&out, 100);
	CHECK_INT(translate(H2_HEAD_TRAILERS, bytes_str("a=b"), false, false, &out),
		  H2_BAD_TRAILERS);
}

/* Gives the fault of a request with `n` fields of `len` bytes in name and value. */
static enum h2_fault with_fields(size_t n, size_t len, const char *name)
{
	struct buf fields BUF_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };
	struct http1_scan s = { 0 };
	struct http1_head parsed;
	enum http1_fault g;
	enum h2_fault f;
	size_t used;

	buf_init(&fields, 1024 * 1024);
	buf_init(&out, 1024 * 1024);
	(void)buf_str(&fields, GET);
	for (size_t i = 0; i < n; i++) {
		(void)buf_fmt(&fields, "|%s=", name);
		for (size_t j = strlen(name); j < len; j++)
			(void)buf_byte(&fields, 'v');
	}
	f = translate(H2_HEAD_REQUEST, buf_view(&fields), false, false, &out);
	if (f == H2_OK)
		CHECK_INT(http1_request_head(&s, buf_view(&out), &parsed, &used, &g), HTTP1_DONE);
	return f;
}

/* E23 */
TEST(what_http1_would_not_take_is_too_large_here)
{
	size_t n = HTTP1_FIELDS_MAX - 2;

	CHECK_INT(with_fields(n, 10, "x"), H2_OK);
	CHECK_INT(with_fields(n + 1, 10, "x"), H2_HEAD_TOO_LARGE);
	CHECK_INT(with_fields(10000, 3, "x"), H2_HEAD_TOO_LARGE);
	CHECK_INT(with_fields(1, HTTP1_FIELDS_LEN_MAX - 100, "x"), H2_OK);
	CHECK_INT(with_fields(1, HTTP1_FIELDS_LEN_MAX - 20, "x"), H2_HEAD_TOO_LARGE);
	CHECK_INT(with_fields(1, HTTP1_FIELDS_LEN_MAX + 20, "x"), H2_HEAD_TOO_LARGE);
	CHECK_INT(with_fields(1, 3 * HTTP1_FIELDS_LEN_MAX, "x"), H2_HEAD_TOO_LARGE);
	/* crumbs are one field */
	CHECK_INT(with_fields(n + 100, 10, "cookie"), H2_OK);
	CHECK_INT(with_fields(3, HTTP1_FIELDS_LEN_MAX / 2, "cookie"), H2_HEAD_TOO_LARGE);
	CHECK_INT(with_fields(3, HTTP1_FIELDS_LEN_MAX / 2, "x"), H2_HEAD_TOO_LARGE);
}

TEST(trailers_fit_into_a_chunked_body)
{
	struct buf fields BUF_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };

	buf_init(&fields, 1024 * 1024);
	buf_init(&out, 1024 * 1024);
	for (size_t i = 0; i < HTTP1_TRAILERS_MAX; i++)
		(void)buf_str(&fields, i ? "|a=b" : "a=b");
	CHECK_INT(translate(H2_HEAD_TRAILERS, buf_view(&fields), true, false, &out), H2_OK);
	(void)buf_str(&fields, "|a=b");
	CHECK_INT(translate(H2_HEAD_TRAILERS, buf_view(&fields), true, false, &out),
		  H2_HEAD_TOO_LARGE);
	buf_reset(&fields);
	(void)buf_str(&fields, "a=");
	for (size_t i = 0; i < HTTP1_TRAILERS_LEN_MAX; i++)
		(void)buf_byte(&fields, 'b');
	CHECK_INT(translate(H2_HEAD_TRAILERS, buf_view(&fields), true, false, &out),
		  H2_HEAD_TOO_LARGE);
	fields.len -= 100;
	CHECK_INT(translate(H2_HEAD_TRAILERS, buf_view(&fields), true, false, &out), H2_OK);
}

static enum h2_fault with_path(size_t len, bool path_first)
{
	struct buf fields BUF_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };
	struct http1_scan s = { 0 };
	struct http1_head parsed;
	enum http1_fault g;
	enum h2_fault f;
	size_t used;

	buf_init(&fields, 1024 * 1024);
	buf_init(&out, 1024 * 1024);
	(void)buf_str(&fields, path_first ? ":path=/" : ":method=GET|:path=/");
	for (size_t i = 1; i < len; i++)
		(void)buf_byte(&fields, 'p');
	(void)buf_fmt(&fields, "%s|:scheme=https|:authority=good.example",
		      path_first ? "|:method=GET" : "");
	f = translate(H2_HEAD_REQUEST, buf_view(&fields), true, false, &out);
	if (f == H2_OK)
		CHECK_INT(http1_request_head(&s, buf_view(&out), &parsed, &used, &g), HTTP1_DONE);
	return f;
}

TEST(a_path_is_as_long_as_a_request_line_lets_it)
{
	size_t most = HTTP1_LINE_MAX - strlen("GET  HTTP/1.1");

	CHECK_INT(with_path(most, false), H2_OK);
	CHECK_INT(with_path(most, true), H2_OK);
	CHECK_INT(with_path(most + 1, false), H2_TARGET_TOO_LONG);
	CHECK_INT(with_path(most + 1, true), H2_TARGET_TOO_LONG);
	CHECK_INT(with_path(HTTP1_LINE_MAX + 1, false), H2_TARGET_TOO_LONG);
	CHECK_INT(with_path(60000, true), H2_TARGET_TOO_LONG);
}

TEST(a_list_that_grows_without_end_is_counted_after_its_first_fault)
{
	h2_head_init(&head);
	h2_head_begin(&head, H2_HEAD_REQUEST);
	for (size_t i = 0; head.list_len <= H2_LIST_MAX; i++)
		h2_head_field(&head, bytes_str("BAD"), bytes_str(""));
	CHECK_INT(head.fault, H2_BAD_NAME);
	CHECK(head.fields.cap == 0);
	h2_head_deinit(&head);
}
