#include "wire/http1_target.h"

#include "base/num.h"
#include "base/utf8.h"

/* Escapes are decoded into `raw` only to be looked at: segments and UTF-8 are judged there, never on the escaped text, so no
 * spelling of a dot hides one. What goes on the wire is written beside it, byte by byte. */

enum { SHORT_MAX = 256 };

struct canon {
	struct buf *out;
	uint8_t *raw; /* as long as the text */
	size_t n_raw;
	size_t segment_at; /* in raw: where the present segment begins */
	bool encoded_slash;
};

static bool unreserved(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

static bool one_of(uint8_t c, const char *set)
{
	return c && c < 0x80 && strchr(set, c);
}

static void put_escaped(struct canon *k, uint8_t c)
{
	static const char digits[] = "0123456789ABCDEF";

	(void)buf_byte(k->out, '%');
	(void)buf_byte(k->out, (uint8_t)digits[c >> 4]);
	(void)buf_byte(k->out, (uint8_t)digits[c & 15]);
}

/* The byte behind "%" at s[0]. */
static bool escape(struct bytes s, uint8_t *ret)
{
	int high = s.len < 3 ? -1 : num_hex_digit(s.p[1]);
	int low = s.len < 3 ? -1 : num_hex_digit(s.p[2]);

	if (high < 0 || low < 0)
		return false;
	*ret = (uint8_t)(high << 4 | low);
	return true;
}

/* A segment ended: at a slash, at an encoded one, or with the path (`last`). */
static enum http1_fault segment(struct canon *k, bool last)
{
	struct bytes s = bytes_of(k->raw + k->segment_at, k->n_raw - k->segment_at);

	k->segment_at = k->n_raw;
	if (!utf8_valid(s))
		return HTTP1_FAULT_TARGET;
	if (bytes_is(s, ".") || bytes_is(s, ".."))
		return HTTP1_FAULT_DOT_SEGMENT;
	return s.len == 0 && !last ? HTTP1_FAULT_EMPTY_SEGMENT : HTTP1_FAULT_NONE;
}

static enum http1_fault path_bare(struct canon *k, uint8_t c)
{
	if (c == '/') {
		(void)buf_byte(k->out, c);
		return segment(k, false);
	}
	if (c == ';')
		return HTTP1_FAULT_PATH_PARAMETER;
	if (unreserved(c) || one_of(c, "!$&'()*+,=:@"))
		(void)buf_byte(k->out, c);
	else if (one_of(c, "[]|^"))
		put_escaped(k, c);
	else
		return HTTP1_FAULT_TARGET;
	k->raw[k->n_raw++] = c;
	return HTTP1_FAULT_NONE;
}

static enum http1_fault path_escape(struct canon *k, uint8_t c)
{
	if (c < 0x20 || c == 0x7f)
		return HTTP1_FAULT_TARGET;
	if (c == '/' || c == '\\') {
		enum http1_fault f = segment(k, false);

		put_escaped(k, c);
		if (f == HTTP1_FAULT_NONE && c == '\\') /* no flag lets it pass */
			f = HTTP1_FAULT_TARGET;
		else if (f == HTTP1_FAULT_NONE && !k->encoded_slash)
			f = HTTP1_FAULT_ENCODED_SLASH;
		return f;
	}
	k->raw[k->n_raw++] = c;
	if (unreserved(c) || one_of(c, "!$&'()*,=:@"))
		(void)buf_byte(k->out, c);
	else
		put_escaped(k, c);
	return HTTP1_FAULT_NONE;
}

static enum http1_fault query_bare(struct canon *k, uint8_t c)
{
	if (unreserved(c) || one_of(c, "!$&'()*+,;=:@/?"))
		(void)buf_byte(k->out, c);
	else if (one_of(c, "[]|^{}`\\"))
		put_escaped(k, c);
	else
		return HTTP1_FAULT_TARGET;
	k->raw[k->n_raw++] = c;
	return HTTP1_FAULT_NONE;
}

static enum http1_fault query_escape(struct canon *k, uint8_t c)
{
	if ((c < 0x20 && !one_of(c, "\t\n\r")) || c == 0x7f)
		return HTTP1_FAULT_TARGET;
	k->raw[k->n_raw++] = c;
	if (unreserved(c))
		(void)buf_byte(k->out, c);
	else
		put_escaped(k, c);
	return HTTP1_FAULT_NONE;
}

static enum http1_fault part(struct canon *k, struct bytes s, enum http1_fault (*bare)(struct canon *, uint8_t),
			     enum http1_fault (*escaped)(struct canon *, uint8_t))
{
	k->n_raw = 0;
	k->segment_at = 0;
	for (size_t i = 0; i < s.len; i++) {
		enum http1_fault f;
		uint8_t c = s.p[i];

		if (c != '%') {
			f = bare(k, c);
		} else {
			if (!escape(bytes_skip(s, i), &c))
				return HTTP1_FAULT_TARGET;
			f = escaped(k, c);
			i += 2;
		}
		if (f != HTTP1_FAULT_NONE)
			return f;
	}
	return HTTP1_FAULT_NONE;
}

/* `text` starts with '/', which belongs to no segment. */
static enum http1_fault path_and_query(struct canon *k, struct bytes text, struct http1_target *ret)
{
	size_t mark = bytes_find(text, '?');
	size_t start = k->out->len;
	enum http1_fault f;

	(void)buf_byte(k->out, '/');
	f = part(k, bytes_of(text.p + 1, mark - 1), path_bare, path_escape);
	if (f == HTTP1_FAULT_NONE)
		f = segment(k, true);
	if (f != HTTP1_FAULT_NONE)
		return f;
	ret->path_len = k->out->len - start;
	if (mark < text.len) {
		ret->has_query = true;
		(void)buf_byte(k->out, '?');
		f = part(k, bytes_skip(text, mark + 1), query_bare, query_escape);
		if (f == HTTP1_FAULT_NONE && !utf8_valid(bytes_of(k->raw, k->n_raw)))
			f = HTTP1_FAULT_TARGET;
		ret->query_len = k->out->len - start - ret->path_len - 1;
	}
	return f;
}

/* Nearly all are short, and what lies on the stack is cleared each time. */
static enum http1_fault canon_short(struct canon k, struct bytes text, struct http1_target *ret)
{
	uint8_t raw[SHORT_MAX];

	k.raw = raw;
	return path_and_query(&k, text, ret);
}

static enum http1_fault canon_long(struct canon k, struct bytes text, struct http1_target *ret)
{
	uint8_t raw[HTTP1_LINE_MAX];

	k.raw = raw;
	return path_and_query(&k, text, ret);
}

enum http1_fault http1_target_canon(struct bytes text, bool encoded_slash, struct buf *out, struct http1_target *ret)
{
	const struct canon k = { .out = out, .encoded_slash = encoded_slash };
	struct http1_target t = { 0 };
	size_t start = out->len;
	enum http1_fault f;

	if (text.len > HTTP1_LINE_MAX)
		return HTTP1_FAULT_TARGET_TOO_LONG;
	if (text.len == 0 || text.p[0] != '/')
		return HTTP1_FAULT_TARGET;
	f = text.len <= SHORT_MAX ? canon_short(k, text, &t) : canon_long(k, text, &t);
	if (f == HTTP1_FAULT_NONE && out->failed)
		f = HTTP1_FAULT_TARGET_TOO_LONG;
	if (f != HTTP1_FAULT_NONE)
		out->len = start;
	else
		*ret = t;
	return f;
}
