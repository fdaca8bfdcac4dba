#include "proxy/http_flow.h"
#include "proxy/idle.h"

#include <stdio.h>

/* From a judged request to its whole answer. The connection of dialer is made before the request is put on record, so that a
 * refusal by dialer is the only event of a request that nobody forwarded; and the record is on disk before the first byte goes.
 *
 * A kept connection may die just as a request leaves. A safe request without a body, of which no answer was seen, is sent once
 * more on a new connection; any other is answered 502 and never sent twice. */

static void send_request(struct http_flow *f)
{
	enum reason r = http_dress_stale(f) ? http_dress(f) : REASON_OK;

	if (r != REASON_OK) { /* it went while the request was being recorded */
		http_refuse(f, 502, EVENT_FAILED, r);
		return;
	}
	if (!http_answer_begin(f)) {
		http_refuse(f, 503, EVENT_FAILED, REASON_ROLE_DOWN);
		return;
	}
	(void)buf_bytes(&f->upstream.out, buf_view(f->wire.len ? &f->wire : &f->canon));
	(void)buf_bytes(&f->upstream.out, buf_view(&f->held));
	buf_deinit(&f->held);
	if (f->reading)
		http_reading_held(f->reading, 0);
	buf_deinit(&f->wire);
	f->n_requests++;
	f->upstream_stale = false;
	f->upstream_idle = false;
	f->phase = HTTP_RELAY;
	http_flow_deadline(f, HTTP_FLOW_STALL_MS);
}

static void dial(struct http_flow *f);

static bool outdated(const struct http_flow *f)
{
	return f->generation != gate_generation(f->flow.gate);
}

/* The verdict stands by the policy in force now, not by the one when the request came; so do what it wears and its record. False: it was
 * refused. */
static bool judge_again(struct http_flow *f)
{
	enum reason r;

	if (!http_ask_judge(f))
		return false;
	r = http_dress(f);
	if (r != REASON_OK)
		http_refuse(f, 502, f->recorded ? EVENT_FAILED : EVENT_DENIED, r);
	f->recorded = false;
	return r == REASON_OK;
}

static void on_recorded(void *owner, bool written)
{
	struct http_flow *f = owner;

	f->recorded = written;
	if (!written) {
		http_refuse_silently(f, 503, REASON_AUDIT_UNWRITABLE);
	} else if (outdated(f)) { /* nothing of it has gone: connection, verdict, credential and record are the new policy's */
		if (http_ask_judge(f))
			http_forward(f);
	} else if (!f->upstream.open) { /* a kept connection that ended meanwhile: nothing was sent on it */
		dial(f);
	} else {
		send_request(f);
	}
	http_flow_pump(f);
}

static void record(struct http_flow *f)
{
	struct event ev;

	if (outdated(f) && !judge_again(f))
		return;
	if (f->through_outlet || f->recorded) {
		send_request(f);
		return;
	}
	f->phase = HTTP_EVENT;
	http_flow_deadline(f, HTTP_FLOW_EVENT_MS);
	if (f->phase != HTTP_EVENT)
		return;
	ev = http_request_event(f, f->observed ? EVENT_OBSERVED : EVENT_ALLOWED, f->verdict);
	gate_event(f->flow.gate, &f->wait, &ev, on_recorded, f);
}

static unsigned status_of(enum reason r)
{
	switch ((int)r) {
	case REASON_RESOLVE_FAILED:
	case REASON_RESOLVE_NONE:
	case REASON_CONNECT_FAILED:
	case REASON_PROXY_REFUSED:
	case REASON_UPSTREAM_UNVERIFIED:
		return 502;
	case REASON_ROLE_DOWN:
	case REASON_AUDIT_UNWRITABLE:
	case REASON_TOO_MANY_FLOWS:
		return 503;
	case REASON_UPSTREAM_TIMEOUT:
		return 504;
	default:
		return 403;
	}
}

static void on_host(void *owner, const struct host_conn *c)
{
	struct http_flow *f = owner;
	enum reason reason = c->reason;

	f->reused = false;
	f->upstream_generation = gate_generation(f->flow.gate);
	f->through_outlet = c->clear_to_outlet;
	if (c->fd >= 0 && http_side_open(&f->upstream, gate_loop(f->flow.gate), c->fd, c->tls, http_flow_on_upstream, f) < 0)
		reason = REASON_ROLE_DOWN;
	if (reason == REASON_UPSTREAM_UNVERIFIED)
		(void)snprintf(f->stripped, sizeof(f->stripped), "%s", c->detail);
	if (reason == REASON_POLICY_CHANGED && !c->recorded) {
		if (judge_again(f))
			dial(f);
	} else if (reason != REASON_OK && c->recorded)
		http_refuse_silently(f, status_of(reason), reason);
	else if (reason != REASON_OK)
		http_refuse(f, status_of(reason), f->recorded || reason == REASON_UPSTREAM_UNVERIFIED ? EVENT_FAILED : EVENT_DENIED, reason);
	else
		record(f);
	http_flow_pump(f);
}

static void dial(struct http_flow *f)
{
	f->phase = HTTP_DIAL;
	http_flow_deadline(f, HTTP_FLOW_DIAL_MS);
	if (f->phase == HTTP_DIAL)
		host_start(&f->host, &f->flow, false, on_host, f);
}

/* One that an earlier flow to the same place left behind. */
static bool take_idle(struct http_flow *f)
{
	f->through_outlet = gate_way(f->flow.gate, name_bytes(&f->flow.name)) == GATE_OUTLET;
	f->upstream_generation = gate_generation(f->flow.gate);
	return idle_take(&f->upstream, gate_loop(f->flow.gate), &f->flow.name, f->flow.dst_port, f->through_outlet, http_flow_on_upstream, f);
}

void http_forward(struct http_flow *f)
{
	enum reason r = http_dress(f);

	if (r != REASON_OK) {
		http_refuse(f, 502, EVENT_DENIED, r);
		return;
	}
	f->retried = false;
	f->recorded = false;
	f->reused = true;
	/* A kept connection that says anything between two requests says that it is over; one that another policy vetted is not
	 * ours any more. */
	if (f->upstream.open && (f->upstream_generation != gate_generation(f->flow.gate) || !http_side_silent(&f->upstream)))
		http_side_close(&f->upstream);
	if (!f->upstream.open && !take_idle(f))
		dial(f);
	else
		record(f);
}

static bool may_retry(const struct http_flow *f)
{
	struct bytes line = buf_view(&f->canon);
	struct bytes method = bytes_of(line.p, bytes_find(line, ' '));
	bool safe = bytes_is(method, "GET") || bytes_is(method, "HEAD") || bytes_is(method, "OPTIONS");

	return safe && f->request.length.framing == HTTP1_NO_BODY && f->reused && !f->retried && !f->answering &&
	       f->n_interim == 0 && f->upstream.in.len == 0;
}

void http_forward_ended(struct http_flow *f)
{
	enum reason r;

	if (!may_retry(f)) {
		http_answer_failed(f, REASON_UPSTREAM_CLOSED);
		return;
	}
	http_side_close(&f->upstream);
	f->retried = true;
	r = http_dress(f); /* what it wore went with the first sending */
	if (r == REASON_OK)
		dial(f);
	else
		http_refuse(f, 502, EVENT_FAILED, r);
}

/* The exchange is over: what of it can carry the next one. */
static void complete(struct http_flow *f)
{
	if (!f->upstream_keep || !f->body_done || f->upstream.in.len || f->upstream.out.len || f->upstream.eof ||
	    f->upstream.deaf || f->unlisted || f->upstream_stale)
		http_side_close(&f->upstream);
	f->upstream_idle = f->upstream.open;
	if (f->keep && !f->unlisted)
		http_flow_next(f);
	else
		f->phase = HTTP_CLOSING;
	http_flow_deadline(f, HTTP_FLOW_STREAM_MS);
}

/* The request's rest. False: the phase changed. */
static bool relay_body(struct http_flow *f)
{
	if (!f->upstream.deaf && !http_ask_body(f, &f->upstream.out, HTTP_SIDE_OUT_FULL))
		return false;
	if (!f->body_done && f->guest.eof && f->guest.in.len == 0) {
		struct event ev = http_request_event(f, EVENT_FAILED, REASON_GUEST_CLOSED);

		gate_note(f->flow.gate, &ev);
		http_flow_finish(f, true);
		return false;
	}
	(void)http_side_flush(&f->upstream);
	return true;
}

static void renew_deadline(struct http_flow *f)
{
	uint64_t moved = f->guest.moved + f->upstream.moved;

	if (moved == f->moved)
		return;
	f->moved = moved;
	http_flow_deadline(f, f->answering ? HTTP_FLOW_STREAM_MS : HTTP_FLOW_STALL_MS);
}

bool http_forward_relay(struct http_flow *f)
{
	if (!relay_body(f))
		return true;
	http_answer_relay(f);
	if (f->phase != HTTP_RELAY)
		return true;
	if (f->guest.deaf)
		http_flow_finish(f, false);
	else if (f->answer_done)
		complete(f);
	else
		renew_deadline(f);
	return f->phase != HTTP_RELAY;
}
