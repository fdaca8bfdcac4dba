#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/num.h"

enum { BUF_FIRST = 256 };

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_init_wiping(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max, .wipes = true };
}

void buf_charge(struct buf *b, struct buf_sum *sum)
{
	must(!b->cap);
	b->sum = sum;
}

void buf_deinit(struct buf *b)
{
	if (b->wipes && b->p)
		explicit_bzero(b->p, b->cap);
	free(b->p);
	if (b->sum)
		b->sum->used -= b->cap;
	*b = (struct buf){ .max = b->max, .wipes = b->wipes, .sum = b->sum };
}

static bool has_room(const struct buf_sum *sum, size_t more)
{
	return sum->used <= sum->max && more <= sum->max - sum->used;
}

/* realloc() would leave the old bytes behind. */
static uint8_t *grow(const struct buf *b, size_t cap)
{
	uint8_t *p;

	if (!b->wipes)
		return realloc(b->p, cap);
	p = malloc(cap);
	if (p && b->p) {
		memcpy(p, b->p, b->len);
		explicit_bzero(b->p, b->cap);
		free(b->p);
	}
	return p;
}

uint8_t *buf_room_grown(struct buf *b, size_t len)
{
	size_t cap;
	uint8_t *p;

	if (b->failed)
		return NULL;
	if (len > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	if (len <= b->cap - b->len && b->p)
		return b->p + b->len;
	cap = b->cap ? b->cap : BUF_FIRST;
	while (cap - b->len < len)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max && b->len + len <= b->max)
		cap = b->max ? b->max : 1;
	p = !b->sum || has_room(b->sum, cap - b->cap) ? grow(b, cap) : NULL;
	if (!p) {
		b->failed = true;
		return NULL;
	}
	if (b->sum)
		b->sum->used += cap - b->cap;
	b->p = p;
	b->cap = cap;
	return b->p + b->len;
}

void buf_grew(struct buf *b, size_t len)
{
	must(len <= b->cap - b->len);
	b->len += len;
}

bool buf_vfmt(struct buf *b, const char *format, va_list ap)
{
	char small[512];
	char *large;
	va_list again;
	int n;
	bool ok;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), format, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < sizeof(small)) {
		(void)buf_add(b, small, (size_t)n);
	} else {
		large = malloc((size_t)n + 1);
		ok = large && vsnprintf(large, (size_t)n + 1, format, again) == n;
		if (ok)
			(void)buf_add(b, large, (size_t)n);
		else
			b->failed = true;
		free(large);
	}
	va_end(again);
	return !b->failed;
}

bool buf_fmt(struct buf *b, const char *format, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, format);
	ok = buf_vfmt(b, format, ap);
	va_end(ap);
	return ok;
}

bool buf_decimal(struct buf *b, uint64_t v)
{
	char digits[NUM_TEXT_MAX + 1];
	size_t n = num_text(v, digits);

	return buf_add(b, digits, n);
}

bool buf_u16be(struct buf *b, uint16_t v)
{
	const uint8_t s[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	return buf_add(b, s, sizeof(s));
}

bool buf_u32be(struct buf *b, uint32_t v)
{
	const uint8_t s[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	return buf_add(b, s, sizeof(s));
}

bool buf_u64be(struct buf *b, uint64_t v)
{
	(void)buf_u32be(b, (uint32_t)(v >> 32));
	return buf_u32be(b, (uint32_t)v);
}

void buf_consume(struct buf *b, size_t n)
{
	must(n <= b->len);
	if (n && n < b->len)
		memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
	if (b->wipes && n)
		explicit_bzero(b->p + b->len, n);
}

void buf_reset(struct buf *b)
{
	if (b->wipes && b->len)
		explicit_bzero(b->p, b->len);
	b->len = 0;
	b->failed = false;
}

const char *buf_cstr(struct buf *b)
{
	uint8_t *room;

	if (b->failed)
		return "";
	b->max++; /* the terminator is not contents */
	room = buf_room(b, 1);
	b->max--;
	if (!room)
		return "";
	*room = '\0';
	return (const char *)b->p;
}
