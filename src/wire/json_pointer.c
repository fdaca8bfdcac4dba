#include "wire/json_pointer.h"

#include "base/must.h"
#include "base/num.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "wire/json_number.h"

/* One loop with an explicit stack, as in json_scan.c, but nothing is kept of the text except the names of the open objects. A level
 * knows by a bit set which pointers lead into it; a name or an index narrows that set to those that lead to the next value. When an
 * object closes, its names are sorted and neighbours compared: n log n comparisons whatever the names are, where a hash table would
 * let a guest choose collisions. */

enum expect { VALUE, FIRST_VALUE, FIRST_KEY, KEY, COLON, AFTER, END };

struct member {
	uint32_t at; /* behind the opening quote */
	uint32_t len : 31;
	uint32_t escaped : 1;
};

struct level {
	bool object;
	uint32_t leads; /* pointers that have a token for this level */
	uint32_t index; /* of the element that comes next */
	uint32_t first; /* of its names in `members` */
};

struct reader {
	struct bytes s;
	size_t at;
	enum expect expect;
	uint32_t leads; /* pointers that lead to the value that comes next */
	size_t depth;
	struct level levels[JSON_POINTER_DEPTH_MAX];
	const struct bytes *pointers;
	size_t n;
	uint16_t tokens[JSON_POINTERS_MAX][JSON_POINTER_DEPTH_MAX + 1]; /* where each begins; behind the last: length + 1 */
	uint8_t n_tokens[JSON_POINTERS_MAX];
	struct member *members;
	uint32_t n_members;
	uint32_t max_members;
	struct arena *arena;
	struct json_value values[JSON_POINTERS_MAX];
};

bool json_pointer_valid(struct bytes p)
{
	size_t n = 0;

	if (p.len > JSON_POINTER_LEN_MAX || !utf8_valid(p) || (p.len && p.p[0] != '/'))
		return false;
	for (size_t i = 0; i < p.len; i++) {
		if (p.p[i] == '~' && (i + 1 == p.len || (p.p[i + 1] != '0' && p.p[i + 1] != '1')))
			return false;
		n += p.p[i] == '/';
	}
	return n <= JSON_POINTER_DEPTH_MAX;
}

static void split(struct reader *x, size_t p)
{
	struct bytes s = x->pointers[p];
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '/')
			x->tokens[p][n++] = (uint16_t)(i + 1);
	x->n_tokens[p] = (uint8_t)n;
	x->tokens[p][n] = (uint16_t)(s.len + 1);
}

static struct bytes token(const struct reader *x, size_t p, size_t level)
{
	uint16_t from = x->tokens[p][level];

	return bytes_of(x->pointers[p].p + from, (size_t)(x->tokens[p][level + 1] - from - 1));
}

/* One character of a valid token. */
static size_t token_char(struct bytes t, uint32_t *ret)
{
	if (t.p[0] != '~')
		return utf8_next(t, ret);
	*ret = t.p[1] == '0' ? '~' : '/';
	return 2;
}

static uint32_t fold(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
	switch (c) {
	case 0x130: /* capital I with dot */
	case 0x131: /* small i without */
		return 'i';
	case 0x17f: /* long s */
		return 's';
	case 0x212a: /* kelvin */
		return 'k';
	default:
		return 0x80;
	}
}

enum likeness { OTHER, TWIN, SAME };

static enum likeness compare(struct bytes t, struct bytes key)
{
	enum likeness is = SAME;

	for (bool first = true; t.len && key.len; first = false) {
		uint32_t ct, ck;
		size_t lt = token_char(t, &ct), lk;

		if (json_lex_char(key, &ck, &lk) != JSON_OK)
			return OTHER;
		if (ct != ck)
			is = TWIN;
		if (!first && (ct == '_') != (ck == '_')) { /* dryRun, dry_run */
			t = bytes_skip(t, ct == '_' ? lt : 0);
			key = bytes_skip(key, ck == '_' ? lk : 0);
			continue;
		}
		if (fold(ct) != fold(ck))
			return OTHER;
		t = bytes_skip(t, lt);
		key = bytes_skip(key, lk);
	}
	return t.len || key.len ? OTHER : is;
}

static struct bytes name(const struct reader *x, struct member m)
{
	return bytes_of(x->s.p + m.at, m.len);
}

/* In the order of decoded characters: that of UTF-8 bytes where nothing is escaped. */
static int order(const void *a, const void *b, const void *reader)
{
	const struct member *x = a, *y = b;

	if (x->escaped || y->escaped)
		return json_lex_cmp(name(reader, *x), name(reader, *y));
	return bytes_cmp(name(reader, *x), name(reader, *y));
}

/* Sorts the names of an object that is over; false with *ret_at at a name that stands twice. */
static bool all_differ(const struct reader *x, struct member *m, size_t n, size_t *ret_at)
{
	sort(m, n, sizeof(m[0]), order, x);
	for (size_t i = 1; i < n; i++)
		if (order(&m[i - 1], &m[i], x) == 0) {
			*ret_at = m[i].at > m[i - 1].at ? m[i].at : m[i - 1].at;
			return false;
		}
	return true;
}

static enum json_pointer_answer decode(struct reader *x, struct bytes raw, struct bytes *ret)
{
	size_t n = 0;
	uint8_t *p;

	*ret = raw;
	if (bytes_find(raw, '\\') == raw.len)
		return JSON_POINTER_DONE;
	p = arena_alloc(x->arena, raw.len, 1); /* an escape is never shorter than its character */
	if (!p)
		return JSON_POINTER_TOO_LARGE;
	while (raw.len) {
		uint8_t utf8[UTF8_MAX];
		uint32_t c;
		size_t len, put;

		must(json_lex_char(raw, &c, &len) == JSON_OK);
		if (c == 0)
			return JSON_POINTER_AMBIGUOUS;
		put = utf8_put(c, utf8);
		memcpy(p + n, utf8, put);
		n += put;
		raw = bytes_skip(raw, len);
	}
	*ret = bytes_of(p, n);
	return JSON_POINTER_DONE;
}

static enum json_pointer_answer string(struct reader *x, struct json_value *v)
{
	struct bytes raw;
	size_t len;
	bool nul;

	v->kind = JSON_VALUE_STRING;
	if (json_lex_string(bytes_skip(x->s, x->at), &raw, &nul, &len) != JSON_OK) {
		x->at += len;
		return JSON_POINTER_NOT_PARSABLE;
	}
	x->at += len;
	return x->leads ? decode(x, raw, &v->text) : JSON_POINTER_DONE;
}

static enum json_pointer_answer number(struct reader *x, struct json_value *v)
{
	v->kind = JSON_VALUE_NUMBER;
	if (json_lex_number(bytes_skip(x->s, x->at), &v->text) != JSON_OK)
		return JSON_POINTER_NOT_PARSABLE;
	if (!json_number_is_double(v->text))
		return JSON_POINTER_NOT_PARSABLE;
	if (x->leads && json_number_rounds(v->text))
		return JSON_POINTER_AMBIGUOUS;
	x->at += v->text.len;
	return JSON_POINTER_DONE;
}

static enum json_pointer_answer word(struct reader *x, const char *text, enum json_value_kind kind, struct json_value *v)
{
	if (!bytes_starts(bytes_skip(x->s, x->at), bytes_str(text)))
		return JSON_POINTER_NOT_PARSABLE;
	x->at += strlen(text);
	v->kind = kind;
	return JSON_POINTER_DONE;
}

/* The value is what those pointers wanted that have no further token; the others may lead into it. */
static void arrive(struct reader *x, const struct json_value *v)
{
	for (size_t p = 0; p < x->n && x->leads; p++)
		if (x->leads >> p & 1 && x->n_tokens[p] == x->depth) {
			x->values[p] = *v;
			x->leads &= ~(1U << p);
		}
}

static enum json_pointer_answer open_level(struct reader *x, bool object)
{
	const struct json_value v = { .kind = object ? JSON_VALUE_OBJECT : JSON_VALUE_ARRAY };

	if (x->depth == JSON_POINTER_DEPTH_MAX)
		return JSON_POINTER_TOO_DEEP;
	arrive(x, &v);
	x->levels[x->depth++] = (struct level){ .object = object, .leads = x->leads, .first = x->n_members };
	x->at++;
	x->expect = object ? FIRST_KEY : FIRST_VALUE;
	return JSON_POINTER_DONE;
}

static enum json_pointer_answer close_level(struct reader *x)
{
	struct level *l = &x->levels[x->depth - 1];

	if (l->object && !all_differ(x, x->members + l->first, x->n_members - l->first, &x->at))
		return JSON_POINTER_AMBIGUOUS;
	x->n_members = l->first;
	x->depth--;
	x->at++;
	x->expect = x->depth ? AFTER : END;
	return JSON_POINTER_DONE;
}

static enum json_pointer_answer scalar(struct reader *x)
{
	struct json_value v = { 0 };
	enum json_pointer_answer a;
	uint8_t c = x->s.p[x->at];

	if (c == '"')
		a = string(x, &v);
	else if (c == 't')
		a = word(x, "true", JSON_VALUE_TRUE, &v);
	else if (c == 'f')
		a = word(x, "false", JSON_VALUE_FALSE, &v);
	else if (c == 'n')
		a = word(x, "null", JSON_VALUE_NULL, &v);
	else
		a = number(x, &v);
	if (a != JSON_POINTER_DONE)
		return a;
	arrive(x, &v);
	x->expect = x->depth ? AFTER : END;
	return JSON_POINTER_DONE;
}

/* The element at the index of this level comes next. */
static void narrow_by_index(struct reader *x, struct level *l)
{
	x->leads = 0;
	for (size_t p = 0; p < x->n && l->leads; p++) {
		uint64_t i;

		if (l->leads >> p & 1 && num_u64(token(x, p, x->depth - 1), UINT32_MAX, &i) && i == l->index)
			x->leads |= 1U << p;
	}
	l->index++;
}

static enum json_pointer_answer value(struct reader *x)
{
	uint8_t c = x->s.p[x->at];

	if (x->depth && !x->levels[x->depth - 1].object)
		narrow_by_index(x, &x->levels[x->depth - 1]);
	return c == '{' || c == '[' ? open_level(x, c == '{') : scalar(x);
}

static enum json_pointer_answer key(struct reader *x)
{
	struct level *l = &x->levels[x->depth - 1];
	struct bytes raw;
	size_t len;
	bool nul;

	if (x->s.p[x->at] != '"')
		return JSON_POINTER_NOT_PARSABLE;
	if (json_lex_string(bytes_skip(x->s, x->at), &raw, &nul, &len) != JSON_OK)
		return JSON_POINTER_NOT_PARSABLE;
	if (nul)
		return JSON_POINTER_AMBIGUOUS;
	if (x->n_members == x->max_members)
		return JSON_POINTER_TOO_LARGE;
	x->members[x->n_members++] = (struct member){ .at = (uint32_t)x->at + 1, .len = (uint32_t)raw.len & 0x7fffffff,
						      .escaped = bytes_find(raw, '\\') < raw.len };
	x->leads = 0;
	for (size_t p = 0; p < x->n && l->leads; p++) {
		enum likeness is = l->leads >> p & 1 ? compare(token(x, p, x->depth - 1), raw) : OTHER;

		if (is == TWIN)
			return JSON_POINTER_AMBIGUOUS;
		x->leads |= (uint32_t)(is == SAME) << p;
	}
	x->at += len;
	x->expect = COLON;
	return JSON_POINTER_DONE;
}

static enum json_pointer_answer between(struct reader *x, bool object)
{
	uint8_t c = x->s.p[x->at];

	if (c == (object ? '}' : ']') && x->expect != COLON)
		return close_level(x);
	if (x->expect == FIRST_VALUE || x->expect == FIRST_KEY) {
		x->expect = object ? KEY : VALUE;
		return JSON_POINTER_DONE;
	}
	if (c != (x->expect == COLON ? ':' : ','))
		return JSON_POINTER_NOT_PARSABLE;
	x->expect = object && x->expect == AFTER ? KEY : VALUE;
	x->at++;
	return JSON_POINTER_DONE;
}

static enum json_pointer_answer step(struct reader *x)
{
	if (x->expect == VALUE)
		return value(x);
	if (x->expect == KEY)
		return key(x);
	if (x->expect == END)
		return JSON_POINTER_NOT_PARSABLE;
	return between(x, x->levels[x->depth - 1].object);
}

/* Every name but the last has a colon behind it. */
static bool room_for_names(struct reader *x)
{
	size_t n = 1;

	for (size_t i = 0; i < x->s.len && n < JSON_POINTER_MEMBERS_MAX; i++)
		n += x->s.p[i] == ':';
	x->max_members = (uint32_t)n;
	x->members = arena_alloc(x->arena, n, sizeof(x->members[0]));
	return x->members != NULL;
}

enum json_pointer_answer json_pointer_read(struct bytes body, const struct bytes *pointers, size_t n, struct arena *arena,
					   struct json_value *ret, size_t *ret_at)
{
	struct reader x = { .s = body, .expect = VALUE, .pointers = pointers, .n = n, .arena = arena };
	enum json_pointer_answer a = JSON_POINTER_DONE;

	must(n <= JSON_POINTERS_MAX);
	for (size_t p = 0; p < n; p++) {
		must(json_pointer_valid(pointers[p]));
		split(&x, p);
	}
	x.leads = (uint32_t)((1UL << n) - 1);
	if (body.len > JSON_POINTER_BODY_MAX || !room_for_names(&x))
		a = JSON_POINTER_TOO_LARGE;
	while (a == JSON_POINTER_DONE && x.at < body.len)
		if (json_lex_is_space(body.p[x.at]))
			x.at++;
		else
			a = step(&x);
	if (a == JSON_POINTER_DONE && x.expect != END)
		a = JSON_POINTER_NOT_PARSABLE;
	if (a != JSON_POINTER_DONE)
		*ret_at = x.at;
	else if (n)
		memcpy(ret, x.values, n * sizeof(ret[0]));
	return a;
}
