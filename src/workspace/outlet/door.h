/* Where inlet asks for connections to guarded names: each is a pair of sockets, one end of which inlet gets to speak canonical
 * HTTP/1.1 on; on the other stands a flow of our own that judges again. */
#ifndef SAW_OUTLET_DOOR_H
#define SAW_OUTLET_DOOR_H

#include "proxy/gate_main.h"

struct door;

/* Borrows the gate. `flows_max`: open flows at a time. */
int door_new(struct door **ret, struct gate *g, size_t flows_max, struct err *e);
struct door *door_free(struct door *d);
/* Takes `fd`, the channel to a (new) inlet. Flows that one before began end by themselves: their sockets close. */
int door_set_inlet(struct door *d, int fd, struct err *e);

#endif
