#include "base/num.h"

bool num_u64(struct bytes text, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (text.len == 0 || (text.len > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint64_t d = (uint64_t)text.p[i] - '0';

		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

bool num_size(struct bytes text, uint64_t max, uint64_t *ret)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	uint64_t v;

	for (unsigned i = 0; i < 4; i++) {
		struct bytes unit = bytes_str(units[i]);
		unsigned shift = 10 * (i + 1);

		if (!bytes_ends(text, unit))
			continue;
		if (!num_u64(bytes_of(text.p, text.len - unit.len), max >> shift, &v))
			return false;
		*ret = v << shift;
		return true;
	}
	return num_u64(text, max, ret);
}

size_t num_text(uint64_t v, char ret[NUM_TEXT_MAX + 1])
{
	static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
				    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
	char digits[NUM_TEXT_MAX];
	size_t at = sizeof(digits);
	size_t n;

	for (; v >= 100; v /= 100) {
		at -= 2;
		memcpy(digits + at, pairs + v % 100 * 2, 2);
	}
	at -= 2;
	memcpy(digits + at, pairs + v * 2, 2);
	at += v < 10;
	n = sizeof(digits) - at;
	memcpy(ret, digits + at, n);
	ret[n] = '\0';
	return n;
}
