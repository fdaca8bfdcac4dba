#include "net/h2_total.h"

#include "base/must.h"

static size_t total;

size_t h2_total(void)
{
	return total;
}

void h2_total_set(size_t *charged, size_t now)
{
	must(total >= *charged);
	total = total - *charged + now;
	*charged = now;
}

bool h2_total_may_begin(void)
{
	return total < H2_TOTAL_NEW;
}

bool h2_total_may_grow(void)
{
	return total < H2_TOTAL_CONTENT;
}

bool h2_total_fits(const struct buf *b, size_t len)
{
	return len <= b->cap - b->len || h2_total_may_grow();
}

bool h2_total_has(size_t len)
{
	return total <= H2_TOTAL_MAX && len <= H2_TOTAL_MAX - total;
}
