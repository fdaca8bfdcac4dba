#include "proxy/gate_main.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/must.h"
#include "ipc/audit_msg.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "proxy/flows.h"
#include "rules/policy_change.h"
#include "wire/packet.h"

/* Waits stand in four lists, each in the order of asking: events, dials, dials that wait for their turn, and dials that failed
 * without an answer and are told so from the loop. Answers come nearly in the order of
 * questions, so that a search from the head is short. */

struct waits {
	struct gate_wait *first;
	struct gate_wait **tail;
};

/* A policy blob in force, or the one before it: until all who borrow from it have been told, or until the next. */
struct blob {
	struct policy policy;
	const void *map;
	size_t len;
	uint64_t generation;
};

struct peer {
	struct gate *gate;
	enum gate_way way;
	struct chan *chan;
};

struct gate {
	struct loop *loop;
	const struct gate_who *who;
	struct chan *parent;
	struct peer peers[GATE_WAYS];
	bool outlet; /* this process */
	gate_secret_fn secret;
	void *secret_owner;
	struct tls_ctx *tls;
	struct flows *flows;
	struct blob blobs[2];
	unsigned now; /* index of the blob in force */
	bool has_policy;
	uint64_t next_event;
	uint64_t next_flow;
	struct waits events;
	struct waits dials;
	struct waits turns;
	struct waits failed;
	unsigned n_with_dialer;
	struct loop_later turn;
	struct noise noise[GATE_NOISE_COUNT];
	struct loop_later fail;
	struct loop_timer late;
};

/* One message is written at a time, on the one thread. */
static struct msg out;

static void waits_init(struct waits *w)
{
	w->first = NULL;
	w->tail = &w->first;
}

static void wait_add(struct gate *g, struct waits *list, struct gate_wait *w)
{
	w->gate = g;
	w->next = NULL;
	w->prev = list->tail;
	*list->tail = w;
	list->tail = &w->next;
}

static struct waits *list_of(struct gate *g, const struct gate_wait *w)
{
	if (g->events.tail == &w->next)
		return &g->events;
	if (g->dials.tail == &w->next)
		return &g->dials;
	if (g->turns.tail == &w->next)
		return &g->turns;
	return &g->failed;
}

static void next_turns(struct loop_later *later);

static void wait_remove(struct gate_wait *w)
{
	must(w->gate && w->prev);
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		list_of(w->gate, w)->tail = w->prev;
	if (w->with_dialer) {
		w->gate->n_with_dialer--;
		loop_later(w->gate->loop, &w->gate->turn, next_turns, w->gate);
	}
	w->with_dialer = false;
	w->gate = NULL;
}

int gate_new(struct gate **ret, struct loop *l, const struct gate_who *who, struct err *e)
{
	struct gate *g = calloc(1, sizeof(*g));

	if (!g || !(g->flows = flows_new())) {
		free(g);
		return err_set(e, ENOMEM, "out of memory for the gate");
	}
	g->loop = l;
	g->who = who;
	for (unsigned i = 0; i < GATE_WAYS; i++)
		g->peers[i] = (struct peer){ .gate = g, .way = (enum gate_way)i };
	waits_init(&g->events);
	waits_init(&g->dials);
	waits_init(&g->turns);
	waits_init(&g->failed);
	/* Unique beside those of an earlier inlet of this workspace, and below 2^53: JSON
	 * readers keep them exact. */
	g->next_flow = clock_real_ms() << 10;
	*ret = g;
	return 0;
}

static void blob_drop(struct blob *b)
{
	if (b->map)
		(void)munmap((void *)(uintptr_t)b->map, b->len);
	*b = (struct blob){ 0 };
}

static void drop_ghosts(struct waits *list);

struct gate *gate_free(struct gate *g)
{
	if (!g)
		return NULL;
	loop_later_cancel(&g->fail);
	loop_timer_disarm(&g->late);
	drop_ghosts(&g->dials);
	drop_ghosts(&g->failed);
	loop_later_cancel(&g->turn);
	for (unsigned i = 0; i < GATE_WAYS; i++)
		chan_free(g->peers[i].chan);
	flows_free(g->flows);
	blob_drop(&g->blobs[0]);
	blob_drop(&g->blobs[1]);
	free(g);
	return NULL;
}

void gate_set_parent(struct gate *g, struct chan *parent)
{
	g->parent = parent;
	chan_last(parent); /* "on disk" sends a request: what its host said until now has been heard by then (http_forward.c) */
}

void gate_set_tls(struct gate *g, struct tls_ctx *tls)
{
	g->tls = tls;
}

struct tls_ctx *gate_tls(const struct gate *g)
{
	return g->tls;
}

struct loop *gate_loop(const struct gate *g)
{
	return g->loop;
}

const struct gate_who *gate_who(const struct gate *g)
{
	return g->who;
}

struct flows *gate_flows(struct gate *g)
{
	return g->flows;
}

uint64_t gate_next_flow(struct gate *g)
{
	return g->next_flow++;
}

bool gate_busy(const struct gate *g)
{
	return chan_queued(g->parent) > GATE_BUSY_BYTES;
}

bool gate_noisy(const struct gate *g, enum gate_noise kind)
{
	return noise_over(&g->noise[kind], loop_now_ms(g->loop));
}

/* What is allowed and done costs the guest a connection of dialer's or a request's time; questions
 * and refusals cost it nothing. */
static void count_noise(struct gate *g, const struct event *ev)
{
	enum gate_noise kind = ev->kind != EVENT_DNS ? GATE_NOISE_FLOW : ev->ip_proto == PACKET_TCP ? GATE_NOISE_DNS_TCP : GATE_NOISE_DNS;

	if (kind == GATE_NOISE_FLOW && ev->action != EVENT_DENIED && ev->action != EVENT_NOTE)
		return;
	noise_add(&g->noise[kind], loop_now_ms(g->loop));
}

/* Policy */

const struct policy *gate_policy(const struct gate *g)
{
	return &g->blobs[g->now].policy;
}

uint64_t gate_generation(const struct gate *g)
{
	return g->blobs[g->now].generation;
}

bool gate_has_policy(const struct gate *g)
{
	return g->has_policy;
}

int gate_policy_set(struct gate *g, int fd, uint64_t generation, struct err *e)
{
	struct blob *b = &g->blobs[!g->now];
	int r;

	blob_drop(b);
	r = fd_map_sealed(fd, POLICY_BLOB_MAX, &b->map, &b->len, e);
	if (r < 0)
		return r;
	if (!policy_open(&b->policy, bytes_of(b->map, b->len), e)) {
		blob_drop(b);
		return -EINVAL;
	}
	b->generation = generation;
	g->now = !g->now;
	g->has_policy = true;
	return 0;
}

bool gate_guarded_lately(const struct gate *g, struct bytes name)
{
	const struct blob *before = &g->blobs[!g->now];

	return policy_guarded(gate_policy(g), name) || (before->map && policy_guarded(&before->policy, name));
}

void gate_policy_settled(struct gate *g)
{
	blob_drop(&g->blobs[!g->now]);
}

/* Events */

/* For what no request tells of: connections, questions, packets. */
static void propose(const struct gate *g, const struct event *ev, struct buf *ret)
{
	struct policy_refused refused = { .reason = (enum reason)ev->reason, .name = ev->name };

	if (ev->kind == EVENT_FLOW || ev->kind == EVENT_HTTP)
		refused.port = ev->dst_port;
	(void)policy_change(gate_policy(g), &refused, ret);
}

static void put_event(struct gate *g, uint64_t id, const struct event *ev)
{
	struct event full = *ev;
	struct buf change BUF_AUTO = { .max = POLICY_CHANGE_MAX };

	count_noise(g, ev);
	full.generation = gate_generation(g);
	if (!full.at_ms)
		full.at_ms = clock_real_ms();
	if (!full.count)
		full.count = 1;
	if (full.action == EVENT_DENIED && !full.change.len && g->has_policy) {
		propose(g, &full, &change);
		full.change = buf_view(&change);
	}
	msg_start(&out, MSG_EVENT);
	msg_u64(&out, id);
	audit_msg_put(&out, &full);
	chan_post(g->parent, &out);
}

void gate_note(struct gate *g, const struct event *ev)
{
	put_event(g, 0, ev);
}

void gate_event(struct gate *g, struct gate_wait *w, const struct event *ev,
		void (*done)(void *owner, bool written), void *owner)
{
	must(!w->gate);
	*w = (struct gate_wait){ .id = ++g->next_event, .owner = owner, .on_event = done };
	wait_add(g, &g->events, w);
	put_event(g, w->id, ev);
}

static struct gate_wait *wait_find(const struct waits *list, uint64_t id)
{
	struct gate_wait *w = list->first;

	while (w && w->id != id)
		w = w->next;
	return w;
}

bool gate_event_done(struct gate *g, uint64_t id, bool written)
{
	struct gate_wait *w = wait_find(&g->events, id);

	if (w) {
		wait_remove(w);
		w->on_event(w->owner, written);
	}
	return w || (id && id <= g->next_event);
}

/* Dials */

void gate_set_outlet(struct gate *g, gate_secret_fn secret, void *owner)
{
	g->outlet = true;
	g->secret = secret;
	g->secret_owner = owner;
}

bool gate_is_outlet(const struct gate *g)
{
	return g->outlet;
}

bool gate_secret(const struct gate *g, struct bytes id, struct bytes *ret_value, uint64_t *ret_version)
{
	return g->secret && g->secret(g->secret_owner, id, ret_value, ret_version);
}

enum gate_way gate_way(const struct gate *g, struct bytes name)
{
	return !g->outlet && policy_guarded(gate_policy(g), name) ? GATE_OUTLET : GATE_DIALER;
}

static void dial_end(struct gate_wait *w, int fd, struct ip ip, enum reason reason)
{
	wait_remove(w);
	w->on_dial(w->owner, fd, ip, reason);
}

static void tell_failed(struct loop_later *later)
{
	struct gate *g = later->owner;

	while (g->failed.first)
		dial_end(g->failed.first, -1, (struct ip){ 0 }, REASON_ROLE_DOWN);
}

/* Its id goes: there is nothing left to cancel. */
static void dial_failed(struct gate *g, struct gate_wait *w)
{
	w->id = 0;
	wait_add(g, &g->failed, w);
	loop_later(g->loop, &g->fail, tell_failed, g);
}

static void drop_peer(struct peer *p)
{
	struct gate_wait *next;

	p->chan = chan_free(p->chan);
	for (struct gate_wait *w = p->gate->dials.first; w; w = next) {
		next = w->next;
		if (w->way != p->way)
			continue;
		wait_remove(w);
		dial_failed(p->gate, w);
	}
}

/* Mostly because the peer has ended; but both may go on, where a descriptor on it found no room. */
static void on_peer_end(void *owner, const char *why)
{
	struct peer *p = owner;

	(void)why;
	drop_peer(p);
	if (!p->gate->parent)
		return;
	msg_start(&out, MSG_PEER_LOST);
	msg_u64(&out, p->way);
	chan_send(p->gate->parent, &out);
}

static void send_cancel(struct gate *g, enum gate_way way, uint64_t flow)
{
	msg_start(&out, MSG_DIAL_CANCEL);
	msg_u64(&out, flow);
	if (g->peers[way].chan)
		chan_send(g->peers[way].chan, &out);
}

/* All dials get the same time, so the first asked is the first late. */
static void on_late(struct loop_timer *t)
{
	struct gate *g = t->owner;
	uint64_t now = loop_now_ms(g->loop);

	while (g->dials.first && g->dials.first->asked_ms + GATE_DIAL_MS <= now) {
		struct gate_wait *w = g->dials.first;

		send_cancel(g, w->way, w->id);
		dial_end(w, -1, (struct ip){ 0 }, REASON_ROLE_DOWN);
	}
	if (g->dials.first)
		(void)loop_timer_arm(g->loop, t, g->dials.first->asked_ms + GATE_DIAL_MS - now,
				     on_late, g);
}

static struct gate_wait *dial_find(const struct peer *p, uint64_t flow)
{
	struct gate_wait *w = wait_find(&p->gate->dials, flow);

	return w && w->way == p->way ? w : NULL;
}

static bool on_dialed(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	uint64_t flow = msg_get_u64(in);
	struct bytes address = msg_get_bytes(in, 16);
	FD_AUTO int fd = msg_take_fd(in);
	struct gate_wait *w = dial_find(p, flow);
	struct ip ip = { .family = address.len == 4 ? 4 : 6 };

	if (!msg_end(in) || (address.len != 4 && address.len != 16))
		return false;
	memcpy(ip.b, address.p, address.len);
	/* A flow that was cancelled meanwhile: the connection is closed unused. */
	if (w)
		dial_end(w, fd_take(&fd), ip, REASON_OK);
	return true;
}

static bool on_dial_refused(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	uint64_t flow = msg_get_u64(in);
	enum reason reason = (enum reason)msg_get_max(in, REASON_COUNT - 1);
	struct gate_wait *w = dial_find(p, flow);

	/* REASON_OK is no refusal, and REASON_ROLE_DOWN means that nobody wrote the event: only
	 * we may say it. */
	if (!msg_end(in) || reason == REASON_OK || reason == REASON_ROLE_DOWN)
		return false;
	if (w)
		dial_end(w, -1, (struct ip){ 0 }, reason);
	return true;
}

/* Outlet's flows have the ids that inlet gave them, perhaps twice. So a dial that outlet gave up is not cancelled but stays asked, for
 * nobody, until dialer has answered it: its connection must not become the answer to another dial of that id. */
static void on_ghost(void *owner, int fd, struct ip ip, enum reason reason)
{
	(void)ip;
	(void)reason;
	(void)fd_close(fd);
	free(owner);
}

/* False: out of memory. */
static bool leave_ghost(struct gate *g, struct gate_wait *w)
{
	struct gate_wait *ghost = calloc(1, sizeof(*ghost));

	if (!ghost)
		return false;
	*ghost = *w;
	ghost->owner = ghost;
	ghost->on_dial = on_ghost;
	if (w->next)
		w->next->prev = &ghost->next;
	else
		list_of(g, w)->tail = &ghost->next;
	*w->prev = ghost;
	w->gate = NULL;
	return true;
}

static void drop_ghosts(struct waits *list)
{
	while (list->first && list->first->on_dial == on_ghost)
		dial_end(list->first, -1, (struct ip){ 0 }, REASON_ROLE_DOWN);
}

static const struct chan_permit peer_permits[] = { { MSG_DIALED, on_dialed },
						   { MSG_DIAL_REFUSED, on_dial_refused } };

int gate_set_peer(struct gate *g, enum gate_way way, int fd, struct err *e)
{
	struct peer *p = &g->peers[way];

	if (p->chan)
		drop_peer(p);
	return chan_new(&p->chan, g->loop, fd, peer_permits,
			sizeof(peer_permits) / sizeof(peer_permits[0]), on_peer_end, p, e);
}

static void send_dial(struct gate *g, struct gate_wait *w)
{
	if (!g->peers[w->way].chan || wait_find(&g->dials, w->id)) {
		dial_failed(g, w);
		return;
	}
	w->asked_ms = loop_now_ms(g->loop);
	w->with_dialer = w->way == GATE_DIALER;
	g->n_with_dialer += w->with_dialer;
	wait_add(g, &g->dials, w);
	if (!g->late.slot)
		(void)loop_timer_arm(g->loop, &g->late, GATE_DIAL_MS, on_late, g);
	msg_start(&out, MSG_DIAL);
	msg_u64(&out, w->id);
	msg_bytes(&out, w->name);
	msg_u64(&out, w->port);
	msg_u64(&out, gate_generation(g));
	chan_send(g->peers[w->way].chan, &out);
}

/* By the policy in force now: it may lead another way. */
static void next_turns(struct loop_later *later)
{
	struct gate *g = later->owner;

	while (g->turns.first && g->n_with_dialer < GATE_DIALS_MAX) {
		struct gate_wait *w = g->turns.first;

		wait_remove(w);
		w->way = gate_way(g, w->name);
		send_dial(g, w);
	}
}

void gate_dial(struct gate *g, struct gate_wait *w, uint64_t flow, struct bytes name, uint16_t port,
	       void (*done)(void *owner, int fd, struct ip ip, enum reason reason), void *owner)
{
	must(!w->gate);
	*w = (struct gate_wait){ .id = flow, .owner = owner, .on_dial = done, .way = gate_way(g, name), .name = name, .port = port };
	if (w->way != GATE_DIALER || g->n_with_dialer < GATE_DIALS_MAX)
		send_dial(g, w);
	else
		wait_add(g, &g->turns, w);
}

void gate_wait_cancel(struct gate_wait *w)
{
	struct gate *g = w->gate;

	if (!g || (g->outlet && w->on_dial && w->id && w->asked_ms && leave_ghost(g, w)))
		return;
	wait_remove(w);
	if (w->on_dial && w->id && w->asked_ms)
		send_cancel(g, w->way, w->id);
}
