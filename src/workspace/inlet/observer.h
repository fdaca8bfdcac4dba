/* The packet socket that sees what no other socket of ours serves. */
#ifndef SAW_INLET_OBSERVER_H
#define SAW_INLET_OBSERVER_H

#include "workspace/inlet/door.h"

enum {
	OBSERVER_BATCH = 64, /* frames read in one turn of the loop */
	OBSERVER_PAUSE_MS =
		100, /* after a full batch, or while events queue up: the kernel drops what its buffer does not hold */
};

struct observer;

/* Takes `fd`, a filtered AF_PACKET socket; borrows the rest. A policy is in force
 * (gate_has_policy). `mac`: the guest's 6 bytes, or empty when unknown. */
int observer_new(struct observer **ret, struct gate *g, const struct pool *pool,
		 const struct doors *doors, struct bytes mac, int fd, struct err *e);
struct observer *observer_free(struct observer *o);

#endif
