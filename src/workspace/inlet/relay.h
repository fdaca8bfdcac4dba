/* Moves bytes both ways between two connected sockets without looking at them: splice through
 * pipes, half-close, back-pressure. */
#ifndef SAW_INLET_RELAY_H
#define SAW_INLET_RELAY_H

#include "base/buf.h"
#include "os/loop.h"

enum {
	RELAY_PIPE_BYTES =
		1024 * 1024, /* asked for; the kernel's limit for our uid may give less */
	RELAY_PIPES_KEPT =
		16, /* empty pipes kept for the next flow; a flow without bytes under way holds none */
	RELAY_ROUNDS = 4, /* reads of one direction in one turn of the loop */
};

struct relay;
struct relay_pipe {
	int read_fd;
	int write_fd;
};

/* One end. Fields are private to relay.c. */
struct relay_end {
	struct relay *relay;
	struct loop_io io;
	int fd;
	bool gone; /* both its directions are through, or it hung up: no longer watched */
};

/* One direction. `from` and `to` are indices into relay.end. */
struct relay_way {
	unsigned from;
	unsigned to;
	struct buf *head; /* bytes to send first; NULL when sent */
	struct buf rest; /* of a copy that `to` did not take whole */
	bool bulk; /* splice; else copy */
	bool more; /* the last read brought so much that another one is worth its call */
	struct relay_pipe pipe;
	bool has_pipe;
	size_t in_pipe;
	uint64_t moved;
	bool eof; /* `from` has sent its last byte */
	bool through; /* ... and `to` got it: its write side is shut */
};

/* Embed; zero-initialise. */
struct relay {
	struct loop *loop;
	struct relay_end end[2];
	struct relay_way way[2]; /* 0: from end 0 to end 1 */
	bool starved; /* it has failed since there was no memory (net/held.h) */
	void (*on_end)(void *owner, bool clean);
	void *owner;
};

/* Borrows both descriptors (non-blocking) and `head`, which end 0 has sent already and end 1
 * gets first. on_end is called once, from the loop, when both directions are through (clean) or
 * one has failed; then relay_stop() was called already. */
int relay_start(struct relay *r, struct loop *l, int fd0, int fd1, struct buf *head,
		void (*on_end)(void *owner, bool clean), void *owner, struct err *e);
/* Stops at once; closes no socket. Safe twice and when never started. */
void relay_stop(struct relay *r);

/* Bytes that arrived at end 1 (way 0) and at end 0 (way 1). */
static inline uint64_t relay_moved(const struct relay *r, unsigned way)
{
	return r->way[way].moved;
}

/* Closes the pipes that are kept. */
void relay_pipes_drop(void);

#endif
