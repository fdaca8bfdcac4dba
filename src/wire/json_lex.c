#include "wire/json_lex.h"

#include "base/num.h"
#include "base/utf8.h"

/* Four hex digits at the start of `s`. */
static enum json_answer hex4(struct bytes s, uint32_t *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int d = i < s.len ? num_hex_digit(s.p[i]) : -1;

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
	if (s.p[1] != 'u') {
		found = s.p[1] ? strchr(from, s.p[1]) : NULL;
		if (!found)
			return JSON_MALFORMED;
		*ret_len = 2;
		*ret_c = (uint8_t)to[found - from];
		return JSON_OK;
	}
	a = hex4(bytes_skip(s, 2), &c);
	if (a != JSON_OK)
		return a;
	if (c >= 0xdc00 && c < 0xe000)
		return JSON_NOT_TEXT;
	if (c < 0xd800 || c >= 0xe000) {
		*ret_len = 6;
		*ret_c = c;
		return JSON_OK;
	}
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

enum json_answer json_lex_char(struct bytes s, uint32_t *ret_c, size_t *ret_len)
{
	uint32_t c;
	size_t len;

	if (s.p[0] == '\\')
		return escape(s, ret_c, ret_len);
	if (s.p[0] < 0x20)
		return JSON_MALFORMED;
	len = utf8_next(s, &c);
	if (len == 0)
		return JSON_NOT_TEXT;
	*ret_c = c;
	*ret_len = len;
	return JSON_OK;
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

enum json_answer json_lex_string(struct bytes s, struct bytes *ret_raw, bool *ret_nul, size_t *ret_len)
{
	bool nul = false;
	size_t at = 1;

	while (at < s.len && s.p[at] != '"') {
		enum json_answer a;
		uint32_t c;
		size_t len;

		if (is_plain(s.p[at])) {
			at++;
			continue;
		}
		a = json_lex_char(bytes_skip(s, at), &c, &len);
		if (a != JSON_OK) {
			*ret_len = at;
			return a;
		}
		nul = nul || c == 0;
		at += len;
	}
	*ret_len = at;
	if (at >= s.len)
		return JSON_SHORT;
	*ret_raw = bytes_of(s.p + 1, at - 1);
	*ret_nul = nul;
	*ret_len = at + 1;
	return JSON_OK;
}

static size_t digits(struct bytes s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

enum json_answer json_lex_number(struct bytes s, struct bytes *ret)
{
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
	*ret = bytes_of(s.p, n);
	return JSON_OK;
}

int json_lex_cmp(struct bytes a, struct bytes b)
{
	while (a.len && b.len) {
		uint32_t ca = 0, cb = 0;
		size_t la = a.len, lb = b.len;

		(void)json_lex_char(a, &ca, &la);
		(void)json_lex_char(b, &cb, &lb);
		if (ca != cb)
			return ca < cb ? -1 : 1;
		a = bytes_skip(a, la);
		b = bytes_skip(b, lb);
	}
	return (a.len > 0) - (b.len > 0);
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
