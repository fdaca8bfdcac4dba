#include "os/clock_watch.h"

#include <time.h>

#include "base/tap.h"

static void on_set(void *owner)
{
	++*(unsigned *)owner;
}

/* To what it is already: who waits for a change hears of it all the same. Needs CAP_SYS_TIME. */
static bool set_clock(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) == 0 && clock_settime(CLOCK_REALTIME, &now) == 0;
}

TEST(each_time_that_the_clock_is_set_is_told_and_nothing_else)
{
	struct clock_watch w = { 0 };
	struct loop *l = NULL;
	unsigned n = 0;

	CHECK(loop_new(&l, NULL) == 0);
	CHECK(clock_watch_start(&w, l, on_set, &n, NULL) == 0);
	CHECK(loop_turn(l, 20, NULL) == 0 && n == 0);
	if (!set_clock())
		tap_skip("only root may set the clock");
	else
		CHECK(loop_turn(l, 5000, NULL) == 0 && n == 1);
	if (n && set_clock())
		CHECK(loop_turn(l, 5000, NULL) == 0 && n == 2);
	clock_watch_stop(&w);
	clock_watch_stop(&w);
	CHECK(loop_turn(l, 0, NULL) == 0);
	loop_free(l);
}
