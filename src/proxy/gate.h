/* What a flow of any mode needs from its process (inlet or outlet): the policy in force, the audit trail, connections
 * from dialer or through outlet. */
#ifndef SAW_PROXY_GATE_H
#define SAW_PROXY_GATE_H

#include "os/loop.h"
#include "rules/policy.h"
#include "wire/event.h"

struct gate;

/* Where connections come from. To outlet, canonical HTTP/1.1 is spoken in clear, whatever the host speaks; outlet writes the allow
 * events of its requests. */
enum gate_way { GATE_DIALER, GATE_OUTLET, GATE_WAYS };

/* One outstanding question of ours to another process. Embed in the flow, zero-initialise; one
 * question at a time. */
struct gate_wait {
	struct gate *gate; /* set while waiting */
	uint64_t id;
	uint64_t asked_ms; /* 0: waits for its turn */
	enum gate_way way;
	bool with_dialer; /* it counts there */
	uint16_t port;
	struct bytes name; /* borrowed */
	struct gate_wait *next;
	struct gate_wait **prev;
	void *owner;
	void (*on_event)(void *owner, bool written);
	void (*on_dial)(void *owner, int fd, struct ip ip, enum reason reason);
};
/* No call will come any more; a dial is cancelled at dialer, or by outlet left to its end. Safe when nothing is outstanding. */
void gate_wait_cancel(struct gate_wait *w);

struct loop *gate_loop(const struct gate *g);
struct tls_ctx; /* net/tls.h */
/* Of this process; NULL where none was set. */
struct tls_ctx *gate_tls(const struct gate *g);
/* This process is outlet: what it reads must be canonical already. */
bool gate_is_outlet(const struct gate *g);
/* The value of a credential: only outlet has any. Borrowed until the loop turns. False: there is none. */
bool gate_secret(const struct gate *g, struct bytes id, struct bytes *ret_value, uint64_t *ret_version);
/* The policy in force now. The pointer is stable until the next on_policy call of flow.h; copy
 * what must live longer. */
const struct policy *gate_policy(const struct gate *g);
uint64_t gate_generation(const struct gate *g);
/* Whose workspace this is; borrowed for the life of the gate. */
struct gate_who {
	struct bytes id; /* "ws-..." */
	struct bytes name;
	struct bytes owner;
};
const struct gate_who *gate_who(const struct gate *g);
uint64_t gate_next_flow(struct gate *g); /* a fresh flow id, unique for the life of the workspace */

/* Reports `ev` (copied; generation is filled in). `done` is called from the loop, never from
 * inside this call: written false means that the log cannot take it and the action must not
 * happen (REASON_AUDIT_UNWRITABLE). */
void gate_event(struct gate *g, struct gate_wait *w, const struct event *ev,
		void (*done)(void *owner, bool written), void *owner);
/* Reports without waiting: for ends and notes. */
void gate_note(struct gate *g, const struct event *ev);

/* The only way that leads to this name under the policy in force: outlet's for guarded names, if we are not outlet. */
enum gate_way gate_way(const struct gate *g, struct bytes name);

/* Asks for a connection by gate_way(), now or when it is this one's turn. `name` is borrowed until then. `done` gets a connected non-blocking descriptor (given) and its
 * literal, with REASON_OK, or -1 and the reason, for which the other side has already written the event
 * (except REASON_ROLE_DOWN: then nobody has). While a dial of `flow` is outstanding another one of it is REASON_ROLE_DOWN. */
void gate_dial(struct gate *g, struct gate_wait *w, uint64_t flow, struct bytes name, uint16_t port,
	       void (*done)(void *owner, int fd, struct ip ip, enum reason reason), void *owner);

#endif
