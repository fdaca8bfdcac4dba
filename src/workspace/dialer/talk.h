/* The CONNECT exchange with an upstream proxy on a connected socket (RFC 9110 9.3.6). */
#ifndef SAW_DIALER_TALK_H
#define SAW_DIALER_TALK_H

#include "os/loop.h"
#include "wire/name.h"

enum { TALK_MS = 10000 };

/* Embed, zero-initialise. */
struct talk {
	struct loop *loop; /* set while it runs */
	int fd;
	struct loop_io io;
	struct loop_timer late;
	struct name name;
	uint16_t port;
	void (*done)(void *owner, int fd, const char *why);
	void *owner;
};

/* Takes `fd`. `done` is called once, from the loop, never from inside this call: with the fd (given) when the tunnel stands, no byte
 * of it read, or with -1 and a clause that says why. False (fd closed, no call) when out of memory. */
bool talk_start(struct talk *t, struct loop *l, int fd, const struct name *name, uint16_t port,
		void (*done)(void *owner, int fd, const char *why), void *owner);
void talk_cancel(struct talk *t);

#endif
