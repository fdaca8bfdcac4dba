/* One wish of inlet or outlet for a connection, from its judgement to the connected descriptor or the refusal. */
#ifndef SAW_DIALER_DIAL_H
#define SAW_DIALER_DIAL_H

#include "ipc/chan.h"
#include "ipc/noise.h"
#include "rules/policy.h"
#include "wire/resolv_conf.h"

enum { DIALS_MAX = 256 /* under way at once; more: REASON_TOO_MANY_FLOWS */ };

struct dial;

/* Who wishes: names with a credential or a review go to outlet alone, all others to inlet alone (policy_guarded()). Outlet may go on with
 * those that lost theirs with the policy in force. */
enum dial_peer { DIAL_INLET, DIAL_OUTLET, DIAL_PEERS };

/* What all dials share. main.c owns and fills it. */
struct dialer {
	struct loop *loop;
	struct chan *parent; /* for events */
	struct chan *peers[DIAL_PEERS]; /* NULL while there is none */
	bool has_policy;
	struct policy policy; /* in force */
	bool has_before;
	struct policy before; /* the one before it: for what is still under way through outlet */
	uint64_t generation;
	struct resolv_conf resolv;
	struct bytes proxy_host; /* empty: dial directly */
	uint16_t proxy_port;
	struct dial *first;
	unsigned n_dials;
	struct noise noise[DIAL_PEERS]; /* each peer's refusals */
	uint64_t last_event;
};

/* False when this flow has a dial already: the peer is broken. Answers, later or now, with DIALED or DIAL_REFUSED. */
bool dial_start(struct dialer *d, enum dial_peer peer, uint64_t flow, const struct name *name, uint16_t port);
/* The guest went away: no answer, no further event. Unknown flows are passed over, an answer may have crossed. */
void dial_cancel(struct dialer *d, enum dial_peer peer, uint64_t flow);
/* The supervisor's answer to an event of a dial; unknown ids belong to dials that were cancelled. */
void dial_event_done(struct dialer *d, uint64_t id, bool written);
/* Another policy is in force: what is being connected and is no longer allowed is refused. */
void dial_policy_changed(struct dialer *d);
/* The peer is gone. */
void dial_cancel_all(struct dialer *d, enum dial_peer peer);

#endif
