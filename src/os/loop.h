/* One thread's event loop: descriptors by epoll, timers on the monotonic clock, and work put off to the end of a turn. */
#ifndef SAW_OS_LOOP_H
#define SAW_OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"

enum { LOOP_RANK_MAX = 2 };

struct loop;

/* An fd in the loop. Embed it in the object that owns the fd; zero-initialise. The loop borrows it. */
struct loop_io;
typedef void (*loop_io_fn)(struct loop_io *io, uint32_t events);
struct loop_io {
	loop_io_fn fn;
	void *owner;
	int fd;
	uint32_t events; /* what is asked for now */
	uint32_t armed; /* what the kernel was asked for: perhaps EPOLLIN too, which costs a call only when something comes */
	unsigned rank; /* see loop_io_rank() */
	uint64_t since; /* the turn in which it was last added, moved or asked for something else */
	struct loop *loop; /* NULL when not in a loop */
};

/* A one-shot timer. Embed, zero-initialise. Re-arming moves it. */
struct loop_timer;
typedef void (*loop_timer_fn)(struct loop_timer *t);
struct loop_timer {
	loop_timer_fn fn;
	void *owner;
	uint64_t at_ms; /* when it is looked at: its place in the heap */
	uint64_t due_ms; /* when it fires: then, or later */
	size_t slot; /* place in the heap + 1; 0 when not armed */
	struct loop *loop;
};

/* A call at the end of this turn, once however often it was asked for: the place to free an object
 * whose own callback is still on the stack. Embed, zero-initialise. */
struct loop_later;
typedef void (*loop_later_fn)(struct loop_later *l);
struct loop_later {
	loop_later_fn fn;
	void *owner;
	struct loop_later *next;
	struct loop *loop; /* set while queued */
};

int loop_new(struct loop **ret, struct err *e);
struct loop *loop_free(struct loop *l);

/* Level-triggered unless EPOLLET is in `events`. The io must stay where it is until removed.
 * `events` 0 still reports EPOLLERR and EPOLLHUP. */
int loop_io_add(struct loop *l, struct loop_io *io, int fd, uint32_t events, loop_io_fn fn, void *owner,
		struct err *e);
/* Only makes a system call when `events` differ from what is asked for now. */
void loop_io_want(struct loop_io *io, uint32_t events);
/* The descriptor of `from`, and what is asked for it, has another watcher from now on, `to`, without a system call; `from` is as removed. */
void loop_io_move(struct loop_io *to, struct loop_io *from, loop_io_fn fn, void *owner);
/* Those with something in the same turn are called by rank, 0 (as they are added) to LOOP_RANK_MAX: one may rely on what was heard before it. */
void loop_io_rank(struct loop_io *io, unsigned rank);
/* That there is nothing to read is known as of the beginning of this turn: EPOLLIN was asked for then, and the kernel told of every descriptor
 * that had something, but not of this one. */
bool loop_io_heard(const struct loop_io *io);
/* Safe when not in a loop, and from inside any callback: no further event of this io is delivered. Does not close the fd. */
void loop_io_remove(struct loop_io *io);

/* Fires once, `in_ms` from the loop's now. False when out of memory. */
bool loop_timer_arm(struct loop *l, struct loop_timer *t, uint64_t in_ms, loop_timer_fn fn, void *owner);
void loop_timer_disarm(struct loop_timer *t);

void loop_later(struct loop *l, struct loop_later *later, loop_later_fn fn, void *owner);
void loop_later_cancel(struct loop_later *later);

/* Monotonic milliseconds as of the start of this turn: cheap. */
uint64_t loop_now_ms(const struct loop *l);

/* Runs until loop_stop(); returns the code given there, or a negative errno. */
int loop_run(struct loop *l, struct err *e);
/* One turn of at most `wait_ms` (-1: no limit). 0, or a negative errno. For tests and for start-up phases. */
int loop_turn(struct loop *l, int wait_ms, struct err *e);
void loop_stop(struct loop *l, int code);

/* Clocks. */
uint64_t clock_mono_ms(void);
uint64_t clock_real_ms(void);
/* Monotonic, and goes on while the machine sleeps: for what shall end after so long, whatever is done to the wall clock. */
uint64_t clock_boot_ms(void);

#endif
