#include "proxy/http_flow.h"
#include "proxy/http_judge.h"

#include <stdlib.h>

#include "net/h2.h"
#include "net/held.h"
#include "net/tls.h"
#include "os/fd.h"
#include "proxy/dress.h"
#include "proxy/idle.h"

/* The life of the flow: its phases' order stands in http_flow.h. Every event of the loop, of the gate and of the clock changes a
 * fact and then calls http_flow_pump(), which goes through phases until one has to wait. Nothing calls back into the pump from
 * inside it: the gate's answers come from the loop. */

static void late(struct loop_timer *t);

void http_flow_deadline(struct http_flow *f, uint64_t ms)
{
	if (!loop_timer_arm(gate_loop(f->flow.gate), &f->timer, ms, late, f))
		http_flow_finish(f, true);
}

static void free_later(struct loop_later *l)
{
	struct http_flow *f = l->owner;

	buf_deinit(&f->canon);
	buf_deinit(&f->held);
	buf_deinit(&f->wire);
	buf_deinit(&f->change);
	http_reading_free(f->reading);
	buf_deinit(&f->trailers);
	buf_deinit(&f->body_trailers);
	http_watch_free(f->watch);
	http_socket_free(f->socket);
	held_set(&f->charged, 0);
	free(f);
}

static void note_end(struct http_flow *f)
{
	struct event ev = flow_event(&f->flow, EVENT_FLOW, EVENT_CLOSED, REASON_OK);

	ev.bytes_in = f->bytes_in;
	ev.bytes_out = f->bytes_out;
	ev.duration_ms = loop_now_ms(gate_loop(f->flow.gate)) - f->flow.started_ms;
	gate_note(f->flow.gate, &ev);
}

/* A stream's request stands in the log, and what its connection carried; a word of its own is for those that mattered by themselves. */
static bool end_matters(const struct http_flow *f)
{
	return f->n_requests && (!f->on_stream || f->bytes_in + f->bytes_out > HTTP_FLOW_BRIEF_BYTES ||
				 loop_now_ms(gate_loop(f->flow.gate)) - f->flow.started_ms > HTTP_FLOW_BRIEF_MS);
}

static void keep_upstream(struct http_flow *f)
{
	const struct idle_place at = { .name = f->flow.name, .port = f->flow.dst_port, .ip = f->upstream_ip, .judged = f->upstream_judged };

	idle_put(&f->upstream, gate_loop(f->flow.gate), &at);
}

/* The log has it that it goes. */
static void note_unsent(struct http_flow *f, enum reason reason)
{
	struct event ev;

	if (!f->promised)
		return;
	f->promised = false;
	ev = http_request_event(f, EVENT_FAILED, reason);
	gate_note(f->flow.gate, &ev);
}

/* Some of it was lost, and nobody has said so. */
static void note_starved(struct http_flow *f)
{
	f->promised = f->promised || ((f->guest.starved || f->upstream.starved) && f->refusal == REASON_OK);
	note_unsent(f, REASON_TOO_MANY_FLOWS);
}

/* Nobody who reads the log would see from the end of the flow that the guest tried something. */
static void note_breach(struct http_flow *f)
{
	struct event ev = flow_event(&f->flow, EVENT_FLOW, EVENT_DENIED, REASON_TLS_BROKEN);

	ev.detail = bytes_str(f->guest.breach ? f->guest.breach : "");
	if (f->guest.breach && f->refusal == REASON_OK)
		gate_note(f->flow.gate, &ev);
}

/* A request that came only in part, on record as allowed or on its way there. */
static void note_cut(struct http_flow *f, enum event_action action)
{
	unsigned fault = http_side_own_fault(&f->guest);
	struct event ev = http_request_event(f, action, http_side_reason(fault));

	if (fault != H2_CLOSED)
		ev.detail = bytes_str(h2_fault_text(fault));
	gate_note(f->flow.gate, &ev);
}

/* The guest is gone, and nothing else says why. One that just left is no denial, but what is on record as allowed did not go; one whose request
 * turned out to be none is. */
static void note_gone(struct http_flow *f)
{
	bool waits = (f->phase == HTTP_DIAL || f->phase == HTTP_EVENT) && http_side_own_fault(&f->guest) != H2_CLOSED;
	bool in_body = f->phase == HTTP_RELAY && !f->body_done;

	if (!(f->guest.deaf || (in_body && f->guest.eof)) || f->guest.starved || f->guest.breach)
		return;
	if (in_body && f->refusal == REASON_OK) /* else the refusal has its event */
		note_cut(f, EVENT_FAILED);
	else if (f->promised || waits)
		note_cut(f, f->promised || f->recorded ? EVENT_FAILED : EVENT_DENIED);
	f->promised = false;
}

void http_flow_finish(struct http_flow *f, bool reset)
{
	if (f->phase == HTTP_GONE)
		return;
	http_answer_note(f);
	note_breach(f);
	note_gone(f);
	note_starved(f);
	if (end_matters(f))
		note_end(f);
	f->phase = HTTP_GONE;
	gate_wait_cancel(&f->wait);
	host_cancel(&f->host);
	h2_host_cancel(&f->ask);
	loop_timer_disarm(&f->timer);
	loop_timer_disarm(&f->leave);
	if (f->upstream_idle && f->upstream.open && !f->through_outlet && !f->unlisted && !f->upstream_stale && f->upstream_vetted)
		keep_upstream(f);
	http_side_close(&f->upstream);
	if (reset)
		http_side_reset(&f->guest);
	else
		http_side_close(&f->guest);
	flow_unregister(&f->flow);
	loop_later(gate_loop(f->flow.gate), &f->later, free_later, f);
}

void http_flow_next(struct http_flow *f)
{
	http_answer_note(f);
	f->phase = HTTP_HEAD;
	f->scan = (struct http1_scan){ 0 };
	f->head_begun = false;
	f->rule[0] = '\0';
	f->stripped[0] = '\0';
	f->wears = false;
	f->to_head = false;
	f->answering = false;
	f->answer_done = false;
	f->body_done = true; /* of none is known */
	f->left_by_ms = 0;
	buf_deinit(&f->canon);
	buf_deinit(&f->held);
	buf_deinit(&f->wire);
	buf_deinit(&f->change);
	f->reading = http_reading_free(f->reading);
	buf_deinit(&f->trailers);
	buf_deinit(&f->body_trailers);
	f->watch = http_watch_free(f->watch);
}

static bool closing(struct http_flow *f)
{
	if (f->guest.deaf) {
		http_flow_finish(f, false);
	} else if (f->guest.out.len == 0 && http_side_shutdown(&f->guest)) {
		if (f->guest.stream) { /* whole, and in order: nothing can be lost behind it */
			http_flow_finish(f, false);
			return true;
		}
		f->phase = HTTP_LINGER;
		f->guest.readable = true;
		http_flow_deadline(f, f->drains ? HTTP_FLOW_DRAIN_MS : HTTP_FLOW_LINGER_MS);
	}
	return f->phase != HTTP_CLOSING;
}

static bool drain(struct http_flow *f)
{
	size_t n;

	do { /* a stream tells of what comes, not of what lies there */
		buf_reset(&f->guest.in);
		n = http_side_read(&f->guest, HTTP_SIDE_READ);
		f->lingered += n;
	} while (n && f->lingered <= HTTP_FLOW_DRAIN_MAX);
	buf_reset(&f->guest.in);
	if (f->guest.deaf)
		http_flow_finish(f, false);
	else if (f->guest.eof || f->lingered > HTTP_FLOW_DRAIN_MAX)
		http_refuse_drained(f);
	return f->phase != HTTP_DRAIN;
}

static bool linger(struct http_flow *f)
{
	size_t n;

	buf_reset(&f->guest.in);
	n = http_side_read(&f->guest, HTTP_SIDE_READ);
	f->lingered += n;
	buf_reset(&f->guest.in);
	if (f->guest.eof || f->lingered > (f->drains ? (size_t)HTTP_FLOW_DRAIN_MAX : (size_t)HTTP_FLOW_LINGER_MAX))
		http_flow_finish(f, false);
	return false;
}

static bool head(struct http_flow *f)
{
	if (f->guest.deaf)
		http_flow_finish(f, false);
	else if (f->unlisted && f->n_requests && f->guest.in.len == 0 && f->guest.out.len == 0)
		f->phase = HTTP_CLOSING;
	else if (f->guest.out.len == 0)
		return http_ask_head(f);
	return f->phase != HTTP_HEAD;
}

static bool step(struct http_flow *f)
{
	(void)http_side_flush(&f->guest);
	switch (f->phase) {
	case HTTP_HEAD:
		return head(f);
	case HTTP_HOLD:
		return http_ask_hold(f);
	case HTTP_RELAY:
		return http_forward_relay(f);
	case HTTP_SOCKET:
		return http_socket_relay(f);
	case HTTP_CLOSING:
		return closing(f);
	case HTTP_DRAIN:
		return drain(f);
	case HTTP_LINGER:
		return linger(f);
	case HTTP_DIAL:
	case HTTP_EVENT:
	case HTTP_REFUSE:
	case HTTP_GONE:
		break;
	}
	return false;
}

/* Nothing is expected of the guest, but it may end its side. Where TLS says so and its socket does not, only a read finds it. One of a socket
 * that has ended without a word in TLS would take the answer from it: libssl writes nothing any more. */
static bool listens(const struct http_flow *f)
{
	return f->phase == HTTP_RELAY && f->body_done && f->guest.tls && !f->guest.left && f->guest.in.len == 0 && held_may_grow();
}

static bool reads_guest(const struct http_flow *f)
{
	switch (f->phase) {
	case HTTP_HEAD:
		return f->guest.out.len == 0;
	case HTTP_HOLD:
	case HTTP_DRAIN:
	case HTTP_LINGER:
		return true;
	case HTTP_SOCKET:
		return http_socket_reads_guest(f);
	case HTTP_RELAY:
		return f->body_done ? listens(f) : !http_side_full(&f->upstream) && !f->upstream.deaf;
	case HTTP_DIAL:
	case HTTP_EVENT:
	case HTTP_REFUSE:
	case HTTP_CLOSING:
	case HTTP_GONE:
		break;
	}
	return false;
}

static void idle(struct http_flow *f)
{
	http_side_rest(&f->guest);
	http_side_rest(&f->upstream);
	if (f->n_requests)
		http_flow_deadline(f, HTTP_FLOW_IDLE_MS);
}

/* Bytes that no event of the guest will tell of again: read already, or in a stream of HTTP/2, which no loop watches. They were left
 * only where upstream.out was full: there is room now, or will be. */
static bool more_of_body(const struct http_flow *f)
{
	return f->guest.in.len > 0 || (f->guest.stream && f->guest.readable && !f->guest.eof);
}

/* It goes on when the guest's socket has room, though nothing waits in guest.out. */
static bool more_for_guest(const struct http_flow *f)
{
	bool goodbye = f->phase == HTTP_CLOSING && f->guest.out.len == 0;

	return goodbye || (f->phase == HTTP_RELAY && f->answer_more);
}

void http_flow_pump(struct http_flow *f)
{
	bool was_idle = f->phase == HTTP_HEAD && f->guest.in.len == 0 && f->guest.out.len == 0;

	while (step(f))
		;
	if (f->phase == HTTP_GONE)
		return;
	if (f->phase == HTTP_HEAD && f->guest.in.len == 0 && f->guest.out.len == 0 && !was_idle)
		idle(f);
	if (f->phase == HTTP_GONE)
		return;
	if (f->phase == HTTP_SOCKET) {
		http_side_want(&f->guest, reads_guest(f), http_socket_more(f, true));
		http_side_want(&f->upstream, http_socket_reads_upstream(f), http_socket_more(f, false));
		return;
	}
	http_side_want(&f->guest, reads_guest(f), more_for_guest(f));
	http_side_want(&f->upstream, f->phase != HTTP_RELAY || (!f->answer_done && !http_side_full(&f->guest)),
		       f->phase == HTTP_RELAY && !f->body_done && more_of_body(f));
}

/* What comes belongs to the next request, if it is not the end. Who breaks TLS reads nothing any more. */
static void listen_to_guest(struct http_flow *f)
{
	f->bytes_out += http_side_read(&f->guest, HTTP_SIDE_READ_FIRST);
	if (f->guest.breach)
		http_flow_finish(f, true);
}

static void on_guest(void *owner, uint32_t events)
{
	struct http_flow *f = owner;
	bool over = events & (EPOLLHUP | EPOLLERR);

	if (over && f->phase == HTTP_SOCKET) /* its last frames lie ready, and would not be told of again */
		http_side_unwatch(&f->guest);
	if (over && f->phase != HTTP_SOCKET && f->phase != HTTP_HEAD && f->phase != HTTP_HOLD && f->phase != HTTP_LINGER) {
		f->guest.deaf = true;
		http_flow_finish(f, false);
		return;
	}
	if (listens(f) && ((events & EPOLLIN) || http_side_ahead(&f->guest)))
		listen_to_guest(f);
	http_flow_pump(f);
}

void http_flow_on_upstream(void *owner, uint32_t events)
{
	struct http_flow *f = owner;

	if (events & (EPOLLHUP | EPOLLERR)) /* would be told again and again while the guest has no room */
		http_side_unwatch(&f->upstream);
	if (f->phase != HTTP_RELAY && f->phase != HTTP_SOCKET) {
		if (f->upstream.readable && !http_side_silent(&f->upstream))
			http_side_close(&f->upstream);
		return;
	}
	http_flow_pump(f);
}

static void late_relay(struct http_flow *f)
{
	bool guest_slow = !f->body_done && f->upstream.out.len == 0;
	bool left = f->guest.left && f->body_done && f->guest.out.len == 0 && f->upstream.out.len == 0;
	enum reason reason = guest_slow ? REASON_HTTP_TIMEOUT : left ? REASON_GUEST_CLOSED : REASON_UPSTREAM_TIMEOUT;

	http_refuse(f, guest_slow ? 408 : 504, EVENT_FAILED, reason);
}

static void late(struct loop_timer *t)
{
	struct http_flow *f = t->owner;

	switch (f->phase) {
	case HTTP_HEAD:
		if (f->guest.in.len)
			http_refuse(f, 408, EVENT_DENIED, REASON_HTTP_TIMEOUT);
		else if (!f->n_requests)
			http_refuse(f, 408, EVENT_DENIED, REASON_FIRST_BYTES_LATE);
		else
			http_flow_finish(f, false);
		break;
	case HTTP_HOLD:
		http_refuse(f, 408, EVENT_DENIED, REASON_HTTP_TIMEOUT);
		break;
	case HTTP_DIAL:
		http_refuse(f, 504, f->recorded ? EVENT_FAILED : EVENT_DENIED, REASON_UPSTREAM_TIMEOUT);
		break;
	case HTTP_EVENT:
		note_unsent(f, REASON_AUDIT_UNWRITABLE);
		http_refuse_silently(f, 503, REASON_AUDIT_UNWRITABLE);
		break;
	case HTTP_REFUSE:
		http_refuse_silently(f, f->status, f->refusal);
		break;
	case HTTP_DRAIN:
		http_refuse_drained(f);
		break;
	case HTTP_RELAY:
		late_relay(f);
		break;
	case HTTP_SOCKET:
		http_socket_idle(f);
		break;
	case HTTP_CLOSING:
	case HTTP_LINGER:
	case HTTP_GONE:
		http_flow_finish(f, false);
		break;
	}
	http_flow_pump(f);
}

/* The new policy would lead to where the flow is connected, with what it was connected with. */
static bool same_place(const struct http_flow *f, const struct policy_entry *was)
{
	const struct policy_entry *now = &f->flow.entry;

	if (f->through_outlet != (gate_way(f->flow.gate, name_bytes(&f->flow.name)) == GATE_OUTLET))
		return false;
	if (f->through_outlet)
		return true;
	if (f->secret_version ? http_dress_stale(f) : now->credential != POLICY_NONE)
		return false;
	return bytes_eq(was->ca, now->ca) && bytes_eq(was->upstream, now->upstream) && was->upstream_port == now->upstream_port &&
	       (!f->upstream_judged || policy_address_ok(gate_policy(f->flow.gate), now, f->upstream_ip));
}

static void on_leave(struct loop_timer *t)
{
	struct http_flow *f = t->owner;

	if (f->phase != HTTP_RELAY) /* it ended, and what is left has deadlines of its own */
		return;
	if (f->unlisted || f->disallowed)
		http_refuse(f, 403, EVENT_DENIED, REASON_POLICY_CHANGED);
	else
		http_refuse(f, 502, EVENT_FAILED, REASON_CREDENTIAL_MISSING);
	http_flow_pump(f);
}

/* Another change does not prolong the time. What goes through outlet is cut there, and ends here with it: one event. */
static void leave_in_time(struct http_flow *f)
{
	if (!f->unlisted && !f->disallowed && !f->upstream_stale)
		loop_timer_disarm(&f->leave);
	else if (!f->leave.slot && f->phase == HTTP_RELAY && !f->through_outlet &&
		 !loop_timer_arm(gate_loop(f->flow.gate), &f->leave, HTTP_FLOW_LEAVE_MS, on_leave, f))
		http_flow_finish(f, true);
}

/* The present request, if any, was allowed by the policy that judged it and ends in its own time, which is short where the new one
 * would not allow it any more; or it is judged again before it goes (http_forward.c). */
static void on_policy(struct flow *flow)
{
	struct http_flow *f = (struct http_flow *)flow;
	const struct policy_entry was = flow->entry;
	struct policy_entry entry;
	enum reason r = policy_find(gate_policy(flow->gate), name_bytes(&flow->name), flow->dst_port, &entry);

	f->unlisted = r != REASON_OK || entry.mode != flow->entry.mode;
	if (f->unlisted)
		flow_forget_entry(flow);
	else
		flow->entry = entry;
	f->upstream_vetted = f->upstream_vetted && !f->unlisted && same_place(f, &was);
	/* dialer has a new policy sooner than we do */
	f->upstream_judged = f->upstream_judged || (f->upstream_vetted && policy_address_ok(gate_policy(flow->gate), &flow->entry, f->upstream_ip));
	if (!f->upstream_vetted && (f->phase == HTTP_HEAD || f->phase == HTTP_HOLD))
		http_side_close(&f->upstream);
	if (f->phase == HTTP_SOCKET && !f->through_outlet)
		http_socket_judge(f);
	f->disallowed = f->phase == HTTP_RELAY && !http_judge_stands(f);
	leave_in_time(f);
	http_flow_pump(f);
}

/* A request without a length that goes on: both sides may talk as long as they like, as in a call of gRPC. */
static bool is_call(const struct http_flow *f)
{
	return f->phase == HTTP_RELAY && !f->body_done && f->request.length.framing == HTTP1_CHUNKED;
}

/* The present exchange was sent before the change and ends in its own time, which is short; the connection carries no other. A WebSocket and
 * a call are exchanges without an end, so they go. */
static void on_secret(struct flow *flow, struct bytes id)
{
	struct http_flow *f = (struct http_flow *)flow;

	if (!f->secret_version || !bytes_is(id, f->secret_id))
		return;
	f->upstream_keep = false;
	f->upstream_stale = true;
	if (f->phase == HTTP_HEAD || f->phase == HTTP_HOLD || (f->phase == HTTP_EVENT && f->reused))
		http_side_close(&f->upstream);
	if (f->phase == HTTP_SOCKET || is_call(f))
		http_refuse(f, 502, EVENT_FAILED, REASON_CREDENTIAL_MISSING);
	leave_in_time(f);
}

static void on_stop(struct flow *flow)
{
	struct http_flow *f = (struct http_flow *)flow;

	note_unsent(f, REASON_ROLE_DOWN);
	http_flow_finish(f, true);
}

static struct http_flow *start(const struct flow *facts)
{
	static const struct flow_ops ops = { .on_policy = on_policy, .on_secret = on_secret, .on_stop = on_stop };
	struct http_flow *f = calloc(1, sizeof(*f));
	struct buf *bufs[] = { &f->canon, &f->held, &f->wire, &f->change, &f->trailers, &f->body_trailers };

	if (!f)
		return NULL;
	f->flow = *facts;
	f->flow.ops = &ops;
	f->flow.fd = -1; /* f->guest has it */
	http_side_init(&f->guest, HTTP1_HEAD_LEN_MAX + HTTP_SIDE_READ);
	http_side_heeds_leave(&f->guest);
	http_side_init(&f->upstream, HTTP1_HEAD_LEN_MAX + HTTP_SIDE_READ);
	buf_init(&f->canon, HTTP1_CANON_MAX);
	buf_init(&f->held, (size_t)2 * HTTP_FLOW_HOLD_MAX);
	buf_init(&f->wire, DRESS_MAX);
	if (gate_is_outlet(facts->gate)) { /* what a request wears leaves no copy behind */
		buf_init_wiping(&f->wire, DRESS_MAX);
		http_side_wipes(&f->upstream);
	}
	buf_init(&f->change, POLICY_CHANGE_MAX);
	buf_init(&f->trailers, HTTP1_TRAILERS_LEN_MAX);
	buf_init(&f->body_trailers, HTTP1_TRAILERS_LEN_MAX);
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		held_buf(bufs[i]);
	held_set(&f->charged, sizeof(*f));
	http_flow_next(f);
	flow_register(&f->flow);
	return f;
}

void http_flow_start_tls(const struct flow *facts, struct tls *tls)
{
	struct http_flow *f = start(facts);

	if (!f) {
		tls_free(tls);
		(void)fd_close(facts->fd);
	} else if (http_side_open(&f->guest, gate_loop(facts->gate), facts->fd, tls, on_guest, f) < 0) {
		http_flow_finish(f, false);
	} else {
		http_side_asks(&f->guest);
		http_flow_deadline(f, FLOW_FIRST_BYTES_MS);
		if (f->guest.readable) /* libssl has read ahead: no event will come for it */
			http_flow_pump(f);
	}
}

void http_flow_start_stream(const struct flow *facts, struct h2_stream *stream)
{
	struct http_flow *f = start(facts);

	if (!f) {
		h2_stream_release(stream);
		return;
	}
	f->on_stream = true;
	http_side_open_stream(&f->guest, stream, on_guest, f);
	http_flow_deadline(f, FLOW_FIRST_BYTES_MS);
	http_flow_pump(f);
}

void http_flow_start(const struct flow *facts)
{
	http_flow_start_tls(facts, NULL);
}
