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

/* At an opening quote; moves behind the closing one. */
static enum json_answer string(struct scan *x, struct bytes *ret_raw)
{
	enum json_answer a;
	bool nul;
	size_t len;

	a = json_lex_string(bytes_skip(x->s, x->at), ret_raw, &nul, &len);
	if (a == JSON_OK && nul)
		return JSON_NOT_TEXT;
	x->at += len;
	return a;
}

static enum json_answer number(struct scan *x, struct bytes *ret_raw)
{
	enum json_answer a = json_lex_number(bytes_skip(x->s, x->at), ret_raw);

	if (a == JSON_OK)
		x->at += ret_raw->len;
	return a;
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

static enum json_answer check_key(struct scan *x, struct bytes key)
{
	for (uint32_t i = x->nodes[x->open[x->depth - 1]].first; i; i = x->nodes[i].next)
		if (json_lex_cmp(x->nodes[i].key, key) == 0)
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

		if (json_lex_is_space(c))
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

bool json_text(const struct json_node *n, struct buf *out)
{
	size_t was = out->len;
	struct bytes s;

	if (!n || n->kind != JSON_STRING)
		return false;
	for (s = n->raw; s.len;) {
		uint8_t utf8[UTF8_MAX];
		uint32_t c;
		size_t len;

		if (json_lex_char(s, &c, &len) != JSON_OK || !buf_add(out, utf8, utf8_put(c, utf8))) {
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
		uint8_t utf8[UTF8_MAX];
		uint32_t c;
		size_t len;
		struct bytes got;

		if (json_lex_char(s, &c, &len) != JSON_OK)
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
