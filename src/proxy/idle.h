/* Connections to hosts that are between two requests and belong to no flow: the next flow to the same name and port goes on with one. */
#ifndef SAW_PROXY_IDLE_H
#define SAW_PROXY_IDLE_H

#include "proxy/http_side.h"
#include "wire/ip.h"
#include "wire/name.h"

enum {
	IDLE_MAX = 64, /* of the process; the oldest goes first */
	IDLE_MS = 30000, /* sooner than most hosts close them */
};

/* Where a connection leads. None to outlet: what outlet writes down names the flow that it was made for. */
struct idle_place {
	struct name name;
	uint16_t port;
	struct ip ip; /* that dialer connected, and whether policy allowed it: as it was put */
	bool judged;
};

/* Takes what `s` has open and leaves it closed. */
void idle_put(struct http_side *s, struct loop *l, const struct idle_place *at);
/* Opens `s` on a kept connection, the youngest; fills in its ip and judged. False when there is none. `now`: one that has said nothing
 * until now; else the caller hears what it has to say before it asks anything. */
bool idle_take(struct http_side *s, struct idle_place *at, bool now, http_side_fn fn, void *owner);
/* Closes all: another policy, another credential, the end. Connections that flows share (h2_host.h) end with what they carry. */
void idle_clear(void);

#endif
