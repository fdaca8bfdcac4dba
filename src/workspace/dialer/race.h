/* Connecting to the first of several addresses that answers (RFC 8305): families in turn, each attempt a little after the one before. */
#ifndef SAW_DIALER_RACE_H
#define SAW_DIALER_RACE_H

#include "os/loop.h"
#include "wire/ip.h"

enum {
	RACE_MAX = 8, /* addresses tried */
	RACE_STAGGER_MS = 250,
	RACE_MS = 10000, /* for all together */
};

/* Puts addresses into the order in which they are tried: those that the host has a route to first, IPv6 and IPv4 in turn. */
void race_order(struct ip *ips, unsigned n);

struct race_try {
	struct race *race;
	struct ip ip;
	int fd;
	struct loop_io io;
};

/* Embed, zero-initialise. Fields are private to race.c. */
struct race {
	struct loop *loop; /* set while it runs */
	struct race_try tries[RACE_MAX];
	unsigned n;
	unsigned n_started;
	unsigned n_lost;
	uint16_t port;
	int code; /* of the last failure */
	struct loop_timer next;
	struct loop_timer late;
	struct loop_later lost;
	void (*done)(void *owner, int fd, struct ip ip, int code);
	void *owner;
};

/* n is 1..RACE_MAX. `done` is called once, from the loop, never from inside this call: with a connected fd (given) and its
 * address, or with -1 and the positive errno of the last failure (ETIMEDOUT when time was up). */
void race_start(struct race *r, struct loop *l, const struct ip *ips, unsigned n, uint16_t port,
		void (*done)(void *owner, int fd, struct ip ip, int code), void *owner);
void race_cancel(struct race *r);

#endif
