#include "net/h2_heap.h"

#include <string.h>

#include "base/tap.h"

TEST(what_is_taken_is_counted_until_it_is_given_back)
{
	struct h2_heap h;
	nghttp2_mem mem;
	void *p;
	void *q;

	h2_heap_init(&h, 10000, false, &mem);
	p = mem.malloc(1000, mem.mem_user_data);
	CHECK(p && h.used >= 1000 && h.used < 1100);
	q = mem.calloc(10, 100, mem.mem_user_data);
	CHECK(q && h.used >= 2000 && h.used < 2200);
	p = mem.realloc(p, 3000, mem.mem_user_data);
	CHECK(p && h.used >= 4000 && h.used < 4200);
	p = mem.realloc(p, 10, mem.mem_user_data);
	CHECK(p && h.used < 4200);
	mem.free(p, mem.mem_user_data);
	mem.free(q, mem.mem_user_data);
	mem.free(NULL, mem.mem_user_data);
	CHECK_INT(h.used, 0);
}

TEST(nothing_is_given_over_the_ceiling)
{
	struct h2_heap h;
	nghttp2_mem mem;
	void *p;

	h2_heap_init(&h, 10000, false, &mem);
	CHECK(mem.malloc(10001, mem.mem_user_data) == NULL);
	CHECK(mem.calloc(101, 100, mem.mem_user_data) == NULL);
	CHECK(mem.calloc(SIZE_MAX / 2, 4, mem.mem_user_data) == NULL);
	p = mem.malloc(9000, mem.mem_user_data);
	CHECK(p != NULL);
	CHECK(mem.malloc(2000, mem.mem_user_data) == NULL);
	CHECK(mem.realloc(p, 12000, mem.mem_user_data) == NULL);
	mem.free(p, mem.mem_user_data);
	CHECK_INT(h.used, 0);
}

/* What is given back, as it is then: this program's free() is the one below (meson.build). */
static struct {
	const void *p;
	size_t len;
	bool seen;
	bool empty;
} watched;

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	if (p && p == watched.p) {
		watched.seen = watched.empty = true;
		for (size_t i = 0; i < watched.len; i++)
			watched.empty = watched.empty && ((const uint8_t *)p)[i] == 0;
	}
	__real_free(p);
}

static char *filled(nghttp2_mem *mem)
{
	char *p = mem->malloc(100, mem->mem_user_data);

	memset(p, 'x', 100);
	watched.p = p;
	watched.len = 100;
	watched.seen = false;
	return p;
}

TEST(what_may_hold_a_secret_is_wiped_before_it_is_given_back)
{
	struct h2_heap h;
	nghttp2_mem mem;
	char *p;

	h2_heap_init(&h, 10000, true, &mem);
	mem.free(filled(&mem), mem.mem_user_data);
	CHECK(watched.seen && watched.empty);
	p = mem.realloc(filled(&mem), 3000, mem.mem_user_data);
	CHECK(watched.seen && watched.empty);
	CHECK(p[0] == 'x' && p[99] == 'x' && h.used >= 3000 && h.used < 3200);
	mem.free(p, mem.mem_user_data);
	p = mem.realloc(filled(&mem), 10, mem.mem_user_data);
	CHECK(watched.seen && watched.empty);
	CHECK(p[0] == 'x' && p[9] == 'x' && h.used < 100);
	mem.free(p, mem.mem_user_data);
	mem.free(NULL, mem.mem_user_data);
	CHECK_INT(h.used, 0);
}

TEST(what_holds_none_costs_no_wiping)
{
	struct h2_heap h;
	nghttp2_mem mem;

	h2_heap_init(&h, 10000, false, &mem);
	mem.free(filled(&mem), mem.mem_user_data);
	CHECK(watched.seen && !watched.empty);
}
