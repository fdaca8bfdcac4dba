#include "wire/punycode.h"

enum {
	BASE = 36,
	T_MIN = 1,
	T_MAX = 26,
	SKEW = 38,
	DAMP = 700,
	INITIAL_BIAS = 72,
	INITIAL_N = 0x80,
	CODE_POINT_MAX = 0x10ffff,
};

struct points {
	uint32_t c[PUNYCODE_MAX];
	uint32_t n;
};

/* Section 6.1. */
static uint32_t adapt(uint32_t delta, uint32_t n_points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / n_points;
	while (delta > ((BASE - T_MIN) * T_MAX) / 2) {
		delta /= BASE - T_MIN;
		k += BASE;
	}
	return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
	if (k <= bias)
		return T_MIN;
	return k - bias > T_MAX ? T_MAX : k - bias;
}

static uint32_t digit_of(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a');
	return c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 26 : BASE;
}

static uint8_t digit_text(uint32_t d)
{
	return (uint8_t)(d < 26 ? 'a' + d : '0' + (d - 26));
}

/* The ASCII characters stand before the last hyphen, the digits behind it. */
static size_t ascii_len(struct bytes text)
{
	size_t n = text.len;

	while (n > 0 && text.p[n - 1] != '-')
		n--;
	return n == 0 ? 0 : n - 1;
}

/* One generalised variable-length integer (section 3.3): cursor and value move only on success. */
static bool delta_read(struct bytes text, size_t *at, uint32_t bias, uint32_t *ret)
{
	uint64_t v = 0, weight = 1;
	size_t i = *at;

	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = threshold(k, bias);
		uint32_t d = i < text.len ? digit_of(text.p[i]) : BASE;

		if (d == BASE)
			return false;
		i++;
		v += d * weight;
		if (v > UINT32_MAX)
			return false;
		if (d < t)
			break;
		weight *= BASE - t;
		if (weight > UINT32_MAX)
			return false;
	}
	*at = i;
	*ret = (uint32_t)v;
	return true;
}

static bool decode(struct bytes text, struct points *ret)
{
	uint32_t n = INITIAL_N, bias = INITIAL_BIAS;
	uint64_t i = 0;
	size_t at;

	ret->n = (uint32_t)ascii_len(text);
	for (uint32_t k = 0; k < ret->n; k++)
		ret->c[k] = text.p[k];
	at = ret->n ? ret->n + 1 : 0;
	while (at < text.len) {
		uint32_t delta, count = ret->n + 1;

		if (ret->n == PUNYCODE_MAX || !delta_read(text, &at, bias, &delta))
			return false;
		i += delta;
		if (i / count > CODE_POINT_MAX - n)
			return false;
		n += (uint32_t)(i / count);
		i %= count;
		bias = adapt(delta, count, ret->n == ascii_len(text));
		memmove(ret->c + i + 1, ret->c + i, (ret->n - i) * sizeof(ret->c[0]));
		ret->c[i++] = n;
		ret->n++;
	}
	return true;
}

static bool delta_write(uint32_t delta, uint32_t bias, uint8_t *ret, size_t *len)
{
	uint32_t q = delta;

	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = threshold(k, bias);

		if (*len == PUNYCODE_MAX)
			return false;
		if (q < t)
			break;
		ret[(*len)++] = digit_text(t + (q - t) % (BASE - t));
		q = (q - t) / (BASE - t);
	}
	ret[(*len)++] = digit_text(q);
	return true;
}

static uint32_t next_point(const struct points *p, uint32_t n)
{
	uint32_t m = CODE_POINT_MAX;

	for (uint32_t k = 0; k < p->n; k++)
		if (p->c[k] >= n && p->c[k] < m)
			m = p->c[k];
	return m;
}

static bool encode(const struct points *p, uint8_t ret[PUNYCODE_MAX], size_t *ret_len)
{
	uint32_t n = INITIAL_N, bias = INITIAL_BIAS, done = 0, basic;
	uint64_t delta = 0;
	size_t len = 0;

	for (uint32_t k = 0; k < p->n; k++)
		if (p->c[k] < INITIAL_N)
			ret[len++] = (uint8_t)p->c[k];
	basic = done = (uint32_t)len;
	if (basic && len < PUNYCODE_MAX)
		ret[len++] = '-';
	for (; done < p->n; n++, delta++) {
		uint32_t m = next_point(p, n);

		delta += (uint64_t)(m - n) * (done + 1);
		n = m;
		for (uint32_t k = 0; k < p->n; k++) {
			delta += p->c[k] < n;
			if (p->c[k] != n)
				continue;
			if (delta > UINT32_MAX || !delta_write((uint32_t)delta, bias, ret, &len))
				return false;
			bias = adapt((uint32_t)delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
	*ret_len = len;
	return true;
}

/* No surrogate, no control character, and none of the dots that browsers take for a label's end. */
static bool point_ok(uint32_t c)
{
	if (c < INITIAL_N)
		return c != '.';
	return c >= 0xa0 && (c < 0xd800 || c > 0xdfff) && c != 0x3002 && c != 0xff0e && c != 0xff61;
}

bool punycode_canonical(struct bytes text)
{
	uint8_t again[PUNYCODE_MAX];
	struct points p;
	size_t len;
	bool beyond = false;

	if (text.len == 0 || text.len > PUNYCODE_MAX || !decode(text, &p))
		return false;
	for (uint32_t k = 0; k < p.n; k++) {
		if (!point_ok(p.c[k]))
			return false;
		beyond = beyond || p.c[k] >= INITIAL_N;
	}
	return beyond && encode(&p, again, &len) && bytes_eq(bytes_of(again, len), text);
}
