#include "workspace/supervisor/gateway.h"

#include "os/fd.h"
#include "workspace/supervisor/guest_ask.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/listeners.h"
#include "workspace/supervisor/reload.h"
#include "workspace/supervisor/resolv.h"
#include "workspace/supervisor/ws.h"

/* What makes a restart invisible to the guest is kept here: the namespaces and the tap (a new front joins them), the listening
 * sockets and the journal of names (a new inlet gets them). What a dead role held otherwise, its flows, is lost with it. */

/* Offsets into spec.uid_base: one uid a role. */
enum { UID_FRONT = 0, UID_INLET = 1, UID_DIALER = 2, /* 3: machine.c */ UID_OUTLET = 4 };

static struct msg out;

static uint64_t role_uid(const struct ws *w, uint64_t offset)
{
	return w->spec.uid_base ? w->spec.uid_base + offset : 0;
}

bool gateway_up(const struct ws *w)
{
	return w->roles[ROLE_FRONT].ready && w->roles[ROLE_INLET].ready && w->roles[ROLE_DIALER].ready && w->roles[ROLE_OUTLET].ready &&
	       listeners_complete(w->listeners);
}

void gateway_send_policy(struct role *r)
{
	const struct hold *h = r->ws->hold;

	msg_start(&out, MSG_POLICY);
	msg_u64(&out, hold_generation(h));
	msg_fd(&out, hold_fd(h));
	role_send(r, &out);
}

void gateway_send_resolv(struct ws *w)
{
	msg_start(&out, MSG_RESOLV);
	msg_bytes(&out, resolv_text(w->resolv));
	role_send(&w->roles[ROLE_DIALER], &out);
}

static int *keeper_fd(struct ws *w, uint16_t type)
{
	return &w->keeper_fds[type == MSG_KEEPER_INLET];
}

void gateway_send_keeper(struct role *r)
{
	int fd = r->ops && r->ops->keeper ? *keeper_fd(r->ws, r->ops->keeper) : -1;

	if (fd < 0)
		return;
	msg_start(&out, r->ops->keeper);
	msg_fd(&out, fd);
	role_send(r, &out);
}

void gateway_keeper(struct ws *w, uint16_t type, int fd)
{
	(void)fd_close(*keeper_fd(w, type));
	*keeper_fd(w, type) = fd;
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (w->roles[i].ops && w->roles[i].ops->keeper == type)
			gateway_send_keeper(&w->roles[i]);
}

/* Channels between two roles: the first of each says when it has ended. */
static struct pair {
	enum role_kind kinds[2];
	uint16_t types[2];
	bool lost;
} pairs[] = {
	{ { ROLE_INLET, ROLE_DIALER }, { MSG_PEER, MSG_PEER }, false },
	{ { ROLE_INLET, ROLE_OUTLET }, { MSG_PEER_OUTLET, MSG_PEER_INLET }, false },
	{ { ROLE_OUTLET, ROLE_DIALER }, { MSG_PEER, MSG_PEER_OUTLET }, false },
};
enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]), PAIR_AGAIN_MS = 1000 };
static struct loop_timer pair_timer;

/* A fresh one, whenever one of the two is fresh. */
static void pair_two(struct ws *w, struct pair *p)
{
	struct role *ends[2] = { &w->roles[p->kinds[0]], &w->roles[p->kinds[1]] };
	struct err e = { 0 };
	int fds[2];

	if (!ends[0]->chan || !ends[1]->chan)
		return;
	if (chan_pair(fds, &e) < 0) {
		ws_fail(w, "%s", e.text);
		return;
	}
	p->lost = false;
	for (int i = 0; i < 2; i++) {
		msg_start(&out, p->types[i]);
		msg_fd(&out, fds[i]);
		role_send(ends[i], &out);
	}
	for (int i = 0; i < 2; i++)
		(void)fd_close(fds[i]);
}

static void pair_up(struct ws *w, enum role_kind fresh)
{
	for (size_t i = 0; i < PAIRS; i++)
		if (pairs[i].kinds[0] == fresh || pairs[i].kinds[1] == fresh)
			pair_two(w, &pairs[i]);
}

/* One whose end was that of a process was paired with its successor, or will be. */
static void on_pair_again(struct loop_timer *t)
{
	for (size_t i = 0; i < PAIRS; i++)
		if (pairs[i].lost)
			pair_two(t->owner, &pairs[i]);
}

static bool on_peer_lost(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	enum role_kind other = msg_get_max(in, 1) ? ROLE_OUTLET : ROLE_DIALER;

	if (!msg_end(in))
		return false;
	for (size_t i = 0; i < PAIRS; i++)
		if (pairs[i].kinds[0] == r->kind && pairs[i].kinds[1] == other) {
			pairs[i].lost = true;
			return pair_timer.slot || loop_timer_arm(r->ws->loop, &pair_timer, PAIR_AGAIN_MS, on_pair_again, r->ws);
		}
	return false;
}

static bool restart(struct role *r, const char *why)
{
	(void)r;
	(void)why;
	return true;
}

/* ---- front ---- */

static void configure_front(struct role *r)
{
	struct ws *w = r->ws;
	enum ipc_link link = w->command.command ? IPC_LINK_VETH : IPC_LINK_TAP;

	if (w->net_fd >= 0)
		link = IPC_LINK_JOIN;
	msg_start(&out, MSG_FRONT_CONFIG);
	msg_u64(&out, link);
	msg_u64(&out, role_uid(w, UID_FRONT));
	msg_bytes(&out, bytes_of(w->mac, WS_MAC_LEN));
	if (link == IPC_LINK_JOIN) {
		msg_fd(&out, w->user_fd);
		msg_fd(&out, w->net_fd);
	}
	role_send(r, &out);
}

static bool on_link(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	struct ws *w = r->ws;
	FD_AUTO int user_fd = msg_take_fd(in);
	FD_AUTO int net_fd = msg_take_fd(in);
	FD_AUTO int tap_fd = w->command.command ? -1 : msg_take_fd(in);

	if (!msg_end(in) || w->net_fd >= 0)
		return false;
	w->user_fd = fd_take(&user_fd);
	w->net_fd = fd_take(&net_fd);
	w->tap_fd = fd_take(&tap_fd);
	if (w->command.command)
		role_start(&w->roles[ROLE_TRY]);
	else
		role_start(&w->roles[ROLE_MACHINE]);
	return true;
}

static bool on_front_ready(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	if (!role_on_ready(owner, in))
		return false;
	listeners_ask_again(r->ws->listeners);
	return true;
}

static bool on_listener(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	enum ipc_listener kind = (enum ipc_listener)msg_get_max(in, IPC_LISTEN_OBSERVER);
	uint16_t port = (uint16_t)msg_get_max(in, UINT16_MAX);
	int fd = msg_take_fd(in);

	if (!msg_end(in) || !kind) {
		(void)fd_close(fd);
		return false;
	}
	if (!listeners_came(r->ws->listeners, kind, port, fd))
		return false;
	ws_progress(r->ws);
	return true;
}

static bool on_guest_connected(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t id = msg_get_u64(in);
	int fd = msg_take_fd(in);

	return guest_ask_answer(r->ws, id, fd, bytes_of(NULL, 0)) && msg_end(in);
}

static bool on_guest_refused(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t id = msg_get_u64(in);
	struct bytes why = msg_get_bytes(in, ERR_MAX);

	return msg_end(in) && guest_ask_answer(r->ws, id, -1, why);
}

static bool front_lost(struct role *r, const char *why)
{
	struct ws *w = r->ws;

	guest_ask_lost(w);
	if (!w->was_running && !ws_stopping(w) && !r->ever_ready && r->failed[0]) {
		/* It said why; the host will not change its mind within seconds. */
		ws_fail(w, "front: %s", why);
		return false;
	}
	return true;
}

static const struct chan_permit front_permits[] = {
	{ MSG_READY, on_front_ready },
	{ MSG_PONG, role_on_pong },
	{ MSG_FAILED, role_on_failed },
	{ MSG_FRONT_LINK, on_link },
	{ MSG_LISTENER, on_listener },
	{ MSG_GUEST_CONNECTED, on_guest_connected },
	{ MSG_GUEST_REFUSED, on_guest_refused },
};

const struct role_ops gateway_front_ops = {
	.name = "front",
	.binary = "saw-front",
	.permits = front_permits,
	.n_permits = sizeof(front_permits) / sizeof(front_permits[0]),
	.configure = configure_front,
	.lost = front_lost,
	.has_ready = true,
};

/* ---- inlet, outlet and dialer ---- */

static bool on_policy_done(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t generation = msg_get_u64(in);
	bool ok = msg_get_max(in, 1) != 0;
	struct bytes why = msg_get_bytes(in, ERR_MAX);

	if (!msg_end(in))
		return false;
	reload_answer(r, generation, ok, why);
	return true;
}

static void configure_inlet(struct role *r)
{
	struct ws *w = r->ws;

	msg_start(&out, MSG_INLET_CONFIG);
	msg_u64(&out, role_uid(w, UID_INLET));
	msg_bytes(&out, w->spec.id);
	msg_bytes(&out, w->spec.name);
	msg_bytes(&out, w->spec.owner);
	msg_bytes(&out, bytes_of(w->mac, WS_MAC_LEN));
	msg_fd(&out, w->journal_fd);
	msg_fd(&out, w->roots_fd);
	role_send(r, &out);
	gateway_send_policy(r);
	gateway_send_keeper(r);
	pair_up(w, ROLE_INLET);
	listeners_give(w->listeners);
}

static void configure_dialer(struct role *r)
{
	struct ws *w = r->ws;

	msg_start(&out, MSG_DIALER_CONFIG);
	msg_u64(&out, role_uid(w, UID_DIALER));
	msg_bytes(&out, w->spec.upstream_proxy);
	role_send(r, &out);
	gateway_send_resolv(w);
	gateway_send_policy(r);
	pair_up(w, ROLE_DIALER);
}

static void configure_outlet(struct role *r)
{
	struct ws *w = r->ws;

	msg_start(&out, MSG_OUTLET_CONFIG);
	msg_u64(&out, role_uid(w, UID_OUTLET));
	msg_bytes(&out, w->spec.id);
	msg_bytes(&out, w->spec.name);
	msg_bytes(&out, w->spec.owner);
	msg_fd(&out, w->roots_fd);
	role_send(r, &out);
	gateway_send_policy(r);
	pair_up(w, ROLE_OUTLET);
	gateway_send_keeper(r);
}

#define BIT(action) (1U << (action))

static const struct chan_permit gate_permits[] = { ROLE_PERMITS, { MSG_POLICY_DONE, on_policy_done }, { MSG_PEER_LOST, on_peer_lost } };

const struct role_ops gateway_inlet_ops = {
	.name = "inlet",
	.binary = "saw-inlet",
	/* That something was connected is dialer's to say. */
	.events = { [EVENT_DNS] = BIT(EVENT_ALLOWED) | BIT(EVENT_DENIED),
		    [EVENT_FLOW] = BIT(EVENT_DENIED) | BIT(EVENT_CLOSED) | BIT(EVENT_FAILED) | BIT(EVENT_NOTE),
		    [EVENT_HTTP] = BIT(EVENT_ALLOWED) | BIT(EVENT_DENIED) | BIT(EVENT_OBSERVED) | BIT(EVENT_FAILED) | BIT(EVENT_CLOSED),
		    [EVENT_MODEL] = BIT(EVENT_CLOSED) },
	.permits = gate_permits,
	.n_permits = sizeof(gate_permits) / sizeof(gate_permits[0]),
	.configure = configure_inlet,
	.lost = restart,
	.keeper = MSG_KEEPER_INLET,
	.has_ready = true,
};

const struct role_ops gateway_dialer_ops = {
	.name = "dialer",
	.binary = "saw-dialer",
	.events = { [EVENT_FLOW] = BIT(EVENT_ALLOWED) | BIT(EVENT_DENIED) | BIT(EVENT_FAILED) },
	.permits = gate_permits,
	.n_permits = sizeof(gate_permits) / sizeof(gate_permits[0]),
	.configure = configure_dialer,
	.lost = restart,
	.has_ready = true,
};

const struct role_ops gateway_outlet_ops = {
	.name = "outlet",
	.binary = "saw-outlet",
	/* What is sent with a credential is on its word alone. */
	.events = { [EVENT_FLOW] = BIT(EVENT_DENIED) | BIT(EVENT_CLOSED),
		    [EVENT_HTTP] = BIT(EVENT_ALLOWED) | BIT(EVENT_DENIED) | BIT(EVENT_OBSERVED) | BIT(EVENT_FAILED) | BIT(EVENT_CLOSED),
		    [EVENT_MODEL] = BIT(EVENT_CLOSED) },
	.permits = gate_permits,
	.n_permits = sizeof(gate_permits) / sizeof(gate_permits[0]),
	.configure = configure_outlet,
	.lost = restart,
	.keeper = MSG_KEEPER_OUTLET,
	.spends = true,
	.has_ready = true,
};
