#include "wire/http1_trailer.h"

#include "wire/credential_fields.h"
#include "wire/http1_fields.h"

/* Patterns of http1_name_matches(). Framing and routing are known to http1_fields.c, credentials to credential_fields.c. */
static const char *const forbidden[] = {
	/* what sets or asks for credentials */
	"authentication-info", "www-authenticate", "proxy-*", "set-cookie*",
	/* request modifiers */
	"cache-control", "expect", "if-*", "max-forwards", "pragma", "prefer", "range", "accept", "accept-*", "origin", "referer",
	"sec-*", "access-control-*",
	/* control of the answer */
	"age", "allow", "clear-site-data", "date", "expires", "location", "refresh", "retry-after", "vary", "warning", "link",
	"content-*", "strict-transport-security", "x-frame-options", "x-content-type-options", "x-accel-*", "x-sendfile",
	"last-modified",
	/* pseudo fields and names of h2 that came here as text */
	"status", "method", "path", "scheme", "authority", "host*",
};

bool http1_trailer_allowed(struct bytes name)
{
	if (!http1_is_token(name) || credential_field(name) || http1_request_field(name) != HTTP1_FORWARD || http1_response_field(name) != HTTP1_FORWARD)
		return false;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (http1_name_matches(name, forbidden[i]))
			return false;
	return true;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool value_ok(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if ((v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] >= 0x7f)
			return false;
	return v.len == 0 || (!is_blank(v.p[0]) && !is_blank(v.p[v.len - 1]));
}

bool http1_trailer_put(struct buf *lines, struct bytes name, struct bytes value)
{
	if (!http1_trailer_allowed(name) || !value_ok(value) || lines->failed || lines->max - lines->len < name.len ||
	    lines->max - lines->len - name.len < value.len || lines->max - lines->len - name.len - value.len < 4)
		return false;
	(void)buf_bytes(lines, name);
	(void)buf_str(lines, ": ");
	(void)buf_bytes(lines, value);
	return buf_str(lines, "\r\n");
}

bool http1_trailer_next(struct bytes *lines, struct http1_field *ret)
{
	size_t end = bytes_find(*lines, '\r');
	size_t colon = bytes_find(*lines, ':');
	struct bytes value;

	if (lines->len - end < 2 || lines->p[end + 1] != '\n' || colon + 2 > end || lines->p[colon + 1] != ' ')
		return false;
	value = bytes_of(lines->p + colon + 2, end - colon - 2);
	if (!http1_is_token(bytes_of(lines->p, colon)) || !value_ok(value))
		return false;
	ret->name = bytes_of(lines->p, colon);
	ret->value = value;
	*lines = bytes_skip(*lines, end + 2);
	return true;
}
