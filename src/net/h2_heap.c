#include "net/h2_heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/held.h"

static bool may_take(const struct h2_heap *h, size_t size)
{
	return h->used <= h->max && size <= h->max - h->used && held_has(size);
}

/* malloc() may give more than was asked for: that counts too. */
static void took(struct h2_heap *h, const void *p)
{
	held_set(&h->used, h->used + malloc_usable_size((void *)(uintptr_t)p));
}

static void *heap_malloc(size_t size, void *user)
{
	struct h2_heap *h = user;
	void *p;

	if (!may_take(h, size))
		return NULL;
	p = malloc(size);
	took(h, p);
	return p;
}

static void heap_free(void *p, void *user)
{
	struct h2_heap *h = user;
	size_t size = malloc_usable_size(p);

	held_set(&h->used, h->used - size);
	if (h->wipes && p)
		explicit_bzero(p, size);
	free(p);
}

static void *heap_calloc(size_t n, size_t size, void *user)
{
	struct h2_heap *h = user;
	void *p;

	if (!n || !size || size > SIZE_MAX / n || !may_take(h, n * size))
		return NULL;
	p = calloc(n, size);
	took(h, p);
	return p;
}

/* realloc() would leave the old bytes behind. */
static void *move(void *p, size_t before, size_t size)
{
	void *q = malloc(size);

	if (q && p) {
		memcpy(q, p, before < size ? before : size);
		explicit_bzero(p, before);
		free(p);
	}
	return q;
}

static void *heap_realloc(void *p, size_t size, void *user)
{
	struct h2_heap *h = user;
	size_t before = malloc_usable_size(p);
	void *q;

	if (!may_take(h, size > before ? size - before : 0))
		return NULL;
	q = h->wipes ? move(p, before, size) : realloc(p, size);
	if (q)
		held_set(&h->used, h->used - before + malloc_usable_size(q));
	return q;
}

void h2_heap_init(struct h2_heap *h, size_t max, bool wipes, nghttp2_mem *ret)
{
	*h = (struct h2_heap){ .max = max, .wipes = wipes };
	*ret = (nghttp2_mem){ .mem_user_data = h,
			      .malloc = heap_malloc,
			      .free = heap_free,
			      .calloc = heap_calloc,
			      .realloc = heap_realloc };
}
