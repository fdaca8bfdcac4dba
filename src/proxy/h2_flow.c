#include "proxy/h2_flow.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/h2_server.h"
#include "net/tls.h"
#include "os/fd.h"
#include "proxy/flows.h"
#include "proxy/gate_main.h"
#include "proxy/http_flow.h"

/* Bytes go from the TLS stream into net/h2 and back; what net/h2 calls a stream becomes an http flow, which reads and writes HTTP/1.1
 * and knows nothing of frames. A policy that changes is each stream's affair; the connection stays, as a kept one of HTTP/1.1 does. */

struct h2_flow {
	struct flow flow; /* first: the register gives it back */
	struct http_side side;
	struct h2 *h2;
	struct loop_timer timer;
	struct loop_timer pause; /* armed: nothing is read */
	struct loop_later pump_later;
	struct loop_later gone;
	uint64_t bytes_in;
	uint64_t bytes_out;
	bool recorded; /* why it ended */
	bool over;
	bool served; /* it had a stream */
	bool had_streams; /* when the deadline was set */
	bool feeding; /* net/h2 is on the stack */
};

static void pump(struct h2_flow *f);

static struct loop *loop_of(const struct h2_flow *f)
{
	return gate_loop(f->flow.gate);
}

static void free_later(struct loop_later *later)
{
	struct h2_flow *f = later->owner;

	h2_free(f->h2);
	free(f);
}

static void note(struct h2_flow *f, enum event_action action, enum reason reason, const char *detail)
{
	struct event ev = flow_event(&f->flow, EVENT_FLOW, action, reason);

	ev.bytes_in = f->bytes_in;
	ev.bytes_out = f->bytes_out;
	ev.detail = bytes_str(detail);
	gate_note(f->flow.gate, &ev);
}

static void finish(struct h2_flow *f, bool reset)
{
	if (f->over)
		return;
	f->over = true;
	loop_timer_disarm(&f->timer);
	loop_timer_disarm(&f->pause);
	loop_later_cancel(&f->pump_later);
	h2_close(f->h2, H2_CLOSED); /* its streams hear it */
	if (reset)
		http_side_reset(&f->side);
	else
		http_side_close(&f->side);
	if (f->side.breach && !f->recorded)
		note(f, EVENT_DENIED, REASON_TLS_BROKEN, f->side.breach);
	else if (f->served && !f->recorded)
		note(f, EVENT_CLOSED, REASON_OK, "");
	flow_unregister(&f->flow);
	loop_later(loop_of(f), &f->gone, free_later, f);
}

/* The end of the whole connection by the guest's fault is one event. */
static void broken(struct h2_flow *f, enum h2_fault fault)
{
	if (f->recorded || fault == H2_OK || fault == H2_CLOSED)
		return;
	f->recorded = true;
	note(f, EVENT_DENIED, http_side_reason(fault), h2_fault_text(fault));
}

static void deadline(struct h2_flow *f);

static void on_time(struct loop_timer *t)
{
	struct h2_flow *f = t->owner;

	if (h2_stalled(f->h2) || f->side.out.len) {
		h2_close(f->h2, H2_STALLED);
		broken(f, H2_STALLED);
		finish(f, true);
	} else if (h2_streams(f->h2) == 0 && !f->served) {
		note(f, EVENT_DENIED, REASON_FIRST_BYTES_LATE, "");
		f->recorded = true;
		finish(f, true);
	} else if (h2_streams(f->h2) == 0) {
		h2_drain(f->h2);
		pump(f);
		finish(f, false);
	} else {
		deadline(f);
	}
}

static void deadline(struct h2_flow *f)
{
	bool busy = h2_streams(f->h2) > 0;
	uint64_t ms = busy ? H2_FLOW_STALL_MS : f->served ? H2_FLOW_IDLE_MS : H2_FLOW_FIRST_MS;

	f->had_streams = busy;
	if (!loop_timer_arm(loop_of(f), &f->timer, ms, on_time, f))
		finish(f, true);
}

/* Without a stream time passes whatever the guest says (PING, SETTINGS): else a connection that asks for nothing would stay for ever. */
static bool time_begins_anew(const struct h2_flow *f, bool moved)
{
	bool busy = h2_streams(f->h2) > 0;

	return !f->timer.slot || f->had_streams != busy || (busy && moved);
}

static void on_stream(void *owner, struct h2_stream *s)
{
	struct h2_flow *f = owner;
	struct flow facts = f->flow;

	f->served = true;
	facts.fd = -1;
	facts.prev = NULL;
	facts.id = gate_next_flow(f->flow.gate);
	facts.started_ms = loop_now_ms(loop_of(f));
	if (flows_count(gate_flows(f->flow.gate)) < FLOWS_MAX) {
		http_flow_start_stream(&facts, s);
		return;
	}
	note(f, EVENT_DENIED, REASON_TOO_MANY_FLOWS, "a stream of HTTP/2");
	h2_stream_refuse(s);
}

static void on_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	if (h2_stream_user(s))
		http_side_wake(h2_stream_user(s));
}

static void on_malformed(void *owner, uint32_t id, enum h2_fault fault)
{
	struct h2_flow *f = owner;
	struct event ev = flow_event(&f->flow, EVENT_HTTP, EVENT_DENIED, http_side_reason(fault));

	(void)id;
	ev.status = (uint16_t)h2_fault_status(fault);
	ev.detail = bytes_str(h2_fault_text(fault));
	gate_note(f->flow.gate, &ev);
}

static void on_pump_later(struct loop_later *later)
{
	pump(later->owner);
}

static void on_output(void *owner)
{
	struct h2_flow *f = owner;

	if (!f->over)
		loop_later(loop_of(f), &f->pump_later, on_pump_later, f);
}

static void send(struct h2_flow *f)
{
	do {
		h2_take(f->h2, &f->side.out, http_side_out_full());
		f->bytes_in += http_side_flush(&f->side);
	} while (h2_pending(f->h2) && f->side.out.len == 0 && !f->side.deaf);
}

static void on_pause_over(struct loop_timer *t)
{
	pump(t->owner);
}

/* A connection that stands has no door to wait at: what the guest asks on it in too much noise waits here. */
static bool may_read(struct h2_flow *f)
{
	struct gate *g = f->flow.gate;

	if (!f->pause.slot && (gate_busy(g) || gate_noisy(g, GATE_NOISE_FLOW)))
		(void)loop_timer_arm(loop_of(f), &f->pause, H2_FLOW_PAUSE_MS, on_pause_over, f);
	return !f->pause.slot && h2_wants(f->h2) && !http_side_full(&f->side);
}

static void receive(struct h2_flow *f)
{
	size_t n;

	if (!may_read(f))
		return;
	n = http_side_read(&f->side, H2_FLOW_READ);
	f->bytes_out += n;
	if (n) {
		broken(f, h2_feed(f->h2, buf_view(&f->side.in), loop_now_ms(loop_of(f))));
		buf_reset(&f->side.in);
	}
	if (f->side.starved)
		h2_close(f->h2, H2_MEMORY);
	if (f->side.eof)
		h2_eof(f->h2);
}

static void pump(struct h2_flow *f)
{
	uint64_t moved = f->side.moved;

	if (f->over || f->feeding)
		return;
	f->feeding = true;
	receive(f);
	send(f);
	broken(f, f->side.starved ? H2_MEMORY : h2_fault(f->h2));
	f->feeding = false;
	if (f->side.deaf || (h2_finished(f->h2) && f->side.out.len == 0) || (f->side.eof && h2_streams(f->h2) == 0)) {
		finish(f, false);
		return;
	}
	if (time_begins_anew(f, f->side.moved != moved))
		deadline(f);
	if (f->over)
		return;
	http_side_rest(&f->side);
	http_side_want(&f->side, may_read(f), false);
}

static void on_side(void *owner, uint32_t events)
{
	struct h2_flow *f = owner;

	if (events & (EPOLLHUP | EPOLLERR)) {
		finish(f, false);
		return;
	}
	pump(f);
}

static void on_policy(struct flow *flow)
{
	struct h2_flow *f = (struct h2_flow *)flow;
	struct policy_entry entry;

	if (policy_find(gate_policy(flow->gate), name_bytes(&flow->name), flow->dst_port, &entry) == REASON_OK && entry.mode == flow->entry.mode) {
		flow->entry = entry;
		return;
	}
	flow_forget_entry(flow);
	h2_drain(f->h2);
	on_output(f);
}

static void on_stop(struct flow *flow)
{
	finish((struct h2_flow *)flow, true);
}

void h2_flow_start(const struct flow *facts, struct tls *tls)
{
	static const struct flow_ops ops = { .on_policy = on_policy, .on_stop = on_stop };
	static const struct h2_ops h2_ops = { .on_stream = on_stream, .on_wake = on_wake, .on_malformed = on_malformed, .on_output = on_output };
	struct h2_flow *f = calloc(1, sizeof(*f));
	struct event ev;

	if (f)
		f->h2 = h2_server_new(&h2_ops, f);
	if (!f || !f->h2) {
		ev = flow_event(facts, EVENT_FLOW, EVENT_DENIED, REASON_TOO_MANY_FLOWS);
		ev.detail = bytes_str(h2_fault_text(H2_MEMORY));
		gate_note(facts->gate, &ev);
		free(f);
		tls_free(tls);
		(void)fd_close(facts->fd);
		return;
	}
	f->flow = *facts;
	f->flow.ops = &ops;
	f->flow.fd = -1;
	http_side_init(&f->side, H2_FLOW_READ);
	flow_register(&f->flow);
	if (http_side_open(&f->side, loop_of(f), facts->fd, tls, on_side, f) < 0) {
		finish(f, false);
		return;
	}
	http_side_asks(&f->side);
	pump(f);
}
