#include "wire/json_scan.h"

#include "base/num.h"
#include "base/utf8.h"

/* One loop over the text with an explicit stack of open containers: what the loop expects next is a state, so outside data
 * never drives the C stack. Strings are checked in full while scanning, so that decoding later cannot fail. */

enum expect { VALUE, FIRST_VALUE, FIRST_KEY, KEY, COLON, AFTER, END };

struct scan {
	struct bytes s;
	size_t at;
	struct json_node *nodes;
	uint32_t max;
	uint32_t n;
	unsigned depth;
	uint32_t open[JSON_DEPTH_MAX]; /* containers */
	uint32_t last[JSON_DEPTH_MAX]; /* their latest child; 0: none yet */
	uint32_t members[JSON_DEPTH_MAX];
	struct bytes key;
};

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at the start of `s`. */
static enum json_answer hex4(struct bytes s, uint32_t *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int d = i < s.len ? hex_digit(s.p[i]) : -1;

		if (d < 0)
			return i < s.len ? JSON_MALFORMED : JSON_SHORT;
		v = v << 4 | (uint32_t)d;
	}
	*ret = v;
	return JSON_OK;
}

/* An escape sequence (s.p[0] is the backslash) as a code point and its length in bytes. */
static enum json_answer escape(struct bytes s, uint32_t *ret_c, size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	enum json_answer a;
	uint32_t c, low;

	if (s.len < 2)
		return JSON_SHORT;
	*ret_len = 2;
	if (s.p[1] != 'u') {
		found = s.p[1] ? strchr(from, s.p[1]) : NULL;
		if (!found)
			return JSON_MALFORMED;
		*ret_c = (uint8_t)to[found - from];
		return JSON_OK;
	}
	a = hex4(bytes_skip(s, 2), &c);
	if (a != JSON_OK)
		return a;
	*ret_len = 6;
	*ret_c = c;
	if (c == 0 || (c >= 0xdc00 && c < 0xe000))
		return JSON_NOT_TEXT;
	if (c < 0xd800 || c >= 0xe000)
		return JSON_OK;
	if (s.len < 8)
		return JSON_SHORT;
	if (s.p[6] != '\\' || s.p[7] != 'u')
		return JSON_NOT_TEXT;
	a = hex4(bytes_skip(s, 8), &low);
	if (a != JSON_OK)
		return a;
	if (low < 0xdc00 || low >= 0xe000)
		return JSON_NOT_TEXT;
	*ret_len = 12;
	*ret_c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	return JSON_OK;
}

/* One character of a string: plain UTF-8 or an escape. */
static enum json_answer character(struct bytes s, uint32_t *ret_c, size_t *ret_len)
{
	if (s.p[0] == '\\')
		return escape(s, ret_c, ret_len);
	if (s.p[0] < 0x20)
		return JSON_MALFORMED;
	*ret_len = utf8_next(s, ret_c);
	return *ret_len ? JSON_OK : JSON_NOT_TEXT;
}

/* At an opening quote; moves behind the closing one. */
static enum json_answer string(struct scan *x, struct bytes *ret_raw)
{
	size_t at = x->at + 1;

	while (at < x->s.len && x->s.p[at] != '"') {
		enum json_answer a;
		uint32_t c;
		size_t len;

		a = character(bytes_skip(x->s, at), &c, &len);
		if (a != JSON_OK) {
			x->at = at;
			return a;
		}
		at += len;
	}
	if (at >= x->s.len)
		return JSON_SHORT;
	*ret_raw = bytes_of(x->s.p + x->at + 1, at - x->at - 1);
	x->at = at + 1;
	return JSON_OK;
}

static size_t digits(struct bytes s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

static enum json_answer number(struct scan *x, struct bytes *ret_raw)
{
	struct bytes s = bytes_skip(x->s, x->at);
	size_t n = s.p[0] == '-', d;

	d = digits(bytes_skip(s, n));
	if (d == 0)
		return n == s.len ? JSON_SHORT : JSON_MALFORMED;
	if (d > 1 && s.p[n] == '0')
		return JSON_MALFORMED;
	n += d;
	if (n < s.len && s.p[n] == '.') {
		d = digits(bytes_skip(s, n + 1));
		if (d == 0)
			return n + 1 == s.len ? JSON_SHORT : JSON_MALFORMED;
		n += 1 + d;
	}
	if (n < s.len && (s.p[n] | 0x20) == 'e') {
		n++;
		n += n < s.len && (s.p[n] == '+' || s.p[n] == '-');
		d = digits(bytes_skip(s, n));
		if (d == 0)
			return n == s.len ? JSON_SHORT : JSON_MALFORMED;
		n += d;
	}
	if (n > JSON_NUMBER_MAX)
		return JSON_TOO_LARGE;
	*ret_raw = bytes_of(s.p, n);
	x->at += n;
	return JSON_OK;
}

static enum json_answer word(struct scan *x, const char *text, enum json_kind kind, enum json_kind *ret)
{
	struct bytes s = bytes_skip(x->s, x->at), want = bytes_str(text);

	if (!bytes_starts(s, want))
		return s.len < want.len && bytes_starts(want, s) ? JSON_SHORT : JSON_MALFORMED;
	x->at += want.len;
	*ret = kind;
	return JSON_OK;
}

static bool same_text(struct bytes a, struct bytes b)
{
	while (a.len && b.len) {
		uint32_t ca, cb;
		size_t la, lb;

		if (character(a, &ca, &la) != JSON_OK || character(b, &cb, &lb) != JSON_OK || ca != cb)
			return false;
		a = bytes_skip(a, la);
		b = bytes_skip(b, lb);
	}
	return a.len == b.len;
}

static enum json_answer check_key(struct scan *x, struct bytes key)
{
	for (uint32_t i = x->nodes[x->open[x->depth - 1]].first; i; i = x->nodes[i].next)
		if (same_text(x->nodes[i].key, key))
			return JSON_DUPLICATE;
	if (++x->members[x->depth - 1] > JSON_MEMBERS_MAX)
		return JSON_TOO_LARGE;
	x->key = key;
	return JSON_OK;
}

/* Makes a node for the value that starts here and links it to its container. */
static enum json_answer value(struct scan *x, struct json_node **ret)
{
	struct json_node node = { .key = x->key };
	uint8_t c = x->s.p[x->at];
	enum json_answer a = JSON_OK;

	if (c == '{' || c == '[') {
		node.kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
		x->at++;
	} else if (c == '"') {
		node.kind = JSON_STRING;
		a = string(x, &node.raw);
	} else if (c == 't') {
		a = word(x, "true", JSON_TRUE, &node.kind);
	} else if (c == 'f') {
		a = word(x, "false", JSON_FALSE, &node.kind);
	} else if (c == 'n') {
		a = word(x, "null", JSON_NULL, &node.kind);
	} else {
		node.kind = JSON_NUMBER;
		a = number(x, &node.raw);
	}
	if (a != JSON_OK)
		return a;
	if (x->n == x->max)
		return JSON_TOO_LARGE;
	if (x->depth) {
		uint32_t *last = &x->last[x->depth - 1];

		*(*last ? &x->nodes[*last].next : &x->nodes[x->open[x->depth - 1]].first) = x->n;
		*last = x->n;
	}
	x->nodes[x->n] = node;
	*ret = &x->nodes[x->n++];
	return JSON_OK;
}

static enum expect after(const struct scan *x)
{
	return x->depth ? AFTER : END;
}

static enum json_answer on_value(struct scan *x, enum expect *e)
{
	struct json_node *node;
	enum json_answer a;

	a = value(x, &node);
	if (a != JSON_OK)
		return a;
	x->key = bytes_of(NULL, 0);
	if (node->kind != JSON_OBJECT && node->kind != JSON_ARRAY) {
		*e = after(x);
		return JSON_OK;
	}
	if (x->depth == JSON_DEPTH_MAX)
		return JSON_TOO_LARGE;
	x->open[x->depth] = (uint32_t)(node - x->nodes);
	x->last[x->depth] = 0;
	x->members[x->depth++] = 0;
	*e = node->kind == JSON_OBJECT ? FIRST_KEY : FIRST_VALUE;
	return JSON_OK;
}

static bool closes(const struct scan *x, uint8_t c)
{
	return c == (x->nodes[x->open[x->depth - 1]].kind == JSON_OBJECT ? '}' : ']');
}

static void close_level(struct scan *x, enum expect *e)
{
	x->at++;
	x->depth--;
	*e = after(x);
}

static enum json_answer step(struct scan *x, enum expect *e)
{
	uint8_t c = x->s.p[x->at];
	struct bytes key;
	enum json_answer a;

	switch (*e) {
	case FIRST_VALUE:
	case FIRST_KEY:
		if (closes(x, c)) {
			close_level(x, e);
			return JSON_OK;
		}
		*e = *e == FIRST_KEY ? KEY : VALUE;
		return JSON_OK;
	case VALUE:
		return on_value(x, e);
	case KEY:
		if (c != '"')
			return JSON_MALFORMED;
		a = string(x, &key);
		*e = COLON;
		return a == JSON_OK ? check_key(x, key) : a;
	case COLON:
		if (c != ':')
			return JSON_MALFORMED;
		x->at++;
		*e = VALUE;
		return JSON_OK;
	case AFTER:
		if (closes(x, c)) {
			close_level(x, e);
			return JSON_OK;
		}
		if (c != ',')
			return JSON_MALFORMED;
		x->at++;
		*e = x->nodes[x->open[x->depth - 1]].kind == JSON_OBJECT ? KEY : VALUE;
		return JSON_OK;
	case END:
		break;
	}
	return JSON_TRAILING;
}

enum json_answer json_scan(struct bytes text, struct json_node *nodes, uint32_t max, uint32_t *ret_n, size_t *ret_at)
{
	struct scan x = { .s = text, .nodes = nodes, .max = max };
	enum json_answer a = text.len > JSON_TEXT_MAX ? JSON_TOO_LARGE : JSON_OK;
	enum expect e = VALUE;

	while (a == JSON_OK && x.at < text.len) {
		uint8_t c = text.p[x.at];

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			x.at++;
		else
			a = step(&x, &e);
	}
	if (a == JSON_OK && e != END)
		a = JSON_SHORT;
	if (a == JSON_OK)
		*ret_n = x.n;
	else
		*ret_at = x.at;
	return a;
}

const char *json_answer_text(enum json_answer a)
{
	switch (a) {
	case JSON_OK:
		return "well-formed";
	case JSON_SHORT:
		return "cut off";
	case JSON_MALFORMED:
		return "malformed";
	case JSON_DUPLICATE:
		return "duplicate member";
	case JSON_NOT_TEXT:
		return "not Unicode text";
	case JSON_TRAILING:
		return "something behind the value";
	case JSON_TOO_LARGE:
		return "too large";
	}
	return "unknown";
}

const struct json_node *json_get(const struct json_node *nodes, const struct json_node *of, const char *key)
{
	if (!of || of->kind != JSON_OBJECT)
		return NULL;
	for (uint32_t i = of->first; i; i = nodes[i].next)
		if (json_is(&(struct json_node){ .kind = JSON_STRING, .raw = nodes[i].key }, key))
			return &nodes[i];
	return NULL;
}

const struct json_node *json_at(const struct json_node *nodes, const struct json_node *of, uint32_t i)
{
	uint32_t at;

	if (!of || of->kind != JSON_ARRAY)
		return NULL;
	for (at = of->first; at && i; i--)
		at = nodes[at].next;
	return at ? &nodes[at] : NULL;
}

static size_t utf8_put(uint32_t c, uint8_t ret[4])
{
	if (c < 0x80) {
		ret[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (uint8_t)(0xc0 | c >> 6);
		ret[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (uint8_t)(0xe0 | c >> 12);
		ret[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (uint8_t)(0xf0 | c >> 18);
	ret[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

bool json_text(const struct json_node *n, struct buf *out)
{
	size_t was = out->len;
	struct bytes s;

	if (!n || n->kind != JSON_STRING)
		return false;
	for (s = n->raw; s.len;) {
		uint8_t utf8[4];
		uint32_t c;
		size_t len;

		if (character(s, &c, &len) != JSON_OK || !buf_add(out, utf8, utf8_put(c, utf8))) {
			out->len = was;
			return false;
		}
		s = bytes_skip(s, len);
	}
	return !out->failed;
}

bool json_is(const struct json_node *n, const char *text)
{
	struct bytes want = bytes_str(text), s;

	if (!n || n->kind != JSON_STRING)
		return false;
	for (s = n->raw; s.len;) {
		uint8_t utf8[4];
		uint32_t c;
		size_t len;
		struct bytes got;

		if (character(s, &c, &len) != JSON_OK)
			return false;
		got = bytes_of(utf8, utf8_put(c, utf8));
		if (!bytes_starts(want, got))
			return false;
		want = bytes_skip(want, got.len);
		s = bytes_skip(s, len);
	}
	return want.len == 0;
}

bool json_u64(const struct json_node *n, uint64_t max, uint64_t *ret)
{
	return n && n->kind == JSON_NUMBER && num_u64(n->raw, max, ret);
}

bool json_bool(const struct json_node *n, bool *ret)
{
	if (!n || (n->kind != JSON_TRUE && n->kind != JSON_FALSE))
		return false;
	*ret = n->kind == JSON_TRUE;
	return true;
}
