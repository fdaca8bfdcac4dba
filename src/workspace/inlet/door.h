/* The listening TCP sockets: accepts what the guest opens, finds the name that its address
 * stands for, and starts the flow. */
#ifndef SAW_INLET_DOOR_H
#define SAW_INLET_DOOR_H

#include "proxy/gate_main.h"
#include "workspace/inlet/authority.h"
#include "workspace/inlet/pool.h"

enum {
	DOORS_MAX = 2 * POLICY_PORTS_MAX +
		    4, /* the ports of two policies during a change, and our own */
	DOOR_BATCH = 32, /* connections accepted in one turn of the loop by one listener */
	DOOR_PAUSE_MS = 50, /* when there is no room for another connection */
};

struct doors;

/* Borrows all. `flows_max`: open flows at a time, at most FLOWS_MAX. */
int doors_new(struct doors **ret, struct gate *g, struct pool *pool, struct authority *authority, size_t flows_max,
	      struct err *e);
struct doors *doors_free(struct doors *d);

/* Takes a listening socket for `port`, in place of the one it had. Nothing is accepted before
 * doors_open(). */
int doors_add(struct doors *d, uint16_t port, int fd, struct err *e);
/* Closes the listener of `port`. */
void doors_remove(struct doors *d, uint16_t port);
/* A policy is in force: from now on connections are accepted. */
int doors_open(struct doors *d, struct err *e);
/* Some listener stands for this port. */
bool doors_has(const struct doors *d, uint16_t port);

#endif
