#include "wire/json_number.h"

#include "base/num.h"

enum { POWER_MAX = 307, SURE_DIGITS = 15, EXPONENT_CAP = 100000 };

/* Sign, digits without zeros at either end, and the power of ten of the last one; zero has no digits and no sign. */
struct decimal {
	bool negative;
	bool plain; /* written without point and exponent */
	uint8_t n;
	uint8_t digits[JSON_NUMBER_MAX];
	int32_t power;
};

/* What stands behind the e; far beyond every limit it no longer matters how far. */
static int32_t exponent(struct bytes s)
{
	int32_t e = 0;
	bool down = false;

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '-' || s.p[i] == '+')
			down = s.p[i] == '-';
		else if (e < EXPONENT_CAP)
			e = e * 10 + (s.p[i] - '0');
	return down ? -e : e;
}

static struct decimal decimal(struct bytes s)
{
	struct decimal d = { .negative = s.p[0] == '-' };
	bool point = false;
	size_t i = d.negative;

	for (; i < s.len && (s.p[i] | 0x20) != 'e'; i++) {
		if (s.p[i] == '.') {
			point = true;
			continue;
		}
		d.power -= point;
		if (d.n || s.p[i] != '0')
			d.digits[d.n++] = s.p[i];
	}
	d.plain = !point && i == s.len;
	if (i < s.len)
		d.power += exponent(bytes_skip(s, i + 1));
	for (; d.n && d.digits[d.n - 1] == '0'; d.n--)
		d.power++;
	if (d.n == 0) {
		d.negative = false;
		d.power = 0;
	}
	return d;
}

bool json_number_valid(struct bytes s)
{
	struct bytes all;

	return s.len && json_lex_number(s, &all) == JSON_OK && all.len == s.len;
}

bool json_number_same(struct bytes a, struct bytes b)
{
	struct decimal x, y;

	if (!json_number_valid(a) || !json_number_valid(b))
		return false;
	x = decimal(a);
	y = decimal(b);
	return x.negative == y.negative && x.power == y.power && x.n == y.n && memcmp(x.digits, y.digits, x.n) == 0;
}

bool json_number_is_double(struct bytes s)
{
	struct decimal d = decimal(s);
	int32_t top = d.power + d.n - 1;

	return d.n == 0 || (top >= -POWER_MAX && top <= POWER_MAX);
}

bool json_number_rounds(struct bytes s)
{
	struct decimal d = decimal(s);
	uint64_t v;

	return d.n > SURE_DIGITS && !(d.plain && num_u64(bytes_skip(s, d.negative), INT64_MAX, &v));
}
