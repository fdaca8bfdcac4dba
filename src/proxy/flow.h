/* A TCP connection of the guest, from accept to its end: the part that all modes share, and the
 * register of open flows. */
#ifndef SAW_PROXY_FLOW_H
#define SAW_PROXY_FLOW_H

#include "proxy/gate.h"

enum {
	FLOWS_MAX = 4096, /* open flows of a workspace; more: REASON_TOO_MANY_FLOWS */
	FLOW_FIRST_BYTES_MS = 10000, /* until ClientHello or request head is complete */
};

struct flow;
struct tls;

/* What a mode implements. */
struct flow_ops {
	/* The policy changed: gate_policy() is the new one. End yourself when it no longer
	 * allows you. */
	void (*on_policy)(struct flow *f);
	/* Outlet: this credential was replaced or is gone. NULL: nothing to do. */
	void (*on_secret)(struct flow *f, struct bytes id);
	/* End now, because the whole role stops: leave the register, close descriptors, free. Nobody
	 * waits for anything any more. */
	void (*on_stop)(struct flow *f);
};

/* Embedded first in each mode's own struct, which its start function fills from the facts that it
 * was given. */
struct flow {
	const struct flow_ops *ops;
	struct gate *gate;
	uint64_t id;
	uint64_t started_ms; /* monotonic */
	int fd; /* the guest's socket, non-blocking; the mode owns it */
	struct ip src;
	struct ip dst; /* the synthetic address */
	uint16_t src_port;
	uint16_t dst_port;
	struct name name; /* that the address stands for */
	struct policy_entry
		entry; /* that owned name and port when it began; ask again after on_policy */
	struct flow *next;
	struct flow **prev;
};

/* Each mode's door: takes the flow's facts (copied) and its fd, allocates its own struct,
 * registers itself. On failure closes the fd. */
void tunnel_flow_start(const struct flow *facts); /* passthrough and tcp */
void http_flow_start(const struct flow *facts); /* http in clear */
/* Http in `tls`, which it takes too (handshake done). */
void http_flow_start_tls(const struct flow *facts, struct tls *tls);
struct h2_stream;
/* One request on a stream of HTTP/2, which it takes. `facts` has no fd. */
void http_flow_start_stream(const struct flow *facts, struct h2_stream *stream);
void self_flow_start(const struct flow *facts); /* http://saw.internal/ at the gateway's address */

/* Enters the register. */
void flow_register(struct flow *f);
/* Leaves it. The mode frees its memory itself afterwards (through loop_later when its own
 * callback is on the stack). */
void flow_unregister(struct flow *f);

/* The policy in force has no such entry: what was borrowed from the one before, which goes away, is forgotten. */
static inline void flow_forget_entry(struct flow *f)
{
	f->entry.rule = f->entry.ca = f->entry.upstream = bytes_of(NULL, 0);
	f->entry.credential = POLICY_NONE;
}

/* An event with this flow's addresses, ports, name, id and rule filled in. */
struct event flow_event(const struct flow *f, enum event_kind kind, enum event_action action,
			enum reason reason);

#endif
