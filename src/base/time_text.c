#include "base/time_text.h"

#include <stdio.h>

/* Days since 1970-01-01 of a civil date and back: proleptic Gregorian, years 1970..9999. */
static uint64_t days_of(unsigned y, unsigned m, unsigned d)
{
	unsigned yy = m <= 2 ? y - 1 : y;
	unsigned era = yy / 400;
	unsigned yoe = yy % 400;
	unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return (uint64_t)era * 146097 + doe - 719468;
}

static void civil_of(uint64_t days, unsigned *y, unsigned *m, unsigned *d)
{
	uint64_t z = days + 719468;
	unsigned era = (unsigned)(z / 146097);
	unsigned doe = (unsigned)(z % 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

void time_text(uint64_t unix_ms, char ret[TIME_TEXT_MAX])
{
	static const uint64_t last_ms = 253402300799999; /* 9999-12-31T23:59:59.999Z */
	uint64_t ms = unix_ms > last_ms ? last_ms : unix_ms;
	unsigned y;
	unsigned m;
	unsigned d;
	unsigned s = (unsigned)(ms / 1000 % 86400);

	civil_of(ms / 86400000, &y, &m, &d);
	(void)snprintf(ret, TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", y % 10000, m % 100,
		       d % 100, s / 3600 % 100, s / 60 % 60, s % 60, (unsigned)(ms % 1000));
}

static bool digits(struct bytes t, size_t at, size_t n, unsigned *ret)
{
	unsigned v = 0;

	for (size_t i = at; i < at + n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(t.p[i] - '0');
	}
	*ret = v;
	return true;
}

bool time_text_parse(struct bytes t, uint64_t *ret_unix_ms)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	unsigned f[6];
	unsigned ms = 0;
	static const uint8_t at[6] = { 0, 5, 8, 11, 14, 17 };
	unsigned y;
	unsigned m;
	unsigned d;
	uint64_t days;

	if (t.len != 20 && t.len != 24)
		return false;
	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] != 'd' && t.p[i] != (uint8_t)shape[i])
			return false;
	if (t.p[t.len - 1] != 'Z')
		return false;
	for (size_t i = 0; i < 6; i++)
		if (!digits(t, at[i], i == 0 ? 4 : 2, &f[i]))
			return false;
	if (t.len == 24 && (t.p[19] != '.' || !digits(t, 20, 3, &ms)))
		return false;
	if (f[0] < 1970 || f[1] < 1 || f[1] > 12 || f[2] < 1 || f[3] > 23 || f[4] > 59 || f[5] > 59)
		return false;
	days = days_of(f[0], f[1], f[2]);
	civil_of(days, &y, &m, &d);
	if (y != f[0] || m != f[1] || d != f[2])
		return false;
	*ret_unix_ms = (days * 86400 + f[3] * 3600U + f[4] * 60U + f[5]) * 1000 + ms;
	return true;
}
