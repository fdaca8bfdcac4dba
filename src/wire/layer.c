#include "wire/layer.h"

enum { BITS = 6, BREAKS_MAX = 2, ENTITY_DIGITS_MAX = 8, NULS_MAX = 3, ESCAPE_MAX = 20 };

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `n` hex digits at the start of `s`. */
static enum layer_answer hex_digits(struct bytes s, size_t n, uint32_t *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		int d = i < s.len ? hex(s.p[i]) : -1;

		if (d < 0)
			return i < s.len ? LAYER_OVER : LAYER_MORE;
		v = v << 4 | (uint32_t)d;
	}
	*ret = v;
	return LAYER_DONE;
}

static bool alphanumeric(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* An escape of JSON or of a script, without the backslash: before a mark it stands for nothing. */
static enum layer_answer script_escape(struct bytes s, uint32_t *ret_c, size_t *ret_len)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *found;

	if (s.len == 0)
		return LAYER_MORE;
	*ret_len = s.p[0] == 'u' ? 5 : s.p[0] == 'x' ? 3 : 1;
	if (*ret_len > 1)
		return hex_digits(bytes_skip(s, 1), *ret_len - 1, ret_c);
	found = s.p[0] ? strchr(from, s.p[0]) : NULL;
	if (!found && (s.p[0] <= ' ' || s.p[0] > '~' || alphanumeric(s.p[0])))
		return LAYER_OVER;
	*ret_c = found ? (uint8_t)to[found - from] : s.p[0];
	return LAYER_DONE;
}

/* Every name that HTML has for visible ASCII that is neither letter nor digit, and for what breaks a line of base64 (HTML, 13.5). Those with a
 * semicolon here are no names without it. */
static const struct {
	const char *name;
	char c;
} entities[] = {
	{ "amp", '&' },     { "AMP", '&' },     { "lt", '<' },	      { "LT", '<' },     { "gt", '>' },     { "GT", '>' },     { "quot", '"' },
	{ "QUOT", '"' },    { "apos;", '\'' },  { "sol;", '/' },      { "equals;", '=' }, { "plus;", '+' },  { "lowbar;", '_' }, { "UnderBar;", '_' },
	{ "excl;", '!' },   { "num;", '#' },    { "dollar;", '$' },   { "percnt;", '%' }, { "lpar;", '(' },  { "rpar;", ')' },  { "ast;", '*' },
	{ "midast;", '*' }, { "comma;", ',' },  { "period;", '.' },   { "colon;", ':' }, { "semi;", ';' },  { "quest;", '?' }, { "commat;", '@' },
	{ "lsqb;", '[' },   { "lbrack;", '[' }, { "bsol;", '\\' },    { "rsqb;", ']' },  { "rbrack;", ']' }, { "Hat;", '^' },  { "grave;", '`' },
	{ "lcub;", '{' },   { "lbrace;", '{' }, { "verbar;", '|' },   { "vert;", '|' },  { "VerticalLine;", '|' }, { "rcub;", '}' }, { "rbrace;", '}' },
	{ "DiacriticalGrave;", '`' }, { "NewLine;", '\n' },
};

const char *layer_entity_at(size_t i, uint8_t *ret_c)
{
	if (i >= sizeof(entities) / sizeof(entities[0]))
		return NULL;
	*ret_c = (uint8_t)entities[i].c;
	return entities[i].name;
}

/* The semicolon at the end may be missing, where nothing else would go on. */
static enum layer_answer semicolon(struct bytes s, size_t at, bool last, size_t *ret_len)
{
	if (at == s.len && !last)
		return LAYER_MORE;
	*ret_len = at + (at < s.len && s.p[at] == ';');
	return LAYER_DONE;
}

/* "45;" of &#45; and "2D;" of &#x2D;. */
static enum layer_answer entity_number(struct bytes s, bool last, uint32_t base, uint32_t *ret_c, size_t *ret_len)
{
	size_t n = 0;

	for (*ret_c = 0; n < s.len && hex(s.p[n]) >= 0 && (uint32_t)hex(s.p[n]) < base; n++) {
		if (n == ENTITY_DIGITS_MAX)
			return LAYER_OVER;
		*ret_c = *ret_c * base + (uint32_t)hex(s.p[n]);
	}
	if (n == 0)
		return s.len ? LAYER_OVER : LAYER_MORE;
	return semicolon(s, n, last, ret_len);
}

static enum layer_answer entity_name(struct bytes s, bool last, uint32_t *ret_c, size_t *ret_len)
{
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
		struct bytes name;

		if (s.len && s.p[0] != (uint8_t)entities[i].name[0])
			continue;
		name = bytes_str(entities[i].name);
		if (s.len < name.len && bytes_starts(name, s))
			return LAYER_MORE;
		if (bytes_starts(s, name)) {
			*ret_c = (uint8_t)entities[i].c;
			*ret_len = name.len;
			return bytes_ends(name, bytes_str(";")) ? LAYER_DONE : semicolon(s, name.len, last, ret_len);
		}
	}
	return LAYER_OVER;
}

/* A character reference of HTML, without the ampersand. */
static enum layer_answer entity(struct bytes s, bool last, uint32_t *ret_c, size_t *ret_len)
{
	size_t mark;
	enum layer_answer t;

	if (s.len == 0 || s.p[0] != '#')
		return entity_name(s, last, ret_c, ret_len);
	if (s.len == 1)
		return LAYER_MORE;
	mark = (s.p[1] | 0x20) == 'x' ? 2 : 1;
	t = entity_number(bytes_skip(s, mark), last, mark == 2 ? 16 : 10, ret_c, ret_len);
	*ret_len += mark;
	return t;
}

static enum layer_answer escape(struct bytes s, bool last, enum layer layer, uint32_t *ret_c, size_t *ret_len)
{
	struct bytes rest = bytes_skip(s, 1);
	enum layer_answer t = LAYER_OVER;

	if ((layer != LAYER_ANY && layer != layer_of(s.p[0])) || layer_of(s.p[0]) == LAYER_NONE)
		return LAYER_OVER;
	*ret_len = 2;
	if (s.p[0] == '%')
		t = hex_digits(rest, 2, ret_c);
	else if (s.p[0] == '\\')
		t = script_escape(rest, ret_c, ret_len);
	else
		t = entity(rest, last, ret_c, ret_len);
	return t == LAYER_MORE && last ? LAYER_OVER : t;
}

/* The first character of `s` in one of the layers but BASE64; a malformed escape stays as it is. */
static enum layer_answer character(struct bytes s, bool last, enum layer layer, uint32_t *ret_c, size_t *ret_len)
{
	size_t at = 0;
	enum layer_answer t;

	while (layer == LAYER_WIDE && at < NULS_MAX && at < s.len && s.p[at] == '\0')
		at++;
	if (at == s.len || (layer == LAYER_HEX && s.len == 1))
		return last ? LAYER_OVER : LAYER_MORE;
	if (layer == LAYER_HEX) {
		*ret_len = 2;
		return hex_digits(s, 2, ret_c);
	}
	t = escape(bytes_skip(s, at), last, layer, ret_c, ret_len);
	if (t == LAYER_OVER) {
		*ret_c = s.p[at];
		*ret_len = 0;
	}
	*ret_len += at + 1;
	return t == LAYER_MORE ? LAYER_MORE : LAYER_DONE;
}

const uint8_t layer_digits64[256] = {
	['A'] = 1,  ['B'] = 2,	['C'] = 3,  ['D'] = 4,	['E'] = 5,  ['F'] = 6,	['G'] = 7,  ['H'] = 8,	['I'] = 9,  ['J'] = 10, ['K'] = 11,
	['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22,
	['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33,
	['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,
	['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
	['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['-'] = 63, ['/'] = 64, ['_'] = 64,
};

static bool breaks(uint32_t c)
{
	return c == '\r' || c == '\n';
}

/* As layer_next_digit(), of the bytes themselves. */
static enum layer_answer digit_of(struct layer_source *x, bool inside, int *ret)
{
	for (size_t n = 0;; n++) {
		uint32_t c = 0;
		size_t len = 0;
		enum layer_answer t = character(x->s, x->last, LAYER_ANY, &c, &len);

		if (t != LAYER_DONE)
			return t;
		x->s = bytes_skip(x->s, len);
		if (inside && n < BREAKS_MAX && breaks(c))
			continue;
		*ret = layer_value64(c);
		return LAYER_DONE;
	}
}

/* LAYER_OVER: the bytes are over, or the digits. */
static enum layer_answer next_of_digits(struct layer_source *x, uint32_t *ret_c)
{
	while (x->n_bits < 8) {
		int v = -1;
		enum layer_answer t = digit_of(x, x->begun, &v);

		if (t != LAYER_DONE || v < 0)
			return t == LAYER_DONE ? LAYER_OVER : t;
		x->bits = x->bits << BITS | (uint32_t)v;
		x->n_bits = (uint8_t)(x->n_bits + BITS - (x->begun ? 0 : x->skip));
		x->begun = true;
	}
	x->n_bits = (uint8_t)(x->n_bits - 8);
	*ret_c = x->bits >> x->n_bits & 0xff;
	return LAYER_DONE;
}

enum layer_answer layer_next(struct layer_source *x, uint32_t *ret_c)
{
	size_t len = 0;
	enum layer_answer t;

	if (x->layer == LAYER_BASE64)
		return next_of_digits(x, ret_c);
	t = character(x->s, x->last, x->layer, ret_c, &len);
	if (t == LAYER_DONE)
		x->s = bytes_skip(x->s, len);
	return t;
}

enum layer_answer layer_next_within(struct layer_source *x, enum layer layer, uint32_t *ret_c)
{
	struct layer_source ahead = *x;
	uint8_t some[ESCAPE_MAX];
	size_t n = 0, len = 0;
	enum layer_answer t = LAYER_MORE;

	if (layer == LAYER_NONE)
		return layer_next(x, ret_c);
	while (t == LAYER_MORE) {
		uint32_t c = 0;
		enum layer_answer more = layer_next(&ahead, &c);

		if (more == LAYER_MORE)
			return LAYER_MORE;
		if (more == LAYER_DONE)
			some[n++] = c < 0x80 ? (uint8_t)c : 0x80;
		t = character(bytes_of(some, n), more == LAYER_OVER || n == sizeof(some), layer, ret_c, &len);
	}
	for (size_t i = 0; i < len && t == LAYER_DONE; i++) {
		uint32_t c = 0;

		(void)layer_next(x, &c);
	}
	return t;
}

enum layer_answer layer_next_digit(struct layer_source *x, bool inside, int *ret)
{
	for (size_t n = 0;; n++) {
		uint32_t c = 0;
		enum layer_answer t = layer_next(x, &c);

		if (t != LAYER_DONE)
			return t;
		if (inside && n < BREAKS_MAX && breaks(c))
			continue;
		*ret = layer_value64(c);
		return LAYER_DONE;
	}
}
