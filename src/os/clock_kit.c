#include "os/clock_kit.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

/* The loop asks the system's clock and nobody else, so that is where a test stands in: no product has a way to change its time. */

enum { CLOCKS = 8, TURNS = 4 };

static bool stopped;
static struct timespec at[CLOCKS];
static uint64_t ahead_ms;
static int64_t set_ms; /* the wall clock only */

static int system_clock(clockid_t id, struct timespec *ret)
{
	return (int)syscall(SYS_clock_gettime, id, ret);
}

/* In place of libc's. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	int64_t ms;

	if (!stopped || id < 0 || id >= CLOCKS)
		return system_clock(id, ret);
	ms = (int64_t)ahead_ms + (id == CLOCK_REALTIME ? set_ms : 0) + at[id].tv_nsec / 1000000;
	*ret = at[id];
	ret->tv_sec += (time_t)(ms / 1000);
	ms %= 1000;
	if (ms < 0) {
		ret->tv_sec--;
		ms += 1000;
	}
	ret->tv_nsec = (long)ms * 1000000 + at[id].tv_nsec % 1000000;
	return 0;
}

void kit_clock_stops(void)
{
	ahead_ms = 0;
	set_ms = 0;
	stopped = true;
	for (clockid_t id = 0; id < CLOCKS; id++)
		must(system_clock(id, &at[id]) == 0);
}

void kit_clock_moves(uint64_t ms)
{
	must(stopped);
	ahead_ms += ms;
}

void kit_clock_is_set(int64_t ms)
{
	must(stopped);
	set_ms += ms;
}

void kit_clock_turns(struct loop *l)
{
	for (int i = 0; i < TURNS; i++)
		must(loop_turn(l, 0, NULL) == 0);
}
