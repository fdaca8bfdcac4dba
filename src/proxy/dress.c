#include "proxy/dress.h"

#include "base/base64.h"
#include "wire/credential_fields.h"
#include "wire/http1_fields.h"
#include "wire/http1_head.h"
#include "wire/param_name.h"

/* Everything here is written, nothing is edited: a request line, Host, the fields that stay, the credential, an empty line. */

bool dress_carries(const struct policy_credential *c, struct bytes name)
{
	return c->inject != POLICY_INJECT_QUERY && http1_names_alike(name, c->header);
}

static bool taken(const struct dress *d, const struct http1_field *f)
{
	struct bytes name = f->name;

	if (bytes_ieq(name, bytes_str("host")))
		return true;
	if ((d->credential || d->bare) && http1_names_alike(name, bytes_str("sec-websocket-protocol")) && credential_subprotocol(f->value))
		return true;
	if (d->uncoded && http1_asks_otherwise(name))
		return true;
	if ((d->credential || d->bare) && credential_field(name))
		return true;
	return d->credential && dress_carries(d->credential, name);
}

static void note(struct buf *stripped, struct bytes name)
{
	if (stripped->len)
		(void)buf_str(stripped, ", ");
	for (size_t i = 0; i < name.len; i++)
		(void)buf_byte(stripped, name.p[i] >= 'A' && name.p[i] <= 'Z' ? (uint8_t)(name.p[i] | 0x20) : name.p[i]);
}

/* Unreserved bytes of RFC 3986, 2.3 stay; all others are escaped, whatever a query would take. */
static void put_escaped(struct buf *out, struct bytes text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';

		if (plain) {
			(void)buf_byte(out, c);
			continue;
		}
		(void)buf_byte(out, '%');
		(void)buf_byte(out, (uint8_t)hex[c >> 4]);
		(void)buf_byte(out, (uint8_t)hex[c & 15]);
	}
}

/* As PHP does, and in one case. */
static uint8_t fold(uint8_t c)
{
	if (c == '_' || c == '.' || c == ' ')
		return '-';
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static uint8_t hex(uint8_t c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 15;
}

/* The next byte of a canonical query's key, decoded. */
static uint8_t key_byte(struct bytes *key)
{
	bool escaped = key->p[0] == '%' && key->len > 2;
	uint8_t c = key->p[0];

	if (escaped)
		c = (uint8_t)(hex(key->p[1]) << 4 | hex(key->p[2]));
	*key = bytes_skip(*key, escaped ? 3 : 1);
	return c == '+' ? ' ' : c;
}

/* In one reading of brackets or the other (wire/param_name.h). */
static bool reads_as(struct bytes key, struct bytes name, bool unclosed)
{
	size_t n = 0;

	while (key.len) {
		uint8_t c = key_byte(&key);
		enum param_name_byte is;

		if (unclosed && !param_name_unclosed(&c))
			return false;
		is = param_name_byte(n, c);
		if (is == PARAM_NAME_ENDS)
			break;
		if (is == PARAM_NAME_SKIPS)
			continue;
		if (n == name.len || fold(c) != fold(name.p[n]))
			return false;
		n++;
	}
	return n == name.len;
}

/* Some server takes `key` for that name. */
static bool is_key(struct bytes key, struct bytes name)
{
	return reads_as(key, name, false) || reads_as(key, name, true);
}

static size_t pair_len(struct bytes s)
{
	size_t a = bytes_find(s, '&'), b = bytes_find(s, ';');

	return a < b ? a : b;
}

/* The query without parameters that have the credential's name. */
static void put_query(const struct dress *d, struct bytes query, struct buf *out)
{
	uint8_t before = '?'; /* the next that stays */

	while (query.len) {
		struct bytes one = bytes_of(query.p, pair_len(query));
		uint8_t behind = one.len < query.len ? query.p[one.len] : '&';

		query = bytes_skip(query, one.len + (one.len < query.len));
		if (is_key(bytes_of(one.p, bytes_find(one, '=')), d->credential->header))
			continue;
		(void)buf_byte(out, before);
		(void)buf_bytes(out, one);
		before = behind;
	}
	(void)buf_byte(out, before == ';' ? '&' : before);
	put_escaped(out, d->credential->header);
	(void)buf_byte(out, '=');
	put_escaped(out, d->secret);
}

static void put_line(const struct dress *d, const struct http1_head *h, struct buf *out)
{
	size_t path = bytes_find(h->target, '?');

	(void)buf_bytes(out, h->method);
	(void)buf_byte(out, ' ');
	if (d->credential && d->credential->inject == POLICY_INJECT_QUERY) {
		(void)buf_bytes(out, bytes_of(h->target.p, path));
		put_query(d, path < h->target.len ? bytes_skip(h->target, path + 1) : bytes_of(NULL, 0), out);
	} else {
		(void)buf_bytes(out, h->target);
	}
	(void)buf_str(out, " HTTP/1.1\r\n");
}

static bool put_host(const struct dress *d, const struct http1_head *h, struct buf *out)
{
	struct bytes host;

	if (http1_find(h, "host", &host) != 1)
		return false;
	(void)buf_str(out, "Host: ");
	(void)buf_bytes(out, d->upstream.len ? d->upstream : host);
	if (d->upstream.len && d->upstream_port != d->default_port)
		(void)buf_fmt(out, ":%u", d->upstream_port);
	return buf_str(out, "\r\n");
}

static void put_basic(const struct dress *d, struct buf *out)
{
	struct buf pair BUF_AUTO = { 0 };

	buf_init_wiping(&pair, DRESS_MAX);
	(void)buf_bytes(&pair, d->credential->user);
	(void)buf_byte(&pair, ':');
	(void)buf_bytes(&pair, d->secret);
	(void)buf_str(out, "Basic ");
	base64_put(out, buf_view(&pair));
}

static void put_credential(const struct dress *d, struct buf *out)
{
	const struct policy_credential *c = d->credential;

	if (c->inject == POLICY_INJECT_QUERY)
		return;
	(void)buf_bytes(out, c->header);
	(void)buf_str(out, ": ");
	if (c->inject == POLICY_INJECT_BASIC) {
		put_basic(d, out);
	} else {
		(void)buf_bytes(out, c->prefix);
		(void)buf_bytes(out, d->secret);
		(void)buf_bytes(out, c->suffix);
	}
	(void)buf_str(out, "\r\n");
}

bool dress(const struct dress *d, struct bytes canon, struct buf *out, struct buf *stripped)
{
	struct http1_scan scan = { 0 };
	struct http1_head h;
	enum http1_fault fault;
	size_t start = out->len;
	size_t fields_at;
	size_t n = 1; /* of fields: Host */
	size_t len;

	if (http1_request_head(&scan, canon, &h, &len, &fault) != HTTP1_DONE || len != canon.len)
		return false;
	put_line(d, &h, out);
	fields_at = out->len;
	if (!put_host(d, &h, out))
		return false;
	for (size_t i = 0; i < h.n_fields; i++) {
		if (taken(d, &h.fields[i])) {
			if (!bytes_ieq(h.fields[i].name, bytes_str("host")))
				note(stripped, h.fields[i].name);
			continue;
		}
		(void)buf_bytes(out, h.fields[i].name);
		(void)buf_str(out, ": ");
		(void)buf_bytes(out, h.fields[i].value);
		(void)buf_str(out, "\r\n");
		n++;
	}
	n += d->uncoded;
	if (d->uncoded)
		(void)buf_str(out, "Accept-Encoding: identity\r\n");
	n += d->credential && d->credential->inject != POLICY_INJECT_QUERY;
	if (d->credential)
		put_credential(d, out);
	/* What was put on may carry it over the limits, to which whoever writes it as HTTP/2 keeps. */
	return buf_str(out, "\r\n") && fields_at - start <= HTTP1_LINE_MAX + 2 && out->len - fields_at <= HTTP1_FIELDS_LEN_MAX && n <= HTTP1_FIELDS_MAX;
}
