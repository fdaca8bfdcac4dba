/* A growable byte buffer with a ceiling; overflow is sticky and checked once at the end. */
#ifndef SAW_BASE_BUF_H
#define SAW_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/bytes.h"

/* What some bufs hold together: their memory, whether it is filled or not. Over `max` none of them grows. */
struct buf_sum {
	size_t used;
	size_t max;
};

/* Read `p`, `len` and `failed`; change only through the functions. */
struct buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	size_t max;
	struct buf_sum *sum; /* NULL: charged to none */
	bool failed; /* over `max`, or the sum's, or out of memory; contents stay as they were before the failure */
	bool wipes; /* whatever it gives up is overwritten first: what was consumed or reset, the memory it grew out of or frees */
};

/* `max`: the most bytes it may ever hold. Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* The same for contents that may be secret: see `wipes`. Stays so after buf_deinit(). */
void buf_init_wiping(struct buf *b, size_t max);
/* An empty one is charged to `sum` from now on, also after buf_deinit(). */
void buf_charge(struct buf *b, struct buf_sum *sum);
/* Frees; safe twice; leaves an empty buffer with the same ceiling. */
void buf_deinit(struct buf *b);
#define BUF_AUTO __attribute__((cleanup(buf_deinit)))

/* Room for `len` bytes at the end, or NULL (failed). Commit what was written with buf_grew(). */
uint8_t *buf_room_grown(struct buf *b, size_t len);
static inline uint8_t *buf_room(struct buf *b, size_t len)
{
	bool there = !b->failed && b->p && len <= b->cap - b->len && len <= b->max - b->len;

	return there ? b->p + b->len : buf_room_grown(b, len);
}
void buf_grew(struct buf *b, size_t len);

/* Each returns !b->failed. After a failure nothing more is added. */
static inline bool buf_add(struct buf *b, const void *p, size_t len)
{
	uint8_t *room = len ? buf_room(b, len) : NULL;

	if (room) {
		memcpy(room, p, len);
		b->len += len;
	}
	return !b->failed;
}
static inline bool buf_bytes(struct buf *b, struct bytes s)
{
	return buf_add(b, s.p, s.len);
}
static inline bool buf_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}
static inline bool buf_byte(struct buf *b, uint8_t c)
{
	return buf_add(b, &c, 1);
}
bool buf_fmt(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vfmt(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
bool buf_decimal(struct buf *b, uint64_t v);
/* Big-endian integers, as wire formats have them. */
bool buf_u16be(struct buf *b, uint16_t v);
bool buf_u32be(struct buf *b, uint32_t v);
bool buf_u64be(struct buf *b, uint64_t v);

/* Drops the first `n` bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Empties it, clears `failed`, keeps the memory. */
void buf_reset(struct buf *b);

static inline struct bytes buf_view(const struct buf *b)
{
	return bytes_of(b->p, b->len);
}

/* A NUL behind the contents (not counted in len) so that p can be used as a C string; "" when it failed. */
const char *buf_cstr(struct buf *b);

#endif
