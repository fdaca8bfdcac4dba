/* The gate's other side: main makes it and feeds it what arrives from the supervisor and from
 * dialer. */
#ifndef SAW_PROXY_GATE_MAIN_H
#define SAW_PROXY_GATE_MAIN_H

#include "ipc/chan.h"
#include "ipc/noise.h"
#include "proxy/gate.h"

enum {
	GATE_DIAL_MS =
		60000, /* an answer of dialer that takes longer is REASON_ROLE_DOWN: dialer hangs */
	GATE_DIALS_MAX = 120, /* with dialer at once, which has room for so many of inlet and of outlet; others wait for their turn */
	GATE_BUSY_BYTES =
		1024 * 1024, /* queued towards the supervisor: no new work of the guest is taken */
};

struct flows;

/* Borrows `who` and what it points to. */
int gate_new(struct gate **ret, struct loop *l, const struct gate_who *who, struct err *e);
struct gate *gate_free(struct gate *g);

/* Borrows the channel to the supervisor. */
void gate_set_parent(struct gate *g, struct chan *parent);
/* Borrows the context for streams to hosts and from guests. */
void gate_set_tls(struct gate *g, struct tls_ctx *tls);
/* This process is outlet: all its connections are dialer's, and it has secrets. */
typedef bool (*gate_secret_fn)(void *owner, struct bytes id, struct bytes *ret_value, uint64_t *ret_version);
void gate_set_outlet(struct gate *g, gate_secret_fn secret, void *owner);
/* Takes `fd`, the channel to a (new) dialer or outlet. What the one before had not answered ends with
 * REASON_ROLE_DOWN. */
int gate_set_peer(struct gate *g, enum gate_way way, int fd, struct err *e);

/* MSG_EVENT_DONE. False: no such event was ever sent. */
bool gate_event_done(struct gate *g, uint64_t id, bool written);

/* Maps and opens a sealed blob (fd borrowed). On success it is in force; on failure the one
 * before stays. The caller then tells all who copied from the old one, and calls
 * gate_policy_settled(), which unmaps that, unless it is to be known until the next comes. */
int gate_policy_set(struct gate *g, int fd, uint64_t generation, struct err *e);
void gate_policy_settled(struct gate *g);
/* policy_guarded() by the policy in force, or by the one before it as long as that is known. */
bool gate_guarded_lately(const struct gate *g, struct bytes name);
bool gate_has_policy(const struct gate *g);

/* Too much is queued towards the supervisor. */
bool gate_busy(const struct gate *g);

/* What a guest can make us write down at no cost to itself. Questions by TCP, which wait, are counted apart from those by UDP, which would
 * be lost beside them. */
enum gate_noise { GATE_NOISE_DNS, GATE_NOISE_DNS_TCP, GATE_NOISE_FLOW, GATE_NOISE_COUNT };
/* It made so many events of that kind that the log would grow without end (ipc/noise.h): no new work of the kind
 * is taken for a moment. Each event is still written; the guest waits. */
bool gate_noisy(const struct gate *g, enum gate_noise kind);

/* The register of flows (flow.c). */
struct flows *gate_flows(struct gate *g);

#endif
