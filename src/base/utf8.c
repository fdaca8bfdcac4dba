#include "base/utf8.h"

size_t utf8_next(struct bytes s, uint32_t *ret_c)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c;
	size_t n;

	if (s.len == 0)
		return 0;
	if (s.p[0] < 0x80) {
		*ret_c = s.p[0];
		return 1;
	}
	n = s.p[0] >= 0xf0 && s.p[0] < 0xf5 ? 4 : s.p[0] >= 0xe0 ? 3 : s.p[0] >= 0xc2 ? 2 : 0;
	if (n == 0 || s.p[0] >= 0xf5 || n > s.len)
		return 0;
	c = s.p[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s.p[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_c = c;
	return n;
}

bool utf8_valid(struct bytes s)
{
	uint32_t c;
	size_t n;

	for (size_t i = 0; i < s.len; i += n) {
		n = utf8_next(bytes_skip(s, i), &c);
		if (n == 0)
			return false;
	}
	return true;
}

size_t utf8_put(uint32_t c, uint8_t ret[UTF8_MAX])
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

bool utf8_run_byte(struct utf8_run *r, uint8_t c)
{
	if (r->left) {
		if (c < r->low || c > r->high)
			return false;
		*r = (struct utf8_run){ .left = (uint8_t)(r->left - 1), .low = 0x80, .high = 0xbf };
		return true;
	}
	if (c < 0x80)
		return true;
	if (c < 0xc2 || c > 0xf4)
		return false;
	r->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	r->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	r->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}
