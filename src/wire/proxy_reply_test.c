#include "wire/proxy_reply.h"

#include <stdlib.h>

#include "base/tap.h"

static size_t len;
static unsigned status;

static enum proxy_reply_answer parse(const char *text)
{
	return proxy_reply_parse(bytes_str(text), &len, &status);
}

TEST(a_head_ends_at_its_empty_line_and_leaves_the_rest)
{
	CHECK_INT(parse("HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0-x\r\n"), PROXY_REPLY_DONE);
	CHECK_INT(len, 39);
	CHECK_INT(status, 200);
	CHECK_INT(parse("HTTP/1.0 407\r\nProxy-Authenticate: Basic realm=\"x\"\r\nX:\r\n\r\n"), PROXY_REPLY_DONE);
	CHECK_INT(status, 407);
}

TEST(every_beginning_of_a_head_asks_for_more)
{
	static const char whole[] = "HTTP/1.1 200 OK\r\nVia: 1.1 p\r\n\r\n";

	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		CHECK_INT(proxy_reply_parse(bytes_of(whole, n), &len, &status), PROXY_REPLY_MORE);
	CHECK_INT(parse(whole), PROXY_REPLY_DONE);
	CHECK_INT(len, sizeof(whole) - 1);
}

TEST(what_is_no_strict_head_is_refused)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\n\n",		     "\r\n",
		"HTTP/2 200\r\n\r\n",		     "HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",	     "HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",	     "HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 +20 OK\r\n\r\n",	     "SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",    "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\001\r\n\r\n", "HTTP/1.1 200 a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\n\r\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(parse(bad[i]) == PROXY_REPLY_BAD))
			printf("# at %zu\n", i);
}

TEST(a_head_without_end_is_refused_at_the_cap)
{
	char *big = malloc(PROXY_REPLY_MAX + 1);

	CHECK(big != NULL);
	memset(big, 'a', PROXY_REPLY_MAX + 1);
	CHECK_INT(proxy_reply_parse(bytes_of(big, PROXY_REPLY_MAX - 1), &len, &status), PROXY_REPLY_MORE);
	CHECK_INT(proxy_reply_parse(bytes_of(big, PROXY_REPLY_MAX), &len, &status), PROXY_REPLY_BAD);
	CHECK_INT(proxy_reply_parse(bytes_of(big, PROXY_REPLY_MAX + 1), &len, &status), PROXY_REPLY_BAD);
	free(big);
}

TEST(a_proxy_is_host_and_port)
{
	struct bytes host;
	uint16_t port;

	CHECK(proxy_address_parse(bytes_str("proxy.corp.example:3128"), &host, &port));
	CHECK(bytes_is(host, "proxy.corp.example"));
	CHECK_INT(port, 3128);
	CHECK(proxy_address_parse(bytes_str("[2001:db8::1]:80"), &host, &port));
	CHECK(bytes_is(host, "2001:db8::1"));
	CHECK(!proxy_address_parse(bytes_str("proxy"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str("proxy:"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str(":3128"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str("proxy:0"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str("proxy:65536"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str("2001:db8::1:80"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str("[proxy]:80"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str("[2001:db8::1:80"), &host, &port));
	CHECK(!proxy_address_parse(bytes_str(""), &host, &port));
}
