/* A borrowed run of bytes, and the few comparisons every parser needs. */
#ifndef SAW_BASE_BYTES_H
#define SAW_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"

/* Borrows; never NUL-terminated by contract. An empty run may have p == NULL. */
struct bytes {
	const uint8_t *p;
	size_t len;
};

static inline struct bytes bytes_of(const void *p, size_t len)
{
	return (struct bytes){ .p = p, .len = len };
}

static inline struct bytes bytes_str(const char *s)
{
	return bytes_of(s, strlen(s));
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool bytes_is(struct bytes a, const char *s)
{
	return bytes_eq(a, bytes_str(s));
}

/* ASCII letters fold; every other byte compares exactly. */
bool bytes_ieq_n(const uint8_t *a, const uint8_t *b, size_t n);
static inline bool bytes_ieq(struct bytes a, struct bytes b)
{
	return a.len == b.len && bytes_ieq_n(a.p, b.p, a.len); /* names mostly differ in length already */
}

static inline bool bytes_starts(struct bytes a, struct bytes prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.p, prefix.p, prefix.len) == 0);
}

static inline bool bytes_ends(struct bytes a, struct bytes suffix)
{
	return a.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(a.p + a.len - suffix.len, suffix.p, suffix.len) == 0);
}

/* The rest after the first `n` bytes. More than there are would be an error of ours (must). */
static inline struct bytes bytes_skip(struct bytes a, size_t n)
{
	must(n <= a.len);
	return n == 0 ? a : bytes_of(a.p + n, a.len - n);
}

/* Eight bytes at once, each of them 0x20..0x7e: taking 0x20 away borrows only below that, adding one carries only above. */
static inline bool bytes_printable_word(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101;

	return !((w | (w - ones * 0x20) | (w + ones)) & ones * 0x80);
}

/* Index of byte `c`, or a.len when it does not occur. */
size_t bytes_find(struct bytes a, uint8_t c);

/* A malloc'ed NUL-terminated copy, or NULL when out of memory or when `a` holds a NUL byte. */
char *bytes_dup(struct bytes a);

/* <0, 0, >0 in unsigned byte order; a prefix sorts first. */
int bytes_cmp(struct bytes a, struct bytes b);

#endif
