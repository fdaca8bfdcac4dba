#include "base/arena.h"

#include <stdlib.h>

#include "base/must.h"

enum { CHUNK_LEN = 64 * 1024, ALIGN = 16 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t len;
	size_t off;
	_Alignas(ALIGN) uint8_t p[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void arena_deinit(struct arena *a)
{
	struct arena_chunk *c = a->chunks;

	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
	arena_init(a, a->max);
}

static struct arena_chunk *chunk_add(struct arena *a, size_t need)
{
	size_t len = need > CHUNK_LEN ? need : CHUNK_LEN;
	struct arena_chunk *c;

	if (len > a->max - a->used)
		len = need;
	if (len > a->max - a->used)
		return NULL;
	c = calloc(1, sizeof(*c) + len);
	if (!c)
		return NULL;
	c->len = len;
	c->next = a->chunks;
	a->chunks = c;
	a->used += len;
	return c;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	struct arena_chunk *c = a->chunks;
	size_t need;
	void *p;

	must(size > 0);
	if (a->failed || n > (SIZE_MAX / 2 - ALIGN) / size) {
		a->failed = true;
		return NULL;
	}
	need = (n * size + ALIGN) / ALIGN * ALIGN;
	if (!c || need > c->len - c->off)
		c = chunk_add(a, need);
	if (!c) {
		a->failed = true;
		return NULL;
	}
	p = c->p + c->off;
	c->off += need;
	return p;
}

struct bytes arena_copy(struct arena *a, struct bytes s)
{
	uint8_t *p = arena_alloc(a, s.len, 1);

	if (!p)
		return bytes_of(NULL, 0);
	if (s.len)
		memcpy(p, s.p, s.len);
	return bytes_of(p, s.len);
}
