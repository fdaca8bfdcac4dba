/* The first flight of a TLS client, read and judged before anything else happens: passthrough and intercept begin with it. */
#ifndef SAW_INLET_HELLO_H
#define SAW_INLET_HELLO_H

#include "proxy/flow.h"
#include "base/buf.h"
#include "workspace/inlet/refusal.h"

enum hello_result {
	HELLO_OK, /* one ClientHello, whose name is the flow's */
	HELLO_REFUSED, /* with reason, alert and what was said */
	HELLO_CLOSED, /* the guest went away before it was whole */
};
struct hello_end {
	enum hello_result result;
	enum reason reason;
	enum tls_alert alert;
	struct bytes said; /* the name that stood there, for the record */
};
typedef void (*hello_done_fn)(void *owner, const struct hello_end *end);

/* Embed, zero-initialise. `head` is what was read so far, for whoever goes on; the rest is private. */
struct hello {
	const struct flow *flow;
	struct loop_io io;
	struct loop_timer deadline;
	struct buf head;
	hello_done_fn done;
	void *owner;
};

/* Reads from flow->fd, FLOW_FIRST_BYTES_MS at most. `done` is called once, from the loop; nothing is watched any more by then.
 * False: no memory, and no call will come. */
bool hello_start(struct hello *h, const struct flow *f, hello_done_fn done, void *owner);
/* No call will come any more. Safe when it is over. */
void hello_cancel(struct hello *h);
/* Gives `head` up too. */
void hello_deinit(struct hello *h);

#endif
