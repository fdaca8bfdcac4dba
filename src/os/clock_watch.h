/* Tells when somebody sets the system's clock: a person, a step of NTP, a machine that wakes up. For what is good by the wall clock. */
#ifndef SAW_OS_CLOCK_WATCH_H
#define SAW_OS_CLOCK_WATCH_H

#include "os/loop.h"

typedef void (*clock_watch_fn)(void *owner);

/* Zero-initialise. */
struct clock_watch {
	struct loop_io io;
	clock_watch_fn fn;
	void *owner;
};

/* Calls `fn` once for each time that it is set, or for several. Needs no system call but read() afterwards. */
int clock_watch_start(struct clock_watch *w, struct loop *l, clock_watch_fn fn, void *owner, struct err *e);
/* Safe when it was not started. */
void clock_watch_stop(struct clock_watch *w);

#endif
