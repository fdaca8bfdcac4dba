#include "proxy/http_flow.h"

#include <stdio.h>

#include "wire/http1_out.h"

/* From a judged request to its whole answer. The connection of dialer is made before the request is put on record, so that a
 * refusal by dialer is the only event of a request that nobody forwarded; and the record is on disk before the first byte goes.
 *
 * A kept connection may die just as a request leaves. A safe request without a body, of which no answer was seen, is sent once
 * more on a new connection; any other is answered 502 and never sent twice. */

enum { ROUNDS = 8 }; /* reads of upstream in a row, for the sake of other flows */

static void send_request(struct http_flow *f)
{
	enum reason r = http_dress_stale(f) ? http_dress(f) : REASON_OK;

	if (r != REASON_OK) { /* it went while the request was being recorded */
		http_refuse(f, 502, EVENT_FAILED, r);
		return;
	}
	f->answer_scan = (struct http1_scan){ 0 };
	f->answering = false;
	f->answer_done = false;
	f->n_interim = 0;
	(void)buf_bytes(&f->upstream.out, buf_view(f->wire.len ? &f->wire : &f->canon));
	(void)buf_bytes(&f->upstream.out, buf_view(&f->held));
	buf_deinit(&f->held);
	buf_deinit(&f->wire);
	f->upstream_stale = false;
	f->phase = HTTP_RELAY;
	http_flow_deadline(f, HTTP_FLOW_STALL_MS);
}

static void dial(struct http_flow *f);

static void on_recorded(void *owner, bool written)
{
	struct http_flow *f = owner;

	f->recorded = written;
	f->n_requests += written;
	if (!written)
		http_refuse_silently(f, 503, REASON_AUDIT_UNWRITABLE);
	else if (!f->upstream.open) /* a kept connection that ended meanwhile: nothing was sent on it */
		dial(f);
	else
		send_request(f);
	http_flow_pump(f);
}

/* The verdict stands by the policy in force now, not by the one when the request came. */
static void record(struct http_flow *f)
{
	struct event ev;

	if (f->generation != gate_generation(f->flow.gate) && !http_ask_judge(f))
		return;
	if (f->through_outlet) {
		f->n_requests++;
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
	f->through_outlet = c->clear_to_outlet;
	if (c->fd >= 0 && http_side_open(&f->upstream, gate_loop(f->flow.gate), c->fd, c->tls, http_flow_on_upstream, f) < 0)
		reason = REASON_ROLE_DOWN;
	if (reason == REASON_UPSTREAM_UNVERIFIED)
		(void)snprintf(f->stripped, sizeof(f->stripped), "%s", c->detail);
	if (reason != REASON_OK && c->recorded)
		http_refuse_silently(f, status_of(reason), reason);
	else if (reason != REASON_OK)
		http_refuse(f, status_of(reason), f->recorded || reason == REASON_UPSTREAM_UNVERIFIED ? EVENT_FAILED : EVENT_DENIED, reason);
	else if (f->recorded)
		send_request(f);
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
	/* A kept connection that says anything between two requests says that it is over. */
	if (f->upstream.open && !http_side_silent(&f->upstream))
		http_side_close(&f->upstream);
	if (!f->upstream.open)
		dial(f);
	else
		record(f);
}

static void upstream_failed(struct http_flow *f, enum reason reason)
{
	http_refuse(f, reason == REASON_UPSTREAM_TIMEOUT ? 504 : 502, EVENT_FAILED, reason);
}

static bool may_retry(const struct http_flow *f)
{
	struct bytes line = buf_view(&f->canon);
	struct bytes method = bytes_of(line.p, bytes_find(line, ' '));
	bool safe = bytes_is(method, "GET") || bytes_is(method, "HEAD") || bytes_is(method, "OPTIONS");

	return safe && f->request.length.framing == HTTP1_NO_BODY && f->reused && !f->retried && !f->answering &&
	       f->n_interim == 0 && f->upstream.in.len == 0;
}

static void upstream_ended(struct http_flow *f)
{
	if (f->answering && f->answer_body.framing == HTTP1_UNTIL_CLOSE && !f->upstream.broken) {
		http1_last(&f->guest.out, f->answer_framing);
		f->answer_done = true;
	} else if (may_retry(f)) {
		http_side_close(&f->upstream);
		f->retried = true;
		dial(f);
	} else {
		upstream_failed(f, REASON_UPSTREAM_CLOSED);
	}
}

/* A final head: what of it goes to the guest, and what happens to both connections afterwards. */
static void take_answer(struct http_flow *f, const struct http1_head *h, const struct http1_length *l)
{
	struct http1_relay relay = { .client_minor = f->minor, .to_head = f->to_head };

	f->keep = f->keep && f->body_done && !f->unlisted && !f->guest.eof;
	relay.keep = f->keep || f->guest.stream; /* of a stream nobody says that it closes */
	f->answer_framing = http1_answer_canon(h, l, &relay, &f->guest.out);
	f->keep = f->keep && f->answer_framing != HTTP1_UNTIL_CLOSE;
	f->upstream_keep = l->keep && l->framing != HTTP1_NO_BODY;
	f->answering = true;
	f->answer_done = l->framing == HTTP1_NO_BODY || (l->framing == HTTP1_LENGTH && l->len == 0);
	http1_body_init(&f->answer_body, l->framing, l->len);
}

/* True: something was taken off upstream.in. */
static bool answer_head(struct http_flow *f)
{
	struct http1_head h;
	struct http1_length l;
	enum http1_fault fault;
	enum http1_answer a;
	size_t len;

	a = http1_response_head(&f->answer_scan, buf_view(&f->upstream.in), &h, &len, &fault);
	if (a == HTTP1_MORE)
		return false;
	if (a == HTTP1_BAD || h.status == 101 || !http1_response_length(&h, f->to_head, &l, &fault) ||
	    (h.status < 200 && ++f->n_interim > HTTP_FLOW_INTERIM_MAX)) {
		upstream_failed(f, REASON_UPSTREAM_MALFORMED);
		return false;
	}
	if (h.status >= 200)
		take_answer(f, &h, &l);
	f->answer_scan = (struct http1_scan){ 0 };
	buf_consume(&f->upstream.in, len);
	return true;
}

static bool answer_piece(struct http_flow *f)
{
	enum http1_fault fault;
	enum http1_answer a;
	struct bytes data;
	size_t used;

	if (f->upstream.in.len == 0)
		return false;
	a = http1_body_next(&f->answer_body, buf_view(&f->upstream.in), &used, &data, &fault);
	if (a == HTTP1_BAD) {
		upstream_failed(f, REASON_UPSTREAM_MALFORMED);
		return false;
	}
	http1_piece(&f->guest.out, f->answer_framing, data);
	buf_consume(&f->upstream.in, used);
	f->answer_done = a == HTTP1_DONE;
	if (f->answer_done)
		http1_last(&f->guest.out, f->answer_framing);
	return true;
}

/* Everything of the answer that is here and that the guest has room for. */
static void relay_answer(struct http_flow *f)
{
	f->answer_more = true;
	for (int round = 0; round < ROUNDS || http_side_unwatched(&f->upstream); round++) {
		size_t n = http_side_read(&f->upstream, HTTP_SIDE_READ);
		bool moved = true;

		f->bytes_in += n;
		while (moved && f->phase == HTTP_RELAY && !f->answer_done && f->guest.out.len < HTTP_SIDE_OUT_FULL)
			moved = f->answering ? answer_piece(f) : answer_head(f);
		if (f->phase != HTTP_RELAY)
			return;
		(void)http_side_flush(&f->guest);
		if (f->answer_done || f->guest.out.len >= HTTP_SIDE_OUT_FULL || (n == 0 && moved == false)) {
			f->answer_more = false;
			break;
		}
	}
	if (!f->answer_done && f->upstream.eof && (f->upstream.in.len == 0 || !f->answering) &&
	    f->guest.out.len < HTTP_SIDE_OUT_FULL)
		upstream_ended(f);
}

/* The exchange is over: what of it can carry the next one. */
static void complete(struct http_flow *f)
{
	if (!f->upstream_keep || !f->body_done || f->upstream.in.len || f->upstream.out.len || f->upstream.eof ||
	    f->upstream.deaf || f->unlisted || f->upstream_stale)
		http_side_close(&f->upstream);
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
	relay_answer(f);
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
