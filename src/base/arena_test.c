#include "base/arena.h"

#include "base/tap.h"

TEST(an_arena_never_takes_more_than_its_ceiling_and_stays_failed)
{
	ARENA_AUTO struct arena a;

	arena_init(&a, 100 * 1024);
	CHECK(arena_alloc(&a, 1, 60 * 1024) != NULL);
	CHECK(arena_alloc(&a, 1, 60 * 1024) == NULL && a.failed);
	CHECK(arena_alloc(&a, 1, 1) == NULL);
	arena_deinit(&a);
	CHECK(!a.failed && arena_alloc(&a, 1, 1) != NULL);
	CHECK(arena_alloc(&a, SIZE_MAX, 16) == NULL && a.failed);
}

TEST(what_an_arena_gives_is_zeroed_and_apart)
{
	ARENA_AUTO struct arena a;
	uint8_t *last = NULL;

	arena_init(&a, 1024 * 1024);
	for (size_t i = 0; i < 5000; i++) {
		uint8_t *p = arena_alloc(&a, 1 + i % 40, 1);

		CHECK(p && p != last && p[0] == 0 && (uintptr_t)p % 16 == 0);
		if (!p)
			return;
		memset(p, 0xff, 1 + i % 40);
		last = p;
	}
	CHECK(bytes_is(arena_copy(&a, bytes_str("text")), "text") && arena_alloc(&a, 0, 8) != NULL);
}
