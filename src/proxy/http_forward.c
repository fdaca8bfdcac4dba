#include "proxy/http_flow.h"
#include "proxy/http_judge.h"

#include "net/h2.h"

/* From a judged request to its whole answer. The connection (http_connect.c) is there before the request is put on record, so that a
 * refusal by dialer is the only event of a request that nobody forwarded; and the record is on disk before the first byte goes.
 *
 * A kept connection may die just as a request leaves. A safe request without a body, of which no answer was seen, is sent once
 * more on a new connection, and so is any whose host of HTTP/2 promises that it did nothing with it, if all that was sent is still here; all
 * others are answered 502 and never sent twice. */

/* A host of HTTP/2 may yet say that it did nothing with it. */
static bool keeps_held(const struct http_flow *f)
{
	return f->upstream.stream && f->body_done && !f->reading && f->held.len <= HTTP_FLOW_HOLD_MAX;
}

static bool outdated(const struct http_flow *f)
{
	return f->generation != gate_generation(f->flow.gate);
}

/* What is left of `ms` that began once. */
static uint64_t left_of(const struct http_flow *f, uint64_t *by_ms, uint64_t ms)
{
	uint64_t now = loop_now_ms(gate_loop(f->flow.gate));

	if (!*by_ms)
		*by_ms = now + ms;
	return *by_ms > now ? *by_ms - now : 1;
}

static uint64_t patience_with_host(struct http_flow *f)
{
	if (f->answering)
		return HTTP_FLOW_STREAM_MS;
	if (!f->body_done || f->upstream.out.len || f->upstream.in.len)
		return HTTP_FLOW_STALL_MS;
	return left_of(f, &f->answer_by_ms, HTTP_FLOW_ANSWER_MS);
}

/* Nobody knows of a guest that has ended its side whether it still reads, until something is written to it. */
static uint64_t patience_with_guest(struct http_flow *f)
{
	if (!f->guest.left || !f->body_done || f->guest.out.len)
		return UINT64_MAX;
	return f->answering ? HTTP_FLOW_LEFT_MS : left_of(f, &f->left_by_ms, HTTP_FLOW_LEFT_MS);
}

/* How long nothing may happen from here on. Until an answer begins interim ones make it no longer. */
static uint64_t patience(struct http_flow *f)
{
	uint64_t host = patience_with_host(f);
	uint64_t guest = patience_with_guest(f);

	return host < guest ? host : guest;
}

static void send_request(struct http_flow *f)
{
	enum reason r = http_dress_stale(f) ? http_dress(f) : REASON_OK;

	if (r != REASON_OK) { /* it went while the request was being recorded */
		http_refuse(f, 502, EVENT_FAILED, r);
		return;
	}
	if (!http_answer_begin(f)) {
		http_refuse_memory(f, EVENT_FAILED);
		return;
	}
	(void)buf_bytes(&f->upstream.out, buf_view(f->wire.len ? &f->wire : &f->canon));
	(void)buf_bytes(&f->upstream.out, buf_view(&f->held));
	if (!keeps_held(f))
		buf_deinit(&f->held);
	if (f->reading)
		http_reading_held(f->reading, 0);
	buf_deinit(&f->wire);
	f->n_requests++;
	f->promised = false;
	f->upstream_stale = false;
	f->disallowed = false;
	loop_timer_disarm(&f->leave); /* it was for what went before */
	f->upstream_idle = false;
	f->phase = HTTP_RELAY;
	if (f->upstream.stream) /* no loop tells that it can be written */
		(void)http_side_flush(&f->upstream);
	f->answer_by_ms = 0;
	f->patience_ms = patience(f);
	http_flow_deadline(f, f->patience_ms);
}

/* When the request is about to go: what a host said before it was asked is no answer. What came until this turn of the loop was heard, and
 * closed the connection (http_flow_on_upstream), unless there was too much for one turn. A stream would hear of its end in a moment. */
static bool upstream_lives(struct http_flow *f)
{
	bool kept = f->upstream.open && (f->upstream.stream || f->reused);

	if (kept && !http_side_heard_silent(&f->upstream) && !http_side_silent(&f->upstream))
		http_side_close(&f->upstream);
	return f->upstream.open;
}

static void on_recorded(void *owner, bool written)
{
	struct http_flow *f = owner;

	f->recorded = written;
	if (!written) {
		http_refuse_silently(f, 503, REASON_AUDIT_UNWRITABLE);
	} else if (outdated(f)) { /* nothing of it has gone: connection, verdict, credential and record are the new policy's */
		f->wears = false;
		if (http_judge(f))
			http_forward(f);
	} else if (!upstream_lives(f)) { /* a kept connection that ended meanwhile: nothing was sent on it */
		http_connect(f);
	} else {
		send_request(f);
	}
	http_flow_pump(f);
}

void http_forward_go(struct http_flow *f)
{
	struct event ev;

	if (outdated(f) && !http_connect_judge(f))
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
	f->promised = true;
	gate_event(f->flow.gate, &f->wait, &ev, on_recorded, f);
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
	/* A kept connection that says anything between two requests says that it is over; one that the policy in force would not make
	 * is not ours any more. A request that waits for its record is looked after once more when that is over. */
	if (f->upstream.open && !f->upstream_vetted)
		http_side_close(&f->upstream);
	if (upstream_lives(f))
		http_forward_go(f);
	else
		http_connect(f);
}

/* All of the request that was sent is still here. */
static bool can_repeat(const struct http_flow *f)
{
	bool bodyless = f->request.length.framing == HTTP1_NO_BODY || (f->request.length.framing == HTTP1_LENGTH && !f->request.length.len);

	return !f->retried && !f->answering && f->n_interim == 0 && f->upstream.in.len == 0 && (bodyless || f->held.len);
}

bool http_forward_safe(const struct http_flow *f)
{
	struct bytes line = buf_view(&f->canon);
	struct bytes method = bytes_of(line.p, bytes_find(line, ' '));

	return f->request.length.framing == HTTP1_NO_BODY && (bytes_is(method, "GET") || bytes_is(method, "HEAD") || bytes_is(method, "OPTIONS"));
}

static bool may_retry(const struct http_flow *f)
{
	if (!can_repeat(f) || f->upstream.starved)
		return false;
	if (f->upstream.fault == H2_NOT_PROCESSED) /* the host promises that it did nothing with it */
		return true;
	return f->reused && (f->upstream.fault == H2_OK || f->upstream.fault == H2_CLOSED) && http_forward_safe(f);
}

static enum reason ended_by(const struct http_flow *f)
{
	switch (f->upstream.fault) {
	case H2_OK:
	case H2_PEER_RESET:
	case H2_NOT_PROCESSED:
	case H2_CLOSED:
		return f->upstream.starved ? REASON_TOO_MANY_FLOWS : REASON_UPSTREAM_CLOSED;
	case H2_MEMORY: /* of ours */
		return REASON_TOO_MANY_FLOWS;
	default: /* against the rules, or a flood */
		return REASON_UPSTREAM_MALFORMED;
	}
}

void http_forward_ended(struct http_flow *f)
{
	enum reason r;

	if (!may_retry(f)) {
		http_answer_failed(f, ended_by(f));
		return;
	}
	http_side_close(&f->upstream);
	f->retried = true;
	r = http_dress(f); /* what it wore went with the first attempt */
	if (r != REASON_OK)
		http_refuse(f, 502, EVENT_FAILED, r);
	else
		http_connect(f);
}

/* The exchange is over: what of it can carry the next one. */
static void complete(struct http_flow *f)
{
	if (!f->upstream_keep || !f->body_done || f->upstream.in.len || f->upstream.out.len || f->upstream.eof ||
	    f->upstream.deaf || f->unlisted || f->upstream_stale)
		http_side_close(&f->upstream);
	f->upstream_idle = f->upstream.open;
	f->drains = !f->body_done;
	if (f->keep && !f->unlisted)
		http_flow_next(f);
	else
		f->phase = HTTP_CLOSING;
	http_flow_deadline(f, HTTP_FLOW_STREAM_MS);
}

/* The request's rest. False: the phase changed. */
static bool relay_body(struct http_flow *f)
{
	size_t went;

	do { /* a stream tells of room only where it had none, so that what it took must be followed at once */
		if (!f->upstream.deaf && !http_ask_body(f, &f->upstream.out, http_side_out_full()))
			return false;
		went = http_side_flush(&f->upstream);
	} while (went && f->upstream.stream && !f->body_done);
	if (f->upstream.deaf && f->upstream.starved) { /* the host has a beginning that nothing completes */
		http_answer_failed(f, REASON_TOO_MANY_FLOWS);
		return false;
	}
	if (!f->body_done && f->guest.eof && f->guest.in.len == 0) {
		http_flow_finish(f, true);
		return false;
	}
	return true;
}

/* A part of a head, in upstream.in, is no answer that begins: else a host would hold on to a flow whose guest has left for as long as it likes,
 * since nothing is written to the guest before the head is whole. */
static void renew_deadline(struct http_flow *f)
{
	uint64_t moved = f->guest.moved + f->upstream.moved - (f->answering ? 0 : f->upstream.in.len);
	uint64_t ms = patience(f);

	if (moved == f->moved && ms == f->patience_ms)
		return;
	f->moved = moved;
	f->patience_ms = ms;
	http_flow_deadline(f, ms);
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
