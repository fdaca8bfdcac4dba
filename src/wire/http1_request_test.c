#include "wire/http1_request.h"

#include "base/tap.h"

struct canon {
	struct buf out;
	struct buf stripped;
	struct http1_request r;
	enum http1_fault fault;
};

static void canon_free(struct canon *c)
{
	buf_deinit(&c->out);
	buf_deinit(&c->stripped);
}
#define CANON_AUTO __attribute__((cleanup(canon_free)))

static struct canon canon_at(struct bytes text, uint16_t port, bool encoded_slash)
{
	const struct http1_place place = {
		.name = bytes_str("good.example"), .port = port, .default_port = port == 443 ? 443 : 80, .encoded_slash = encoded_slash
	};
	struct canon c = { 0 };
	struct http1_scan s = { 0 };
	struct http1_head h;
	size_t len;

	buf_init(&c.out, HTTP1_CANON_MAX);
	buf_init(&c.stripped, HTTP1_STRIPPED_MAX);
	if (http1_request_head(&s, text, &h, &len, &c.fault) == HTTP1_DONE)
		c.fault = http1_request_canon(&h, &place, &c.out, &c.stripped, &c.r);
	else
		CHECK(c.fault != HTTP1_FAULT_NONE);
	c.r.upgrade = bytes_of(NULL, c.r.upgrade.len);
	return c;
}

static struct canon canon(const char *text)
{
	return canon_at(bytes_str(text), 80, false);
}

#define HOST "Host: good.example\r\n"

TEST(a_request_is_written_again_with_a_header_set_of_our_own)
{
	struct canon c CANON_AUTO = canon("POST /%61?x=1 HTTP/1.1\r\nAccept: a\r\nhost:GOOD.example:80\r\nContent-Length: 3\r\n"
					  "Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nUser-Agent:  t \r\n\r\n");

	CHECK_INT(c.fault, HTTP1_FAULT_NONE);
	CHECK_STR(buf_cstr(&c.out), "POST /a?x=1 HTTP/1.1\r\nHost: good.example\r\nAccept: a\r\nUser-Agent: t\r\n"
				    "Content-Length: 3\r\n\r\n");
	CHECK_STR(buf_cstr(&c.stripped), "x-hop");
	CHECK(c.r.keep);
	CHECK_INT(c.r.length.len, 3);
}

TEST(the_destination_of_a_move_is_a_path_of_the_same_host_in_the_same_form)
{
	static const struct {
		const char *fields, *want;
		enum http1_fault fault;
	} vectors[] = {
		{ "", "", HTTP1_FAULT_NONE },
		{ "Destination: /a/%62?x=%31\r\n", "/a/b?x=1", HTTP1_FAULT_NONE },
		{ "destination: http://GOOD.example:80/a[\r\n", "/a%5B", HTTP1_FAULT_NONE },
		{ "Destination: https://good.example/a\r\n", "", HTTP1_FAULT_NOT_FLOW },
		{ "Destination: http://other.example/a\r\n", "", HTTP1_FAULT_NOT_FLOW },
		{ "Destination: http://x@good.example/a\r\n", "", HTTP1_FAULT_USERINFO },
		{ "Destination: //good.example/a\r\n", "", HTTP1_FAULT_EMPTY_SEGMENT },
		{ "Destination: /a/../b\r\n", "", HTTP1_FAULT_DOT_SEGMENT },
		{ "Destination: /a%2Fb\r\n", "", HTTP1_FAULT_ENCODED_SLASH },
		{ "Destination: a\r\n", "", HTTP1_FAULT_TARGET },
		{ "Destination:\r\n", "", HTTP1_FAULT_TARGET },
		{ "Destination: /a\r\nDESTINATION: /a\r\n", "", HTTP1_FAULT_HEADER },
	};
	const struct http1_place place = { .name = bytes_str("good.example"), .port = 80, .default_port = 80 };

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf text BUF_AUTO = { .max = 1000 }, out BUF_AUTO = { .max = HTTP1_CANON_MAX };
		struct http1_scan s = { 0 };
		struct http1_head h;
		enum http1_fault fault;
		size_t len;

		(void)buf_fmt(&text, "MOVE /x HTTP/1.1\r\nHost: good.example\r\n%s\r\n", vectors[i].fields);
		CHECK_INT(http1_request_head(&s, buf_view(&text), &h, &len, &fault), HTTP1_DONE);
		if (!CHECK_INT(http1_request_destination(&h, &place, &out), vectors[i].fault))
			printf("# %s", vectors[i].fields);
		CHECK_STR(buf_cstr(&out), vectors[i].want);
	}
}

/* L7, C1, C2, C13, D3, E19, E20 */
TEST(the_authority_is_that_of_the_connection_or_the_request_is_refused)
{
	static const struct {
		const char *text;
		uint16_t port;
		enum http1_fault want;
	} vectors[] = {
		{ "GET / HTTP/1.1\r\nHost: Good.Example\r\n\r\n", 80, HTTP1_FAULT_NONE },
		{ "GET / HTTP/1.1\r\nHost: good.example:80\r\n\r\n", 80, HTTP1_FAULT_NONE },
		{ "GET / HTTP/1.1\r\nHost: good.example.\r\n\r\n", 80, HTTP1_FAULT_NONE },
		{ "GET / HTTP/1.1\r\nHost: good.example:8080\r\n\r\n", 8080, HTTP1_FAULT_NONE },
		{ "GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_NONE },
		{ "GET HTTP://GOOD.example:80/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_NONE },
		{ "GET http://good.example HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_NONE },
		{ "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n", 8080, HTTP1_FAULT_NOT_FLOW },
		{ "GET / HTTP/1.1\r\nHost: good.example:81\r\n\r\n", 80, HTTP1_FAULT_NOT_FLOW },
		{ "GET / HTTP/1.1\r\nHost: pass.example\r\n\r\n", 80, HTTP1_FAULT_NOT_FLOW },
		{ "GET http://evil.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_NOT_FLOW },
		{ "GET http://good.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 80, HTTP1_FAULT_NOT_FLOW },
		{ "GET https://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_NOT_FLOW },
		{ "GET https://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 443, HTTP1_FAULT_NONE },
		{ "GET HTTPS://GOOD.example:443/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 443, HTTP1_FAULT_NONE },
		{ "GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 443, HTTP1_FAULT_NOT_FLOW },
		{ "GET http://good.example:443/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 443, HTTP1_FAULT_NOT_FLOW },
		{ "GET ftp://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_NOT_FLOW },
		{ "GET http://good.example@evil.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_USERINFO },
		{ "GET http://u:p@good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_USERINFO },
		{ "GET http:/good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_TARGET },
		{ "GET http:///x HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET http://good.example\\@evil/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_USERINFO },
		{ "GET http://good.example#x HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_AUTHORITY },
		{ "GET http://127.0.0.1/ HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_NAME_ADDRESS },
		{ "GET / HTTP/1.1\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET / HTTP/1.0\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET http://good.example/ HTTP/1.1\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET / HTTP/1.1\r\nHost: good.example\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET / HTTP/1.1\r\nHost: good.example\r\nhost: evil.example\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET / HTTP/1.1\r\nHost: good.example,evil.example\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET / HTTP/1.1\r\nHost: good.example/x\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 80, HTTP1_FAULT_HOST },
		{ "GET / HTTP/1.1\r\nHost: good.example..\r\n\r\n", 80, HTTP1_FAULT_NAME },
		{ "GET / HTTP/1.1\r\nHost: good.example@evil.example\r\n\r\n", 80, HTTP1_FAULT_AUTHORITY },
		{ "GET / HTTP/1.1\r\nHost: 0x7f.1\r\n\r\n", 80, HTTP1_FAULT_NAME_ADDRESS },
		{ "OPTIONS * HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_TARGET },
		{ "CONNECT good.example:80 HTTP/1.1\r\nHost: good.example\r\n\r\n", 80, HTTP1_FAULT_TARGET },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct canon c CANON_AUTO = canon_at(bytes_str(vectors[i].text), vectors[i].port, false);

		if (!CHECK_INT(c.fault, vectors[i].want))
			printf("# vector %zu: %s\n", i, vectors[i].text);
		if (c.fault == HTTP1_FAULT_NONE)
			CHECK(strncmp(buf_cstr(&c.out), "GET / HTTP/1.1\r\nHost: good.example", 34) == 0);
		else
			CHECK_INT(c.out.len, 0);
	}
}

TEST(an_absolute_target_with_a_query_but_no_path_gets_the_root)
{
	struct canon c CANON_AUTO = canon("GET http://good.example?a HTTP/1.1\r\n" HOST "\r\n");

	CHECK_STR(buf_cstr(&c.out), "GET /?a HTTP/1.1\r\nHost: good.example\r\n\r\n");
}

/* E15, E24, E25, G11 and forwarding fields */
TEST(fields_that_are_not_the_origins_business_stay_behind)
{
	static const char *const fields[] = {
		"Connection: close",	  "Keep-Alive: 5",	      "Proxy-Connection: keep-alive", "TE: trailers",
		"Trailer: X",		  "Upgrade: h2c",	      "HTTP2-Settings: AAMAAABk",     "Proxy-Authorization: Basic x",
		"Forwarded: for=1.2.3.4", "Via: 1.1 x",		      "X-Forwarded-For: 1.2.3.4",     "X-Forwarded-Host: evil.example",
		"x_forwarded_proto: x",	  "X-Real-IP: 1.2.3.4",	      "X-Original-URL: /admin",	      "X-Rewrite-URL: /admin",
		"Proxy: http://evil",	  "X-Host: evil.example",     "Expect: 100-continue",	      "True-Client-IP: 1.2.3.4",
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		char text[256];

		(void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s\r\n\r\n", fields[i]);
		{
			struct canon c CANON_AUTO = canon(text);

			CHECK_INT(c.fault, HTTP1_FAULT_NONE);
			CHECK_STR(buf_cstr(&c.out), "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n");
			CHECK(!c.r.override);
		}
	}
}

TEST(what_was_stripped_is_said)
{
	struct canon c CANON_AUTO = canon("GET / HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
					  "HTTP2-Settings: AAMAAABk\r\nVia: x\r\n\r\n");

	CHECK_STR(buf_cstr(&c.stripped), "upgrade, http2-settings, via");
	CHECK_INT(c.r.upgrade.len, 3);
}

TEST(method_overrides_are_seen)
{
	static const struct {
		const char *text;
		bool want;
	} vectors[] = {
		{ "POST / HTTP/1.1\r\n" HOST "X-HTTP-Method-Override: DELETE\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\n" HOST "x-http-method: DELETE\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\n" HOST "X-Method-Override: DELETE\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\n" HOST "X_HTTP_METHOD_OVERRIDE: DELETE\r\n\r\n", true },
		{ "POST /?_method=DELETE HTTP/1.1\r\n" HOST "\r\n", true },
		{ "POST /?a=1&%5fmethod=DELETE HTTP/1.1\r\n" HOST "\r\n", true },
		{ "POST /_method HTTP/1.1\r\n" HOST "X: _method=1\r\n\r\n", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct canon c CANON_AUTO = canon(vectors[i].text);

		CHECK_INT(c.fault, HTTP1_FAULT_NONE);
		CHECK_INT(c.r.override, vectors[i].want);
		CHECK(!strstr(buf_cstr(&c.out), "DELETE\r\n"));
	}
}

TEST(requests_with_confusing_or_forbidden_fields_are_refused)
{
	static const struct {
		const char *fields;
		enum http1_fault want;
	} vectors[] = {
		{ "Content_Length: 5\r\n", HTTP1_FAULT_HEADER },
		{ "Transfer_Encoding: chunked\r\n", HTTP1_FAULT_HEADER },
		{ "Connection: authorization\r\nAuthorization: x\r\n", HTTP1_FAULT_NOMINATED },
		{ "Connection: close, Content-Length\r\n", HTTP1_FAULT_NOMINATED },
		{ "Connection: transfer-encoding\r\n", HTTP1_FAULT_NOMINATED },
		{ "Connection: Host\r\n", HTTP1_FAULT_NOMINATED },
		{ "Connection: cookie\r\n", HTTP1_FAULT_NOMINATED },
		{ "Connection: x-amz-date\r\n", HTTP1_FAULT_NOMINATED },
		{ "Connection: a b\r\n", HTTP1_FAULT_HEADER },
		{ "Expect: 200-ok\r\n", HTTP1_FAULT_EXPECT },
		{ "Expect:\r\n", HTTP1_FAULT_EXPECT },
		{ "Expect: 100-continue\r\nExpect: 100-continue\r\n", HTTP1_FAULT_EXPECT },
		{ "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", HTTP1_FAULT_TWO_LENGTHS },
		{ "Content-Length: 01\r\n", HTTP1_FAULT_LENGTH },
		{ "Transfer-Encoding: identity\r\n", HTTP1_FAULT_CODING },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char text[256];

		(void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s\r\n", vectors[i].fields);
		{
			struct canon c CANON_AUTO = canon(text);

			if (!CHECK_INT(c.fault, vectors[i].want))
				printf("# vector %zu: %s\n", i, vectors[i].fields);
		}
	}
}

TEST(a_client_of_http_1_0_is_served_without_chunks_and_not_kept)
{
	struct canon c CANON_AUTO = canon("GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n");
	struct canon d CANON_AUTO = canon("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");

	CHECK_INT(c.fault, HTTP1_FAULT_NONE);
	CHECK(!c.r.keep);
	CHECK_STR(buf_cstr(&c.out), "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n");
	CHECK_INT(d.fault, HTTP1_FAULT_CODING);
}

TEST(expect_is_honoured_only_where_a_body_follows)
{
	struct canon a CANON_AUTO = canon("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
	struct canon b CANON_AUTO = canon("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
	struct canon c CANON_AUTO = canon("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n");

	CHECK(a.r.expects_continue);
	CHECK(!b.r.expects_continue);
	CHECK(!c.r.expects_continue);
}

/* E14: a body is a body, whatever the method. */
TEST(a_body_on_a_method_without_one_keeps_its_framing)
{
	struct canon c CANON_AUTO = canon("GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n");

	CHECK_STR(buf_cstr(&c.out), "GET / HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\n\r\n");
}
