#include "wire/http1_fields.h"

struct entry {
	const char *name; /* lower case, a letter first; a trailing '*' matches any rest */
	enum http1_fate fate;
};

static const struct entry request_fields[] = {
	{ "host", HTTP1_REMAKE },
	{ "content-length", HTTP1_REMAKE },
	{ "transfer-encoding", HTTP1_REMAKE },
	{ "connection", HTTP1_REMAKE },
	{ "keep-alive", HTTP1_REMAKE },
	{ "proxy-connection", HTTP1_REMAKE },
	{ "expect", HTTP1_REMAKE },
	{ "te", HTTP1_STRIP },
	{ "trailer", HTTP1_STRIP },
	{ "upgrade", HTTP1_STRIP },
	{ "http2-settings", HTTP1_STRIP },
	{ "proxy-authorization", HTTP1_STRIP },
	{ "proxy-authenticate", HTTP1_STRIP },
	{ "proxy", HTTP1_STRIP }, /* becomes HTTP_PROXY in a CGI's environment */
	{ "forwarded", HTTP1_STRIP },
	{ "via", HTTP1_STRIP },
	{ "x-forwarded", HTTP1_STRIP },
	{ "x-forwarded-*", HTTP1_STRIP },
	{ "x-envoy-*", HTTP1_STRIP },
	{ "x-real-ip", HTTP1_STRIP },
	{ "x-client-ip", HTTP1_STRIP },
	{ "x-cluster-client-ip", HTTP1_STRIP },
	{ "x-originating-ip", HTTP1_STRIP },
	{ "x-remote-ip", HTTP1_STRIP },
	{ "x-remote-addr", HTTP1_STRIP },
	{ "client-ip", HTTP1_STRIP },
	{ "true-client-ip", HTTP1_STRIP },
	{ "cf-connecting-ip*", HTTP1_STRIP },
	{ "fastly-client-ip", HTTP1_STRIP },
	{ "x-host", HTTP1_STRIP },
	{ "x-original-*", HTTP1_STRIP },
	{ "x-rewrite-url", HTTP1_STRIP },
	{ "x-http-destinationurl", HTTP1_STRIP },
	{ "x-http-method-override", HTTP1_OVERRIDE },
	{ "x-http-method", HTTP1_OVERRIDE },
	{ "x-method-override", HTTP1_OVERRIDE },
	{ "x-method", HTTP1_OVERRIDE },
	{ "x-tunneled-method", HTTP1_OVERRIDE }, /* Catalyst, as a parameter */
	{ "saw-*", HTTP1_STRIP }, /* ours: between inlet and outlet */
};

static const struct entry response_fields[] = {
	{ "content-length", HTTP1_REMAKE },
	{ "transfer-encoding", HTTP1_REMAKE },
	{ "connection", HTTP1_REMAKE },
	{ "keep-alive", HTTP1_REMAKE },
	{ "proxy-connection", HTTP1_REMAKE },
	{ "te", HTTP1_STRIP },
	{ "trailer", HTTP1_STRIP },
	{ "upgrade", HTTP1_STRIP },
	{ "proxy-authenticate", HTTP1_STRIP },
	{ "proxy-authentication-info", HTTP1_STRIP },
	{ "alt-svc", HTTP1_STRIP }, /* steers to another host or protocol */
	{ "alternate-protocol", HTTP1_STRIP },
};

/* What Connection may not name. */
static const char *const protected_fields[] = {
	"host", "content-length", "transfer-encoding", "content-type", "content-encoding", "expect", "authorization",
	"cookie", "x-api-key", "api-key", "x-auth-token", "private-token", "x-amz-*", "x-goog-*",
};

/* CGI-like servers make one variable of names that differ in anything but letters and digits. */
static uint8_t fold(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c | 0x20);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

bool http1_names_alike(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.p[i]) != fold(b.p[i]))
			return false;
	return true;
}

bool http1_name_matches(struct bytes name, const char *pattern)
{
	bool open;
	size_t n;

	if (pattern[0] != '*' && (name.len == 0 || fold(name.p[0]) != (uint8_t)pattern[0])) /* nearly always */
		return false;
	n = strlen(pattern);
	open = pattern[n - 1] == '*';
	n -= open;
	if (name.len < n || (name.len > n && !open))
		return false;
	for (size_t i = 0; i < n; i++)
		if (fold(name.p[i]) != (uint8_t)pattern[i])
			return false;
	return true;
}

bool http1_asks_otherwise(struct bytes name)
{
	/* Request-Range is what Range was called before, which servers still take; Azure has one of its own. gRPC and Connect have codings of single
	 * messages. */
	static const char *const names[] = { "accept-encoding", "range", "request-range", "x-ms-range", "if-range", "a-im", "accept-charset",
					     "grpc-accept-encoding", "connect-accept-encoding" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (http1_name_matches(name, names[i]))
			return true;
	return false;
}

static enum http1_fate fate_in(const struct entry *table, size_t n, struct bytes name)
{
	uint8_t first = name.len ? fold(name.p[0]) : 0;

	for (size_t i = 0; i < n; i++)
		if ((uint8_t)table[i].name[0] == first && http1_name_matches(name, table[i].name))
			return table[i].fate == HTTP1_REMAKE && !bytes_ieq(name, bytes_str(table[i].name)) ? HTTP1_CONFUSING :
													     table[i].fate;
	return HTTP1_FORWARD;
}

enum http1_fate http1_request_field(struct bytes name)
{
	return fate_in(request_fields, sizeof(request_fields) / sizeof(request_fields[0]), name);
}

enum http1_fate http1_response_field(struct bytes name)
{
	return fate_in(response_fields, sizeof(response_fields) / sizeof(response_fields[0]), name);
}

bool http1_nominated(const struct http1_head *h, struct bytes name)
{
	struct http1_list at = { 0 };
	struct bytes member;

	while (http1_list_next(h, "connection", &at, &member))
		if (bytes_ieq(member, name))
			return true;
	return false;
}

bool http1_nominates(const struct http1_head *h)
{
	struct http1_list at = { 0 };
	struct bytes member;

	while (http1_list_next(h, "connection", &at, &member))
		if (!bytes_ieq(member, bytes_str("keep-alive")))
			return true;
	return false;
}

enum http1_fault http1_nominations(const struct http1_head *h)
{
	struct http1_list at = { 0 };
	struct bytes member;

	while (http1_list_next(h, "connection", &at, &member)) {
		if (!http1_is_token(member))
			return HTTP1_FAULT_HEADER;
		for (size_t i = 0; i < sizeof(protected_fields) / sizeof(protected_fields[0]); i++)
			if (http1_name_matches(member, protected_fields[i]))
				return HTTP1_FAULT_NOMINATED;
	}
	return HTTP1_FAULT_NONE;
}

bool http1_connection_has(const struct http1_head *h, const char *option)
{
	return http1_nominated(h, bytes_str(option));
}
