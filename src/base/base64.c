#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_put(struct buf *out, struct bytes data)
{
	while (data.len > 0) {
		size_t n = data.len < 3 ? data.len : 3;
		uint32_t v = (uint32_t)data.p[0] << 16;

		if (n > 1)
			v |= (uint32_t)data.p[1] << 8;
		if (n > 2)
			v |= data.p[2];
		buf_byte(out, (uint8_t)alphabet[v >> 18]);
		buf_byte(out, (uint8_t)alphabet[v >> 12 & 63]);
		buf_byte(out, n > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=');
		buf_byte(out, n > 2 ? (uint8_t)alphabet[v & 63] : '=');
		data = bytes_skip(data, n);
	}
	return !out->failed;
}

/* 0..63, or 64. */
static uint32_t value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26U;
	if (c >= '0' && c <= '9')
		return c - '0' + 52U;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four characters, `n` of them digits: n - 1 bytes into `ret`. */
static bool group(const uint8_t *p, size_t n, uint8_t ret[3])
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		uint32_t d = i < n ? value(p[i]) : 0;

		if (d == 64)
			return false;
		v = v << 6 | d;
	}
	if ((n == 3 && (v & 0xff) != 0) || (n == 2 && (v & 0xffff) != 0))
		return false;
	ret[0] = (uint8_t)(v >> 16);
	ret[1] = (uint8_t)(v >> 8);
	ret[2] = (uint8_t)v;
	return true;
}

bool base64_get(struct bytes text, struct buf *out)
{
	size_t was = out->len;
	uint8_t bytes[3];

	if (text.len % 4 != 0)
		return false;
	for (; text.len > 0; text = bytes_skip(text, 4)) {
		size_t n = 4;

		if (text.len == 4 && text.p[3] == '=')
			n = text.p[2] == '=' ? 2 : 3;
		if (!group(text.p, n, bytes) || !buf_add(out, bytes, n - 1)) {
			out->len = was;
			return false;
		}
	}
	return true;
}
