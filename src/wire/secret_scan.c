#include "wire/secret_scan.h"

#include "base/must.h"

/* No automaton, since its tables would be copies of the secrets: where a byte may begin some spelling of a secret, each spelling is tried
 * from there. A spelling is a way to take the next character off the stream, and each way is deterministic, so a try never has to go
 * back. One that the end of the bytes at hand interrupts holds them back from its beginning, and is made again when more is there.
 * Tries are short: a guest cannot steer them without knowing the secret. */

enum way { PLAIN, PERCENT, JSON, ENTITY };

enum { BITS = 6, BREAKS_MAX = 2, ENTITY_DIGITS_MAX = 8 };

enum try { NO, YES, SHORT };

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `n` hex digits at the start of `s`. */
static enum try hex_digits(struct bytes s, size_t n, uint32_t *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		int d = i < s.len ? hex(s.p[i]) : -1;

		if (d < 0)
			return i < s.len ? NO : SHORT;
		v = v << 4 | (uint32_t)d;
	}
	*ret = v;
	return YES;
}

/* An escape of JSON, without the backslash. */
static enum try json_escape(struct bytes s, uint32_t *ret_c, size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (s.len == 0)
		return SHORT;
	*ret_len = s.p[0] == 'u' ? 5 : 1;
	if (s.p[0] == 'u')
		return hex_digits(bytes_skip(s, 1), 4, ret_c);
	found = s.p[0] ? strchr(from, s.p[0]) : NULL;
	if (!found)
		return NO;
	*ret_c = (uint8_t)to[found - from];
	return YES;
}

/* Every name that HTML has for visible ASCII that is neither letter nor digit, and for what breaks a line of base64 (HTML, 13.5). */
static const struct {
	const char *name;
	char c;
} entities[] = {
	{ "amp;", '&' },    { "AMP;", '&' },    { "lt;", '<' },       { "LT;", '<' },    { "gt;", '>' },    { "GT;", '>' },    { "quot;", '"' },
	{ "QUOT;", '"' },   { "apos;", '\'' },  { "sol;", '/' },      { "equals;", '=' }, { "plus;", '+' },  { "lowbar;", '_' }, { "UnderBar;", '_' },
	{ "excl;", '!' },   { "num;", '#' },    { "dollar;", '$' },   { "percnt;", '%' }, { "lpar;", '(' },  { "rpar;", ')' },  { "ast;", '*' },
	{ "midast;", '*' }, { "comma;", ',' },  { "period;", '.' },   { "colon;", ':' }, { "semi;", ';' },  { "quest;", '?' }, { "commat;", '@' },
	{ "lsqb;", '[' },   { "lbrack;", '[' }, { "bsol;", '\\' },    { "rsqb;", ']' },  { "rbrack;", ']' }, { "Hat;", '^' },  { "grave;", '`' },
	{ "lcub;", '{' },   { "lbrace;", '{' }, { "verbar;", '|' },   { "vert;", '|' },  { "VerticalLine;", '|' }, { "rcub;", '}' }, { "rbrace;", '}' },
	{ "DiacriticalGrave;", '`' }, { "NewLine;", '\n' },
};

/* "45;" of &#45; and "2D;" of &#x2D;. */
static enum try entity_number(struct bytes s, uint32_t base, uint32_t *ret_c, size_t *ret_len)
{
	uint32_t v = 0;

	for (size_t i = 0; i <= ENTITY_DIGITS_MAX; i++) {
		int d = i < s.len ? hex(s.p[i]) : 0;

		if (i == s.len)
			return SHORT;
		if (s.p[i] == ';' && i > 0) {
			*ret_c = v;
			*ret_len = i + 1;
			return YES;
		}
		if (d < 0 || (uint32_t)d >= base)
			return NO;
		v = v * base + (uint32_t)d;
	}
	return NO;
}

static enum try entity_name(struct bytes s, uint32_t *ret_c, size_t *ret_len)
{
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
		struct bytes name = bytes_str(entities[i].name);

		if (s.len < name.len && bytes_starts(name, s))
			return SHORT;
		if (bytes_starts(s, name)) {
			*ret_c = (uint8_t)entities[i].c;
			*ret_len = name.len;
			return YES;
		}
	}
	return NO;
}

/* A character reference of HTML, without the ampersand. */
static enum try entity(struct bytes s, uint32_t *ret_c, size_t *ret_len)
{
	size_t mark;
	enum try t;

	if (s.len == 0 || s.p[0] != '#')
		return entity_name(s, ret_c, ret_len);
	if (s.len == 1)
		return SHORT;
	mark = (s.p[1] | 0x20) == 'x' ? 2 : 1;
	t = entity_number(bytes_skip(s, mark), mark == 2 ? 16 : 10, ret_c, ret_len);
	*ret_len += mark;
	return t;
}

/* The first character of `s` (not empty), which a malformed escape leaves as it is. SHORT: an escape that is not complete. */
static enum try character(struct bytes s, enum way way, uint32_t *ret_c, size_t *ret_len)
{
	enum try escape = NO;
	size_t len = 2;

	if (way == PERCENT && s.p[0] == '%')
		escape = hex_digits(bytes_skip(s, 1), 2, ret_c);
	else if (way == JSON && s.p[0] == '\\')
		escape = json_escape(bytes_skip(s, 1), ret_c, &len);
	else if (way == ENTITY && s.p[0] == '&')
		escape = entity(bytes_skip(s, 1), ret_c, &len);
	if (escape == NO) {
		*ret_c = s.p[0];
		len = 0;
	}
	*ret_len = 1 + len;
	return escape == SHORT ? SHORT : YES;
}

static enum try spelled(struct bytes s, struct bytes secret, enum way way)
{
	for (size_t i = 0; i < secret.len; i++) {
		uint32_t c = 0;
		size_t len = 0;

		if (s.len == 0 || character(s, way, &c, &len) == SHORT)
			return SHORT;
		if (c != secret.p[i] && !(way == PERCENT && s.p[0] == '+' && secret.p[i] == ' '))
			return NO;
		s = bytes_skip(s, len);
	}
	return YES;
}

/* The six bits of `secret` from bit `at` on. */
static uint8_t sextet(struct bytes secret, size_t at)
{
	uint32_t two = (uint32_t)secret.p[at / 8] << 8;

	if (at / 8 + 1 < secret.len)
		two |= secret.p[at / 8 + 1];
	return two >> (16 - BITS - at % 8) & 0x3f;
}

static int value64(uint32_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (int)c - 'A';
	if (c >= 'a' && c <= 'z')
		return (int)c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return (int)c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* The only way in which this byte is not itself. */
static enum way way_of(uint8_t c)
{
	return c == '%' ? PERCENT : c == '&' ? ENTITY : JSON;
}

/* The next base64 digit, whether it is escaped or not, with the line break in front of it. */
static enum try digit64(struct bytes s, bool breaks, int *ret, size_t *ret_len)
{
	size_t at = 0;

	for (size_t n = 0;; n++) {
		uint32_t c = 0;
		size_t len = 0;

		if (at == s.len || character(bytes_skip(s, at), way_of(s.p[at]), &c, &len) == SHORT)
			return SHORT;
		at += len;
		if (breaks && n < BREAKS_MAX && (c == '\r' || c == '\n'))
			continue;
		*ret = value64(c);
		*ret_len = at;
		return YES;
	}
}

/* The digits that the secret alone decides when its first bit is bit `skip` of a digit's neighbour: for the three alignments these begin
 * at bit 0, 4 and 2. */
static enum try encoded(struct bytes s, struct bytes secret, size_t from)
{
	for (size_t at = from; at + BITS <= 8 * secret.len; at += BITS) {
		int v = -1;
		size_t len = 0;

		if (digit64(s, at > from, &v, &len) == SHORT)
			return SHORT;
		if (v != sextet(secret, at))
			return NO;
		s = bytes_skip(s, len);
	}
	return YES;
}

static enum try begins(struct bytes s, struct bytes secret)
{
	enum try best = NO;

	for (enum way w = PLAIN; w <= ENTITY && best != YES; w++) {
		enum try t = spelled(s, secret, w);

		best = t == NO ? best : t;
	}
	for (size_t from = 0; from < BITS && best != YES && secret.len >= SECRET_SCAN_BASE64_MIN; from += 2) {
		enum try t = encoded(s, secret, from);

		best = t == NO ? best : t;
	}
	return best;
}

static void mark(uint8_t table[256], uint8_t bit, const char *bytes)
{
	for (; *bytes; bytes++)
		table[(uint8_t)*bytes] |= bit;
}

/* Every byte that stands for these six bits. */
static void mark64(uint8_t table[256], uint8_t bit, uint8_t v)
{
	for (unsigned c = 0; c < 256; c++)
		if (value64(c) == v)
			table[c] |= bit;
}

static void mark_secret(struct secret_scan *s, uint8_t bit, struct bytes secret)
{
	mark(s->may_begin, bit, secret.p[0] == ' ' ? "%\\&+" : "%\\&");
	s->may_begin[secret.p[0]] |= bit;
	mark(s->may_follow, bit, "%\\&+\r\n");
	mark(s->may_escape, bit, "%&+#0123456789abcdefABCDEFu\"\\/");
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		s->may_escape[(uint8_t)entities[i].name[0]] |= bit;
	for (unsigned c = 0; c < 256; c++)
		if (secret.len == 1 || c == secret.p[1]) {
			s->may_follow[c] |= bit;
			s->may_escape[c] |= bit;
		}
	for (size_t from = 0; from < BITS && secret.len >= SECRET_SCAN_BASE64_MIN; from += 2) {
		mark64(s->may_begin, bit, sextet(secret, from));
		mark64(s->may_follow, bit, sextet(secret, from + BITS));
	}
}

void secret_scan_init(struct secret_scan *s, const struct bytes *secrets, size_t n)
{
	must(n <= SECRET_SCAN_MAX);
	*s = (struct secret_scan){ .secrets = secrets, .n = n };
	for (size_t i = 0; i < n; i++) {
		must(secrets[i].len > 0);
		mark_secret(s, (uint8_t)(1U << i), secrets[i]);
	}
}

bool secret_scan_find(const struct secret_scan *s, struct bytes in, bool last, size_t *ret_safe)
{
	size_t safe = in.len;

	for (size_t at = 0; at < in.len; at++) {
		uint8_t which = s->may_begin[in.p[at]];

		if (at + 1 < in.len)
			which &= (in.p[at] == '%' || in.p[at] == '\\' || in.p[at] == '&' ? s->may_escape : s->may_follow)[in.p[at + 1]];
		for (size_t i = 0; which >> i; i++) {
			enum try t = which >> i & 1 ? begins(bytes_skip(in, at), s->secrets[i]) : NO;

			if (t == YES)
				return true;
			if (t == SHORT && at < safe)
				safe = at;
		}
	}
	*ret_safe = last ? in.len : safe;
	return false;
}
