#include "net/held.h"

#include <malloc.h>

#include "base/must.h"

static struct buf_sum all = { .max = HELD_MAX };
static size_t most; /* since memory was last given back */

size_t held_total(void)
{
	return all.used;
}

void held_set(size_t *charged, size_t now)
{
	must(all.used >= *charged);
	all.used = all.used - *charged + now;
	*charged = now;
}

void held_buf(struct buf *b)
{
	buf_charge(b, &all);
}

bool held_may_begin(void)
{
	return all.used < HELD_NEW;
}

bool held_may_grow(void)
{
	return all.used < HELD_CONTENT;
}

bool held_fits(const struct buf *b, size_t len)
{
	return len <= b->cap - b->len || held_may_grow();
}

bool held_has(size_t len)
{
	return all.used <= HELD_MAX && len <= HELD_MAX - all.used;
}

/* malloc gives back by itself what lies free at the heap's end only, and some flow that stands lies there. */
void held_ended(void)
{
	size_t now = all.used;

	if (now > most)
		most = now;
	if (most < HELD_GIVES_BACK || now > most / 4)
		return;
	(void)malloc_trim(0);
	most = now;
}
