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

	CHECK_INT(http1_nominations(&plain), HTTP1_FAULT_NONE);
	CHECK(http1_nominated(&plain, bytes_str("x-hop")) && !http1_nominated(&plain, bytes_str("hop")));
	CHECK(http1_connection_has(&plain, "Close"));
	CHECK_INT(http1_nominations(&evil), HTTP1_FAULT_NOMINATED);
	CHECK_INT(http1_nominations(&key), HTTP1_FAULT_NOMINATED);
	CHECK_INT(http1_nominations(&odd), HTTP1_FAULT_HEADER);
}
