#include "wire/http1_trailer.h"

#include "base/tap.h"

/* E9 */
TEST(trailers_with_framing_routing_or_credential_names_are_not_allowed)
{
	static const char *const no[] = {
		"Content-Length", "transfer_encoding", "Host", "Connection", "TE", "Trailer", "Upgrade", "Authorization",
		"proxy-authorization", "Cookie", "Set-Cookie", "set-cookie2", "WWW-Authenticate", "X-Api-Key", "PRIVATE_TOKEN",
		"X-Amz-Security-Token", "Expect", "If-Match", "Range", "Cache-Control", "Location", "Content-Type",
		"Content-Encoding", "X-Forwarded-For", "X-HTTP-Method-Override", "Alt-Svc", "Date", "Vary", "", "a b", ":path",
		"Authentication-Info", "Proxy-Status", "If-None-Match", "Max-Forwards", "Pragma", "Prefer", "Accept", "Accept-Ranges", "Origin",
		"Referer", "Sec-Fetch-Site", "Access-Control-Allow-Origin", "Age", "Allow", "Clear-Site-Data", "Expires", "Refresh", "Retry-After",
		"Warning", "Link", "Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options", "X-Accel-Redirect", "X-Sendfile",
		"Last-Modified", "status", "method", "path", "scheme", "authority", "hostname",
	};
	static const char *const yes[] = { "grpc-status", "grpc-message", "Grpc-Status-Details-Bin", "Server-Timing", "ETag",
					   "X-Checksum", "x-custom_bin", "Digest" };

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (!CHECK(!http1_trailer_allowed(bytes_str(no[i]))))
			printf("# %s\n", no[i]);
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!CHECK(http1_trailer_allowed(bytes_str(yes[i]))))
			printf("# %s\n", yes[i]);
}

TEST(fields_that_were_put_are_read_again)
{
	struct buf lines BUF_AUTO;
	struct http1_field f;
	struct bytes s;

	buf_init(&lines, 1000);
	CHECK(http1_trailer_put(&lines, bytes_str("grpc-status"), bytes_str("0")));
	CHECK(!http1_trailer_put(&lines, bytes_str("Set-Cookie"), bytes_str("a=b")));
	CHECK(!http1_trailer_put(&lines, bytes_str("x"), bytes_str("a\r\nHost: b")));
	CHECK(!http1_trailer_put(&lines, bytes_str("x"), bytes_str(" a")));
	CHECK(!http1_trailer_put(&lines, bytes_str("x"), bytes_str("a\t")));
	CHECK(!http1_trailer_put(&lines, bytes_str("x"), bytes_str("\xc3\xa9")));
	CHECK(http1_trailer_put(&lines, bytes_str("Grpc-Message"), bytes_str("")));
	CHECK(http1_trailer_put(&lines, bytes_str("x"), bytes_str("a b\tc ~")));
	CHECK_STR(buf_cstr(&lines), "grpc-status: 0\r\nGrpc-Message: \r\nx: a b\tc ~\r\n");
	s = buf_view(&lines);
	CHECK(http1_trailer_next(&s, &f));
	CHECK(bytes_is(f.name, "grpc-status") && bytes_is(f.value, "0"));
	CHECK(http1_trailer_next(&s, &f));
	CHECK(bytes_is(f.name, "Grpc-Message") && bytes_is(f.value, ""));
	CHECK(http1_trailer_next(&s, &f));
	CHECK(bytes_is(f.name, "x") && bytes_is(f.value, "a b\tc ~"));
	CHECK(!http1_trailer_next(&s, &f));
	CHECK_INT(s.len, 0);
}

TEST(a_full_buffer_is_left_as_it_was)
{
	struct buf lines BUF_AUTO;

	buf_init(&lines, 7);
	CHECK(!http1_trailer_put(&lines, bytes_str("ab"), bytes_str("cd")));
	CHECK(!lines.failed);
	CHECK_INT(lines.len, 0);
	CHECK(http1_trailer_put(&lines, bytes_str("ab"), bytes_str("c")));
}

TEST(what_is_no_canonical_text_gives_no_field)
{
	static const char *const bad[] = { "", "a", "a:b\r\n", "a: b", "a: b\n", "a: b\r", "a : b\r\n", ": b\r\n", "a:  b\r\n", "a: b \r\n", "a\r\n: b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes s = bytes_str(bad[i]);
		struct http1_field f;

		if (!CHECK(!http1_trailer_next(&s, &f)) || !CHECK_INT(s.len, strlen(bad[i])))
			printf("# vector %zu\n", i);
	}
}
