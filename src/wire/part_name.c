/* Extended: CHARSET'LANGUAGE'TEXT with escapes as in a URL; without the two marks it is taken as it is. Encoded words: =?CHARSET?B?BASE64?= or
 * =?CHARSET?Q?TEXT?= with escapes of =, and blanks between two of them do not count. What is decoded matters only as far as it is ASCII. */
#include "wire/part_name.h"

#include "base/num.h"
#include "wire/http1_charset.h"

enum state {
	PLAIN, /* as it is */
	START,
	EQUALS, /* "=" */
	WORD_SET, /* "=?" */
	WORD_CODE, /* "=?utf-8?" */
	WORD_BASE64,
	WORD_BASE64_TEXT,
	WORD_QUOTED,
	WORD_QUOTED_TEXT,
	WORD_END, /* "=?utf-8?Q?text?" */
	BETWEEN, /* words */
	EXT_SET,
	EXT_LANGUAGE,
	EXT_TEXT,
	ESCAPED, /* in a text that switches */
};

static const char switching[] = "iso-2022-";

void part_name_init(struct part_name *p, bool extended)
{
	*p = (struct part_name){ .extended = extended, .state = extended ? EXT_SET : START };
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool part_name_folds(const struct part_name *p)
{
	return p->state == BETWEEN;
}

bool part_name_begins(const struct part_name *p)
{
	return p->state != PLAIN;
}

static int digit64(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static enum part_name_item byte(uint8_t c, uint8_t *ret)
{
	*ret = c;
	return PART_NAME_BYTE;
}

/* The character set is named. */
static enum part_name_item named(struct part_name *p, enum state next)
{
	struct bytes set = bytes_of(p->set, bytes_find(bytes_of(p->set, p->n_set), '*')); /* a language may follow (RFC 2231, 5) */
	size_t n = sizeof(switching) - 1;

	p->state = (uint8_t)next;
	p->switches = set.len >= n && bytes_ieq(bytes_of(set.p, n), bytes_str(switching));
	return !p->switches && set.len && http1_charset_named(set) == HTTP1_CHARSET_OTHER ? PART_NAME_HIDDEN : PART_NAME_NOTHING;
}

/* False: no set has such a name. */
static bool add_to_set(struct part_name *p, uint8_t c)
{
	if (p->n_set == sizeof(p->set))
		return false;
	p->set[p->n_set++] = (char)c;
	return true;
}

/* One byte of a decoded text. */
static enum part_name_item decoded(struct part_name *p, uint8_t c, uint8_t *ret)
{
	static const uint8_t esc = 0x1b;

	if (p->switches && c == esc) {
		p->code = esc;
		return PART_NAME_NOTHING;
	}
	if (p->switches && p->code == esc) { /* up to its final byte (ECMA-35) */
		p->code = c >= 0x20 && c <= 0x2f ? esc : 0;
		return PART_NAME_NOTHING;
	}
	return byte(c, ret);
}

/* Behind `mark` stand two digits of hex. */
static enum part_name_item escaped(struct part_name *p, uint8_t mark, uint8_t c, uint8_t *ret)
{
	if (p->escape && num_hex_digit(c) >= 0) {
		p->bits = (uint16_t)((unsigned)p->bits << 4 | (unsigned)num_hex_digit(c));
		return --p->escape ? PART_NAME_NOTHING : decoded(p, (uint8_t)p->bits, ret);
	}
	p->escape = 0;
	if (c != mark)
		return decoded(p, c, ret);
	p->escape = 2;
	p->bits = 0;
	return PART_NAME_NOTHING;
}

static enum part_name_item base64(struct part_name *p, uint8_t c, uint8_t *ret)
{
	int v = digit64(c);

	if (v < 0)
		return PART_NAME_NOTHING;
	p->bits = (uint16_t)((unsigned)p->bits << 6 | (unsigned)v);
	p->n_bits = (uint8_t)(p->n_bits + 6);
	if (p->n_bits < 8)
		return PART_NAME_NOTHING;
	p->n_bits = (uint8_t)(p->n_bits - 8);
	return decoded(p, (uint8_t)(p->bits >> p->n_bits), ret);
}

static enum part_name_item go(struct part_name *p, enum state next)
{
	p->state = (uint8_t)next;
	return PART_NAME_NOTHING;
}

static enum part_name_item begin_word(struct part_name *p)
{
	p->n_set = p->escape = p->n_bits = p->code = 0;
	p->bits = 0;
	return go(p, WORD_SET);
}

static enum part_name_item in_word(struct part_name *p, uint8_t c, uint8_t *ret)
{
	bool mark = c == '?';

	switch ((int)p->state) {
	case WORD_SET:
		if (mark)
			return named(p, WORD_CODE);
		return add_to_set(p, c) ? PART_NAME_NOTHING : go(p, PLAIN);
	case WORD_CODE:
		return go(p, (c | 0x20) == 'b' ? WORD_BASE64 : (c | 0x20) == 'q' ? WORD_QUOTED : PLAIN);
	case WORD_BASE64:
		return go(p, mark ? WORD_BASE64_TEXT : PLAIN);
	case WORD_QUOTED:
		return go(p, mark ? WORD_QUOTED_TEXT : PLAIN);
	case WORD_BASE64_TEXT:
		return mark ? go(p, WORD_END) : base64(p, c, ret);
	case WORD_QUOTED_TEXT:
		if (mark)
			return go(p, WORD_END);
		return escaped(p, '=', c == '_' ? ' ' : c, ret);
	case WORD_END:
		return go(p, c == '=' ? BETWEEN : PLAIN);
	default:
		return PART_NAME_NOTHING;
	}
}

static enum part_name_item in_extended(struct part_name *p, uint8_t c, uint8_t *ret)
{
	bool mark = c == '\'';

	if (p->state == EXT_TEXT)
		return escaped(p, '%', c, ret);
	if (p->state == EXT_LANGUAGE && !mark)
		return PART_NAME_NOTHING;
	if (p->state == EXT_LANGUAGE) {
		p->state = EXT_TEXT;
		return PART_NAME_AGAIN;
	}
	if (mark)
		return named(p, EXT_LANGUAGE);
	if (!add_to_set(p, c))
		p->state = PLAIN;
	return byte(c, ret);
}

enum part_name_item part_name_next(struct part_name *p, uint8_t c, uint8_t *ret)
{
	if (p->state == START || p->state == EQUALS || p->state == BETWEEN) {
		bool was_equals = p->state == EQUALS;

		if (was_equals && c == '?')
			return begin_word(p);
		if (!was_equals && c == '=')
			return go(p, EQUALS);
		if (!was_equals && is_space(c))
			return PART_NAME_NOTHING;
		p->state = PLAIN;
		if (was_equals) /* no name that matters has one, so that what follows does not count */
			return byte('=', ret);
	}
	if (p->state == PLAIN)
		return byte(c, ret);
	return p->extended ? in_extended(p, c, ret) : in_word(p, c, ret);
}
