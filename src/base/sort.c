#include "base/sort.h"

#include <stdint.h>
#include <string.h>

#include "base/must.h"

/* Heapsort: the largest of the heap in front goes behind it, until nothing is left of it. */

struct heap {
	uint8_t *p;
	size_t size;
	sort_order_fn *order;
	const void *context;
};

static uint8_t *at(const struct heap *h, size_t i)
{
	return h->p + i * h->size;
}

/* Lets element `i` of a heap of `n` sink to its place. */
static void sink(const struct heap *h, size_t i, size_t n)
{
	uint8_t moved[SORT_SIZE_MAX];

	memcpy(moved, at(h, i), h->size);
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && h->order(at(h, child), at(h, child + 1), h->context) < 0)
			child++;
		if (h->order(moved, at(h, child), h->context) >= 0)
			break;
		memcpy(at(h, i), at(h, child), h->size);
	}
	memcpy(at(h, i), moved, h->size);
}

void sort(void *p, size_t n, size_t size, sort_order_fn *order, const void *context)
{
	const struct heap h = { .p = p, .size = size, .order = order, .context = context };
	uint8_t last[SORT_SIZE_MAX];

	must(size > 0 && size <= SORT_SIZE_MAX);
	for (size_t i = n / 2; i-- > 0;)
		sink(&h, i, n);
	for (size_t i = n; i-- > 1;) {
		memcpy(last, at(&h, i), size);
		memcpy(at(&h, i), at(&h, 0), size);
		memcpy(at(&h, 0), last, size);
		sink(&h, 0, i);
	}
}
