/* Memory that is freed all at once, with a ceiling; overflow is sticky and checked once at the end. */
#ifndef SAW_BASE_ARENA_H
#define SAW_BASE_ARENA_H

#include "base/bytes.h"

struct arena_chunk;

/* Read `failed`; the rest is private. */
struct arena {
	struct arena_chunk *chunks;
	size_t used; /* bytes given out, and what alignment and chunks cost */
	size_t max;
	bool failed;
};

/* `max`: the most memory it may ever take. Allocates nothing yet. */
void arena_init(struct arena *a, size_t max);
/* Frees everything that it gave; safe twice. */
void arena_deinit(struct arena *a);
#define ARENA_AUTO __attribute__((cleanup(arena_deinit)))

/* `n` objects of `size` bytes, zeroed and aligned for any type, or NULL (failed) when over the ceiling or out of memory. Never NULL
 * for n == 0. */
void *arena_alloc(struct arena *a, size_t n, size_t size);
/* A copy; an empty run, with a->failed set, when there is no room. */
struct bytes arena_copy(struct arena *a, struct bytes s);

#endif
