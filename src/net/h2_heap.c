#include "net/h2_heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

static void *heap_malloc(size_t size, void *user)
{
	struct h2_heap *h = user;
	void *p;

	if (h->used > h->max || size > h->max - h->used)
		return NULL;
	p = malloc(size);
	h->used += malloc_usable_size(p);
	return p;
}

static void heap_free(void *p, void *user)
{
	struct h2_heap *h = user;

	h->used -= malloc_usable_size(p);
	free(p);
}

static void *heap_calloc(size_t n, size_t size, void *user)
{
	struct h2_heap *h = user;
	void *p;

	if (!n || !size || h->used > h->max || size > (h->max - h->used) / n)
		return NULL;
	p = calloc(n, size);
	h->used += malloc_usable_size(p);
	return p;
}

static void *heap_realloc(void *p, size_t size, void *user)
{
	struct h2_heap *h = user;
	size_t before = malloc_usable_size(p);
	void *q;

	if (h->used > h->max || (size > before && size - before > h->max - h->used))
		return NULL;
	q = realloc(p, size);
	if (q)
		h->used += malloc_usable_size(q) - before;
	return q;
}

void h2_heap_init(struct h2_heap *h, size_t max, nghttp2_mem *ret)
{
	*h = (struct h2_heap){ .max = max };
	*ret = (nghttp2_mem){ .mem_user_data = h,
			      .malloc = heap_malloc,
			      .free = heap_free,
			      .calloc = heap_calloc,
			      .realloc = heap_realloc };
}
