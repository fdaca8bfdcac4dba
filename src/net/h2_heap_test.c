#include "net/h2_heap.h"

#include "base/tap.h"

TEST(what_is_taken_is_counted_until_it_is_given_back)
{
	struct h2_heap h;
	nghttp2_mem mem;
	void *p;
	void *q;

	h2_heap_init(&h, 10000, &mem);
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

	h2_heap_init(&h, 10000, &mem);
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
