/* For tests: the clocks of this process, which can be moved on. A program linked with it hears no other clock_gettime(). */
#ifndef SAW_OS_CLOCK_KIT_H
#define SAW_OS_CLOCK_KIT_H

#include "os/loop.h"

/* Stops the clocks where they are, so that time passes by kit_clock_moves() only. */
void kit_clock_stops(void);
/* `ms` later. */
void kit_clock_moves(uint64_t ms);
/* Somebody sets the wall clock, so many ms forth or back: no other clock moves. */
void kit_clock_is_set(int64_t ms);

/* Turns `l` at the time that it is now: what was due is done. */
void kit_clock_turns(struct loop *l);

#endif
