#include "wire/http1_request.h"

#include "wire/http1_authority.h"
#include "wire/http1_fields.h"
#include "wire/http1_form.h"
#include "wire/http1_target.h"

enum { HTTPS_PORT = 443 };

/* Host must be there once and equal the place, whatever the target's form; an absolute-form target must say the same again
 * (stricter than RFC 9112, 3.2.2, which lets the target win). */

static enum http1_fault at_place(struct bytes text, const struct http1_place *place)
{
	struct http1_authority a;
	enum http1_fault f = http1_authority_parse(text, &a);

	if (f != HTTP1_FAULT_NONE)
		return f;
	if (a.port == 0)
		a.port = place->default_port;
	return a.port == place->port && bytes_eq(name_bytes(&a.name), place->name) ? HTTP1_FAULT_NONE :
										      HTTP1_FAULT_NOT_FLOW;
}

static bool has_prefix(struct bytes s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && bytes_ieq(bytes_of(s.p, n), bytes_str(prefix));
}

/* "scheme://", whatever the scheme: the length of the scheme, or 0. */
static size_t scheme_len(struct bytes target)
{
	size_t colon = bytes_find(target, ':');

	if (colon == 0 || target.len - colon < 3 || target.p[colon + 1] != '/' || target.p[colon + 2] != '/')
		return 0;
	return http1_is_token(bytes_of(target.p, colon)) ? colon : 0;
}

/* Reduces an absolute-form target to path and query. */
static enum http1_fault absolute(struct bytes *target, const struct http1_place *place)
{
	struct bytes rest = bytes_skip(*target, scheme_len(*target) + 3);
	size_t end = 0;
	struct bytes authority;

	while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	authority = bytes_of(rest.p, end);
	if (bytes_find(authority, '@') < authority.len)
		return HTTP1_FAULT_USERINFO;
	if (!has_prefix(*target, place->default_port == HTTPS_PORT ? "https://" : "http://"))
		return HTTP1_FAULT_NOT_FLOW;
	*target = bytes_skip(rest, end);
	return at_place(authority, place);
}

/* "http://name?query" has the path "/". */
static enum http1_fault put_rooted(struct bytes query, const struct http1_place *place, struct buf *out, struct http1_target *t)
{
	uint8_t rooted[HTTP1_LINE_MAX + 1] = "/";

	if (query.len > HTTP1_LINE_MAX)
		return HTTP1_FAULT_TARGET_TOO_LONG;
	if (query.len)
		memcpy(rooted + 1, query.p, query.len);
	return http1_target_canon(bytes_of(rooted, query.len + 1), place->encoded_slash, out, t);
}

static enum http1_fault put_target(const struct http1_head *h, const struct http1_place *place, struct buf *out,
				   struct http1_request *r)
{
	struct bytes target = h->target;
	bool has_scheme = scheme_len(target) > 0;
	struct http1_form form;
	struct http1_target t;
	enum http1_fault f = HTTP1_FAULT_NONE;

	if (has_scheme)
		f = absolute(&target, place);
	if (f == HTTP1_FAULT_NONE && has_scheme && (target.len == 0 || target.p[0] == '?'))
		f = put_rooted(target, place, out, &t);
	else if (f == HTTP1_FAULT_NONE)
		f = http1_target_canon(target, place->encoded_slash, out, &t);
	if (f != HTTP1_FAULT_NONE)
		return f;
	http1_form_init(&form, HTTP1_FORM_URLENCODED);
	if (t.has_query)
		(void)http1_form_feed(&form, bytes_of(out->p + out->len - t.query_len, t.query_len));
	r->override = http1_form_end(&form);
	return HTTP1_FAULT_NONE;
}

static void note_stripped(struct buf *stripped, struct bytes name)
{
	if (name.len + 2 > stripped->max - stripped->len)
		return;
	if (stripped->len)
		(void)buf_str(stripped, ", ");
	for (size_t i = 0; i < name.len; i++)
		(void)buf_byte(stripped, (uint8_t)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i]));
}

static enum http1_fate fate_of(const struct http1_place *place, struct bytes name)
{
	if (place->websocket && bytes_ieq(name, bytes_str("upgrade")))
		return HTTP1_REMAKE;
	if (place->websocket && http1_name_matches(name, "sec-websocket-extensions"))
		return HTTP1_STRIP;
	return http1_request_field(name);
}

static enum http1_fault put_field(const struct http1_head *h, const struct http1_place *place, const struct http1_field *f, struct buf *out,
				  struct buf *stripped, struct http1_request *r)
{
	enum http1_fate fate = fate_of(place, f->name);

	if (fate == HTTP1_FORWARD && http1_nominated(h, f->name))
		fate = HTTP1_STRIP;
	switch (fate) {
	case HTTP1_FORWARD:
		(void)buf_bytes(out, f->name);
		(void)buf_str(out, ": ");
		(void)buf_bytes(out, f->value);
		(void)buf_str(out, "\r\n");
		break;
	case HTTP1_REMAKE:
		break;
	case HTTP1_STRIP:
		note_stripped(stripped, f->name);
		break;
	case HTTP1_OVERRIDE:
		r->override = true;
		note_stripped(stripped, f->name);
		break;
	case HTTP1_CONFUSING:
		return HTTP1_FAULT_HEADER;
	}
	return HTTP1_FAULT_NONE;
}

static enum http1_fault expectation(const struct http1_head *h, struct http1_request *r)
{
	struct bytes value;
	size_t n = http1_find(h, "expect", &value);

	if (n > 1 || (n && !bytes_ieq(value, bytes_str("100-continue"))))
		return HTTP1_FAULT_EXPECT;
	r->expects_continue = n && h->minor == 1 &&
			      (r->length.framing == HTTP1_CHUNKED || r->length.len > 0);
	return HTTP1_FAULT_NONE;
}

/* Hosts differ in which one of several counts, and in whether another spelling of the name is one. */
static bool one_type(const struct http1_head *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_fields; i++)
		if (http1_name_matches(h->fields[i].name, "content-type") &&
		    (++n > 1 || !bytes_ieq(h->fields[i].name, bytes_str("content-type"))))
			return false;
	return true;
}

static enum http1_fault facts(const struct http1_head *h, const struct http1_place *place, struct http1_request *r)
{
	enum http1_fault f;
	struct bytes host;

	if (http1_find(h, "host", &host) != 1)
		return HTTP1_FAULT_HOST;
	f = at_place(host, place);
	if (f == HTTP1_FAULT_NONE)
		f = one_type(h) ? http1_nominations(h) : HTTP1_FAULT_HEADER;
	if (f != HTTP1_FAULT_NONE || !http1_request_length(h, &r->length, &f))
		return f;
	r->keep = h->minor == 1 && !http1_connection_has(h, "close");
	(void)http1_find(h, "upgrade", &r->upgrade);
	return expectation(h, r);
}

static enum http1_fault put_head(const struct http1_head *h, const struct http1_place *place, struct buf *out,
				 struct buf *stripped, struct http1_request *r)
{
	enum http1_fault f;

	(void)buf_bytes(out, h->method);
	(void)buf_byte(out, ' ');
	f = put_target(h, place, out, r);
	if (f != HTTP1_FAULT_NONE)
		return f;
	(void)buf_str(out, " HTTP/1.1\r\nHost: ");
	(void)buf_bytes(out, place->name);
	if (place->port != place->default_port)
		(void)buf_fmt(out, ":%u", (unsigned)place->port);
	(void)buf_str(out, "\r\n");
	for (size_t i = 0; i < h->n_fields && f == HTTP1_FAULT_NONE; i++)
		f = put_field(h, place, &h->fields[i], out, stripped, r);
	if (r->length.framing == HTTP1_LENGTH)
		(void)buf_fmt(out, "Content-Length: %llu\r\n", (unsigned long long)r->length.len);
	else if (r->length.framing == HTTP1_CHUNKED)
		(void)buf_str(out, "Transfer-Encoding: chunked\r\n");
	if (place->websocket)
		(void)buf_str(out, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
	(void)buf_str(out, "\r\n");
	return f == HTTP1_FAULT_NONE && out->failed ? HTTP1_FAULT_TOO_LARGE : f;
}

enum http1_fault http1_request_canon(const struct http1_head *h, const struct http1_place *place, struct buf *out,
				     struct buf *stripped, struct http1_request *ret)
{
	struct http1_request r = { 0 };
	size_t start = out->len;
	enum http1_fault f = facts(h, place, &r);

	if (f == HTTP1_FAULT_NONE)
		f = put_head(h, place, out, stripped, &r);
	if (f != HTTP1_FAULT_NONE)
		out->len = start;
	else
		*ret = r;
	return f;
}

enum http1_fault http1_request_destination(const struct http1_head *h, const struct http1_place *place, struct buf *out)
{
	struct bytes value = bytes_of(NULL, 0);
	struct http1_target t;
	enum http1_fault f = HTTP1_FAULT_NONE;
	size_t n = http1_find(h, "destination", &value);

	if (n > 1)
		return HTTP1_FAULT_HEADER;
	if (n == 0)
		return HTTP1_FAULT_NONE;
	if (scheme_len(value) > 0)
		f = absolute(&value, place);
	return f == HTTP1_FAULT_NONE ? http1_target_canon(value, place->encoded_slash, out, &t) : f;
}
