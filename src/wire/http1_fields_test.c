#include "wire/http1_fields.h"

#include "base/tap.h"

TEST(fields_have_their_fate_whatever_their_case)
{
	static const struct {
		const char *name;
		enum http1_fate request;
		enum http1_fate response;
	} vectors[] = {
		{ "Accept", HTTP1_FORWARD, HTTP1_FORWARD },
		{ "HOST", HTTP1_REMAKE, HTTP1_FORWARD },
		{ "content-Length", HTTP1_REMAKE, HTTP1_REMAKE },
		{ "Content_Length", HTTP1_CONFUSING, HTTP1_CONFUSING },
		{ "Transfer-Encoding", HTTP1_REMAKE, HTTP1_REMAKE },
		{ "Upgrade", HTTP1_STRIP, HTTP1_STRIP },
		{ "Alt-Svc", HTTP1_FORWARD, HTTP1_STRIP },
		{ "X-Forwarded-Anything", HTTP1_STRIP, HTTP1_FORWARD },
		{ "X_Forwarded_For", HTTP1_STRIP, HTTP1_FORWARD },
		{ "X-Forwardedfor", HTTP1_FORWARD, HTTP1_FORWARD },
		{ "X-Forwarded", HTTP1_STRIP, HTTP1_FORWARD },
		{ "X-HTTP_Method-Override", HTTP1_OVERRIDE, HTTP1_FORWARD },
		{ "X.HTTP.Method~Override", HTTP1_OVERRIDE, HTTP1_FORWARD },
		{ "X!Forwarded.For", HTTP1_STRIP, HTTP1_FORWARD },
		{ "Transfer.Encoding", HTTP1_CONFUSING, HTTP1_CONFUSING },
		{ "Host!", HTTP1_FORWARD, HTTP1_FORWARD },
		{ "Proxy", HTTP1_STRIP, HTTP1_FORWARD },
		{ "", HTTP1_FORWARD, HTTP1_FORWARD },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		CHECK_INT(http1_request_field(bytes_str(vectors[i].name)), vectors[i].request);
		CHECK_INT(http1_response_field(bytes_str(vectors[i].name)), vectors[i].response);
	}
}

TEST(what_is_between_two_hops_or_of_another_proxy_is_not_forwarded)
{
	static const char *const requests[] = {
		"Proxy-Authenticate", "X-Forwarded", "X-Envoy-Original-Path", "X-Client-IP", "X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-IP",
		"X-Remote-Addr", "Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6", "Fastly-Client-IP", "X-HTTP-DestinationURL", "Saw-Stripped",
	};
	static const char *const answers[] = { "TE", "Trailer", "Proxy-Authenticate", "Proxy-Authentication-Info", "Alternate-Protocol" };
	static const char *const remade[] = { "Connection", "Keep-Alive", "Proxy-Connection" };

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (!CHECK_INT(http1_request_field(bytes_str(requests[i])), HTTP1_STRIP))
			printf("# %s\n", requests[i]);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (!CHECK_INT(http1_response_field(bytes_str(answers[i])), HTTP1_STRIP))
			printf("# %s\n", answers[i]);
	for (size_t i = 0; i < sizeof(remade) / sizeof(remade[0]); i++)
		if (!CHECK_INT(http1_response_field(bytes_str(remade[i])), HTTP1_REMAKE))
			printf("# %s\n", remade[i]);
	CHECK_INT(http1_request_field(bytes_str("X-Method")), HTTP1_OVERRIDE);
}

static struct http1_head with_connection(const char *value)
{
	return (struct http1_head){ .n_fields = 1, .fields = { { bytes_str("Connection"), bytes_str(value) } } };
}

TEST(connection_names_what_is_hop_by_hop_but_not_what_others_rely_on)
{
	const struct http1_head plain = with_connection("close, X-Hop");
	const struct http1_head evil = with_connection("x, Authorization");
	const struct http1_head key = with_connection("X-Amz-Security-Token");
	const struct http1_head odd = with_connection("a b");
	static const char *const relied_on[] = { "content-type", "content-encoding", "expect",	      "x-api-key",
						 "api-key",	 "x-auth-token",     "private-token", "x-goog-api-key" };

	CHECK_INT(http1_nominations(&plain), HTTP1_FAULT_NONE);
	CHECK(http1_nominated(&plain, bytes_str("x-hop")) && !http1_nominated(&plain, bytes_str("hop")));
	CHECK(http1_connection_has(&plain, "Close"));
	CHECK_INT(http1_nominations(&evil), HTTP1_FAULT_NOMINATED);
	CHECK_INT(http1_nominations(&key), HTTP1_FAULT_NOMINATED);
	CHECK_INT(http1_nominations(&odd), HTTP1_FAULT_HEADER);
	for (size_t i = 0; i < sizeof(relied_on) / sizeof(relied_on[0]); i++) {
		const struct http1_head h = with_connection(relied_on[i]);

		if (!CHECK_INT(http1_nominations(&h), HTTP1_FAULT_NOMINATED))
			printf("# %s\n", relied_on[i]);
	}
}
