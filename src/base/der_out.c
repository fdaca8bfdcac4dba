#include "base/der_out.h"

#include "base/must.h"
#include "base/time_text.h"

enum { LONG_FORM = 0x80, LENGTH_BYTES_MAX = 4 };

size_t der_out_open(struct buf *out, unsigned tag)
{
	const uint8_t head[2] = { (uint8_t)tag, 0 };

	(void)buf_add(out, head, sizeof(head));
	return out->len;
}

/* The one byte kept free is enough for a short content; a longer one moves up to make room for its length. */
bool der_out_close(struct buf *out, size_t mark)
{
	size_t len;
	uint8_t bytes[LENGTH_BYTES_MAX];
	size_t n = 0;

	if (out->failed)
		return false;
	must(mark >= 2 && mark <= out->len);
	len = out->len - mark;
	if (len < LONG_FORM) {
		out->p[mark - 1] = (uint8_t)len;
		return true;
	}
	must(len <= UINT32_MAX);
	for (size_t rest = len; rest; rest >>= 8)
		bytes[n++] = (uint8_t)rest;
	if (!buf_room(out, n))
		return false;
	memmove(out->p + mark + n, out->p + mark, len);
	out->p[mark - 1] = (uint8_t)(LONG_FORM | n);
	for (size_t i = 0; i < n; i++)
		out->p[mark + i] = bytes[n - 1 - i];
	buf_grew(out, n);
	return true;
}

bool der_out_put(struct buf *out, unsigned tag, struct bytes content)
{
	size_t mark = der_out_open(out, tag);

	(void)buf_bytes(out, content);
	return der_out_close(out, mark);
}

bool der_out_time(struct buf *out, uint64_t unix_ms)
{
	static const uint8_t from[] = { 0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18 }; /* digits of 2026-11-24T17:00:00 */
	char text[TIME_TEXT_MAX];
	uint8_t digits[sizeof(from) + 1];
	bool short_year;

	time_text(unix_ms, text);
	for (size_t i = 0; i < sizeof(from); i++)
		digits[i] = (uint8_t)text[from[i]];
	digits[sizeof(from)] = 'Z';
	short_year = memcmp(text, "2050", 4) < 0;
	return der_out_put(out, short_year ? DER_UTC_TIME : DER_GENERALIZED_TIME,
			   short_year ? bytes_of(digits + 2, sizeof(digits) - 2) : bytes_of(digits, sizeof(digits)));
}
