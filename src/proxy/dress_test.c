#include "proxy/dress.h"

#include "base/tap.h"
#include "wire/http1.h"

#define HEAD(target, fields) "GET " target " HTTP/1.1\r\nHost: a.example\r\n" fields "\r\n"

static const char *dressed_with(const struct policy_credential *c, const char *secret, const char *canon)
{
	static struct buf out;
	struct buf stripped BUF_AUTO = { 0 };
	const struct dress d = { .default_port = 443, .credential = c, .secret = bytes_str(secret) };

	buf_deinit(&out);
	buf_init(&out, DRESS_MAX);
	buf_init(&stripped, 512);
	CHECK(dress(&d, bytes_str(canon), &out, &stripped));
	return buf_cstr(&out);
}

static const char *dressed(const struct policy_credential *c, const char *canon)
{
	return dressed_with(c, "s3c", canon);
}

TEST(no_field_that_a_host_may_take_for_the_credential_stays_beside_it)
{
	const struct policy_credential c = { .inject = POLICY_INJECT_HEADER, .header = bytes_str("X-Team.Id") };

	CHECK_STR(dressed(&c, HEAD("/a", "X-Team.Id: mine\r\nx_team_id: mine\r\nX.TEAM-ID: mine\r\nX!Team~Id: mine\r\nX-TeamId: other\r\nX-Team-Ids: other\r\n")),
		  HEAD("/a", "X-TeamId: other\r\nX-Team-Ids: other\r\nX-Team.Id: s3c\r\n"));
}

TEST(a_request_that_the_credential_carries_over_the_limits_of_a_head_is_none)
{
	const struct policy_credential c = { .inject = POLICY_INJECT_HEADER, .header = bytes_str("X-Key") };
	const struct dress d = { .default_port = 443, .credential = &c, .secret = bytes_str("s3c") };

	for (int n = HTTP1_FIELDS_MAX - 3; n < HTTP1_FIELDS_MAX; n++) {
		struct buf canon BUF_AUTO = { .max = DRESS_MAX };
		struct buf out BUF_AUTO = { .max = DRESS_MAX };
		struct buf stripped BUF_AUTO = { .max = 512 };

		(void)buf_str(&canon, "GET /a HTTP/1.1\r\nHost: a.example\r\n");
		for (int i = 0; i < n; i++)
			(void)buf_str(&canon, "X: y\r\n");
		(void)buf_str(&canon, "\r\n");
		CHECK_INT(dress(&d, buf_view(&canon), &out, &stripped), n + 2 <= HTTP1_FIELDS_MAX);
	}
}

TEST(a_credential_goes_as_its_form_says)
{
	const struct policy_credential basic = { .inject = POLICY_INJECT_BASIC, .header = bytes_str("Authorization"), .user = bytes_str("git") };
	const struct policy_credential framed = { .inject = POLICY_INJECT_HEADER, .header = bytes_str("X-Key"), .prefix = bytes_str("<"), .suffix = bytes_str(">") };

	CHECK_STR(dressed(&basic, HEAD("/a", "Authorization: Basic bWluZTptaW5l\r\n")), HEAD("/a", "Authorization: Basic Z2l0OnMzYw==\r\n"));
	CHECK_STR(dressed(&framed, HEAD("/a", "")), HEAD("/a", "X-Key: <s3c>\r\n"));
}

TEST(a_line_or_fields_that_the_credential_makes_too_long_are_none)
{
	const struct policy_credential header = { .inject = POLICY_INJECT_HEADER, .header = bytes_str("k") };
	const struct policy_credential query = { .inject = POLICY_INJECT_QUERY, .header = bytes_str("k") };
	const size_t line = HTTP1_LINE_MAX - strlen("GET /?k=s3c HTTP/1.1");
	const size_t fields = HTTP1_FIELDS_LEN_MAX - strlen("Host: a.example\r\nX: \r\nk: s3c\r\n\r\n");

	for (size_t more = 0; more < 2; more++)
		for (int in_query = 0; in_query < 2; in_query++) {
			const struct dress d = { .default_port = 443, .credential = in_query ? &query : &header, .secret = bytes_str("s3c") };
			struct buf canon BUF_AUTO = { .max = DRESS_MAX };
			struct buf out BUF_AUTO = { .max = DRESS_MAX };
			struct buf stripped BUF_AUTO = { .max = 512 };

			(void)buf_str(&canon, "GET /");
			for (size_t i = 0; in_query && i < line + more; i++)
				(void)buf_byte(&canon, 'a');
			(void)buf_str(&canon, " HTTP/1.1\r\nHost: a.example\r\nX: ");
			for (size_t i = 0; !in_query && i < fields + more; i++)
				(void)buf_byte(&canon, 'a');
			(void)buf_str(&canon, "\r\n\r\n");
			CHECK_INT(dress(&d, buf_view(&canon), &out, &stripped), !more);
		}
}

TEST(a_secret_in_a_query_is_one_value_whatever_it_is_made_of)
{
	static const char stays[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	const struct policy_credential c = { .inject = POLICY_INJECT_QUERY, .header = bytes_str("k") };
	char secret[256] = "", want[1024] = "GET /a?k=";

	for (unsigned i = 1; i < 256; i++) {
		secret[i - 1] = (char)i;
		if (strchr(stays, (int)i))
			(void)snprintf(want + strlen(want), sizeof(want) - strlen(want), "%c", (char)i);
		else
			(void)snprintf(want + strlen(want), sizeof(want) - strlen(want), "%%%02X", i);
	}
	(void)snprintf(want + strlen(want), sizeof(want) - strlen(want), " HTTP/1.1\r\nHost: a.example\r\n\r\n");
	CHECK_STR(dressed_with(&c, secret, HEAD("/a", "")), want);
}

TEST(a_subprotocol_that_brings_a_credential_goes_with_its_field)
{
	const struct policy_credential key = { .inject = POLICY_INJECT_HEADER, .header = bytes_str("X-Key") };
	const struct dress d = { .default_port = 443, .bare = true };
	static const char *const lists[] = { "realtime, openai-insecure-api-key.sk-mine", "v4.channel.k8s.io,base64url.bearer.authorization.k8s.io.bWluZQ",
					     "graphql-ws, Bearer, mine", "access_token.mine" };

	for (size_t i = 0; i <= sizeof(lists) / sizeof(lists[0]); i++) {
		bool plain = i == sizeof(lists) / sizeof(lists[0]);
		struct buf out BUF_AUTO = { .max = DRESS_MAX };
		struct buf stripped BUF_AUTO = { .max = 512 };
		char canon[256];

		(void)snprintf(canon, sizeof(canon), HEAD("/a", "%s: %s\r\n"), i & 1 ? "Sec_WebSocket-Protocol" : "Sec-WebSocket-Protocol",
			       plain ? "v4.channel.k8s.io, realtime, graphql-transport-ws" : lists[i]);
		CHECK(dress(&d, bytes_str(canon), &out, &stripped));
		CHECK_STR(buf_cstr(&out), plain ? canon : HEAD("/a", ""));
	}
	CHECK_STR(dressed(&key, HEAD("/a", "Sec-WebSocket-Protocol: access_token.mine\r\n")), HEAD("/a", "X-Key: s3c\r\n"));
}

TEST(an_answer_that_is_read_is_asked_for_whole_and_plain)
{
	struct buf out BUF_AUTO = { 0 };
	struct buf stripped BUF_AUTO = { 0 };
	const struct dress d = { .default_port = 443, .uncoded = true };

	buf_init(&out, DRESS_MAX);
	buf_init(&stripped, 512);
	CHECK(dress(&d, bytes_str(HEAD("/a", "Range: bytes=0-1\r\nRequest-Range: bytes=0-1\r\nrequest_range: x\r\nX-MS-Range: bytes=0-1\r\nIf-Range: \"e\"\r\n"
					     "A-IM: gzip\r\nAccept-Charset: utf-16\r\nAccept-Encoding: br\r\nAccept: a/b\r\nX-Range: mine\r\n")),
		    &out, &stripped));
	CHECK_STR(buf_cstr(&out), HEAD("/a", "Accept: a/b\r\nX-Range: mine\r\nAccept-Encoding: identity\r\n"));
	CHECK_STR(buf_cstr(&stripped), "range, request-range, request_range, x-ms-range, if-range, a-im, accept-charset, accept-encoding");
}

TEST(no_parameter_that_a_host_may_take_for_the_credential_stays_beside_it)
{
	const struct policy_credential c = { .inject = POLICY_INJECT_QUERY, .header = bytes_str("my_k!") };
	static const struct {
		const char *query;
		const char *want;
	} vectors[] = {
		{ "", "?my_k%21=s3c" },
		{ "?", "?my_k%21=s3c" },
		{ "?a=1&b;c=2", "?a=1&b;c=2&my_k%21=s3c" },
		{ "?my_k!=x", "?my_k%21=s3c" },
		{ "?MY_K!=x&a&my_k!", "?a&my_k%21=s3c" },
		{ "?a=1;my_k!=x;b=2", "?a=1;b=2&my_k%21=s3c" },
		{ "?a=1&my_k!=x;b=2", "?a=1&b=2&my_k%21=s3c" },
		{ "?my_k%21=x&my.k!=x&my+k!=x&my%20k%21=x&+%20my_k!=x", "?my_k%21=s3c" },
		{ "?my_k![]=x&my_k!%5B0%5D=x&my_k!%00z=x&my_k!z=1&my_k=1", "?my_k!z=1&my_k=1&my_k%21=s3c" },
		{ "?a;", "?a&my_k%21=s3c" },
		{ "?nx_k!=1&my_q!=2&my_k=3", "?nx_k!=1&my_q!=2&my_k=3&my_k%21=s3c" },
		{ "?my_k!]=x&[my_k!]=x&[my_k!=x&]my_k!=x&%5Bmy_k!%5D=x&my_k!%5D=x&%5b%5d[my_k!]]=x", "?my_k%21=s3c" },
		{ "?my[k!=x&my%5Bk!=x&my[k!%00]=x", "?my_k%21=s3c" },
		{ "?my[k!]=x&[my]_k!=x&ids[]=1&page[size]=2", "?my[k!]=x&[my]_k!=x&ids[]=1&page[size]=2&my_k%21=s3c" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char canon[256], want[256];

		(void)snprintf(canon, sizeof(canon), HEAD("/a%s", ""), vectors[i].query);
		(void)snprintf(want, sizeof(want), HEAD("/a%s", ""), vectors[i].want);
		CHECK_STR(dressed(&c, canon), want);
	}
}
