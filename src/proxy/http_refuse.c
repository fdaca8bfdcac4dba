#include "proxy/http_flow.h"

#include <stdio.h>
#include <string.h>

#include "net/h2.h"
#include "proxy/problem.h"
#include "wire/git_report.h"
#include "wire/http1_out.h"

/* A refusal is on record before it is answered, and the connection ends with it: what the guest sent behind the refused request
 * is thrown away unread. When the log cannot take the event the answer is the same; a refusal needs nobody's consent. */

/* Which credential the refusal is about; empty for other reasons. */
static struct bytes missing(const struct http_flow *f, enum reason reason)
{
	struct policy_credential credential;

	if (reason != REASON_CREDENTIAL_MISSING || !policy_credential_at(gate_policy(f->flow.gate), f->flow.entry.credential, &credential))
		return bytes_of(NULL, 0);
	return credential.id;
}

/* One that the request wears is spent when it goes: from its record on. */
static struct bytes spent(const struct http_flow *f, enum event_action action)
{
	bool goes = f->recorded || action == EVENT_ALLOWED || action == EVENT_OBSERVED;

	return f->wears && goes ? bytes_str(f->secret_id) : bytes_of(NULL, 0);
}

struct event http_request_event(const struct http_flow *f, enum event_action action, enum reason reason)
{
	struct event ev = flow_event(&f->flow, EVENT_HTTP, action, reason);
	struct bytes line = buf_view(&f->canon);

	/* Canonical, or as it was sent: http_ask_head() leaves one of the two in f->canon. */
	ev.verb = bytes_of(line.p, bytes_find(line, ' '));
	if (ev.verb.len < line.len)
		line = bytes_skip(line, ev.verb.len + 1);
	else
		line = bytes_of(NULL, 0);
	ev.path = bytes_of(line.p, bytes_find(line, ' '));
	if (ev.path.len > EVENT_TEXT_MAX)
		ev.path.len = EVENT_TEXT_MAX;
	if (f->rule[0])
		ev.rule = bytes_str(f->rule);
	ev.detail = missing(f, reason);
	if (!ev.detail.len)
		ev.detail = bytes_str(f->stripped);
	ev.credential = spent(f, action);
	if (action == EVENT_DENIED || action == EVENT_OBSERVED)
		ev.change = buf_view(&f->change);
	return ev;
}

static void problem(struct http_flow *f)
{
	const struct problem p = {
		.status = f->status,
		.reason = f->refusal,
		.host = name_bytes(&f->flow.name),
		.rule = f->rule[0] ? bytes_str(f->rule) : f->flow.entry.rule,
		.credential = missing(f, f->refusal),
		.change = buf_view(&f->change),
	};

	problem_answer(&p, !f->guest.stream, f->to_head, &f->guest.out);
}

static bool put_why(struct http_flow *f, struct buf *out)
{
	struct bytes id = missing(f, f->refusal);

	(void)buf_fmt(out, "%s%s%.*s (%s)", reason_sentence(f->refusal), id.len ? ": " : "", (int)id.len, id.len ? (const char *)id.p : "",
		      reason_code(f->refusal));
	if (f->change.len)
		(void)buf_fmt(out, "; the policy's change that would allow it: %.*s", (int)f->change.len, (const char *)f->change.p);
	return !out->failed;
}

static const struct git_push *refused_push(const struct http_flow *f, const struct git_command **ret_commands)
{
	return f->reading && f->status == 403 ? http_reading_push(f->reading, ret_commands) : NULL;
}

/* A client of HTTP/1.1 reads the answer when it has sent all of its pack. On a stream of HTTP/2 an answer in front of an outstanding body is
 * not understood (git was seen to wait without end): that is taken first. */
static bool must_drain(const struct http_flow *f)
{
	const struct git_command *commands;

	return f->guest.stream && !f->guest.eof && refused_push(f, &commands);
}

/* git shows its user what its own protocol says, and of an HTTP error to a push nothing (wire/git_report.h). */
static bool push_report(struct http_flow *f)
{
	const struct git_command *commands;
	const struct git_push *push = refused_push(f, &commands);
	struct buf why BUF_AUTO = { 0 }, text BUF_AUTO = { 0 };

	buf_init(&why, 2 * POLICY_CHANGE_MAX);
	buf_init(&text, GIT_REPORT_MAX);
	if (!push || must_drain(f) || !put_why(f, &why) || !git_report_refusal(&text, push, commands, buf_view(&why)))
		return false;
	(void)buf_fmt(&f->guest.out, "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-result\r\nContent-Length: %zu\r\n"
		      "Cache-Control: no-cache\r\n%s\r\n", text.len, f->guest.stream ? "" : "Connection: close\r\n");
	return buf_bytes(&f->guest.out, buf_view(&text));
}

/* ... and of a refused announcement what is plain text. */
static bool announcement(struct http_flow *f)
{
	struct bytes line = buf_view(&f->canon);
	struct buf text BUF_AUTO = { 0 };

	line.len = bytes_find(line, '\r');
	buf_init(&text, 2 * POLICY_CHANGE_MAX);
	if (f->flow.entry.protocol != POLICY_GIT || f->to_head || !memmem(line.p, line.len, "/info/refs?service=git-", 23) ||
	    !buf_str(&text, "saw: ") || !put_why(f, &text) || !buf_byte(&text, '\n'))
		return false;
	(void)buf_fmt(&f->guest.out, "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s\r\n", f->status,
		      http1_phrase(f->status), text.len, f->guest.stream ? "" : "Connection: close\r\n");
	return buf_bytes(&f->guest.out, buf_view(&text));
}

static void answer(struct http_flow *f)
{
	if (f->answering) { /* no second answer fits behind the pieces of the first */
		http_flow_finish(f, true);
		return;
	}
	if (f->phase != HTTP_DRAIN && must_drain(f)) {
		f->phase = HTTP_DRAIN;
		f->lingered = 0;
		http_flow_deadline(f, HTTP_FLOW_DRAIN_MS);
		return;
	}
	if (!push_report(f) && !announcement(f))
		problem(f);
	f->reading = http_reading_free(f->reading); /* the guest may linger, and others are to be read */
	buf_deinit(&f->held);
	f->drains = !f->body_done && f->refusal != REASON_HTTP_TIMEOUT && f->refusal != REASON_TOO_MANY_FLOWS;
	f->phase = HTTP_CLOSING;
	http_flow_deadline(f, HTTP_FLOW_STALL_MS);
}

static void on_recorded(void *owner, bool written)
{
	struct http_flow *f = owner;

	(void)written;
	answer(f);
	http_flow_pump(f);
}

/* Where no judge did it before: the request was not read so far, or another role refused it. */
static void propose(struct http_flow *f, enum reason reason)
{
	const struct policy_refused refused = {
		.reason = reason, .name = name_bytes(&f->flow.name), .port = f->flow.dst_port, .mode = f->flow.entry.mode
	};

	if (!f->change.len)
		(void)policy_change(gate_policy(f->flow.gate), &refused, &f->change);
}

static void stop(struct http_flow *f, unsigned status, enum reason reason)
{
	gate_wait_cancel(&f->wait);
	host_cancel(&f->host);
	h2_host_cancel(&f->ask);
	http_side_close(&f->upstream);
	f->keep = false;
	f->promised = false;
	f->status = status;
	f->refusal = reason;
}

void http_refuse(struct http_flow *f, unsigned status, enum event_action action, enum reason reason)
{
	struct event ev;

	if (action == EVENT_DENIED)
		propose(f, reason);
	ev = http_request_event(f, action, reason);
	ev.status = (uint16_t)status;
	stop(f, status, reason);
	f->phase = HTTP_REFUSE;
	http_flow_deadline(f, HTTP_FLOW_EVENT_MS);
	if (f->phase == HTTP_REFUSE)
		gate_event(f->flow.gate, &f->wait, &ev, on_recorded, f);
}

void http_refuse_fault(struct http_flow *f, enum http1_fault fault)
{
	http_refuse(f, http1_fault_status(fault), EVENT_DENIED, http_fault_reason(fault));
}

void http_refuse_left(struct http_flow *f)
{
	unsigned fault = http_side_own_fault(&f->guest);

	if (fault != H2_CLOSED)
		(void)snprintf(f->stripped, sizeof(f->stripped), "%s", h2_fault_text(fault));
	if (f->guest.breach)
		(void)snprintf(f->stripped, sizeof(f->stripped), "%s", f->guest.breach);
	if (f->guest.starved)
		http_refuse_memory(f, EVENT_DENIED);
	else if (f->guest.breach)
		http_refuse(f, 400, EVENT_DENIED, REASON_TLS_BROKEN);
	else
		http_refuse(f, 400, EVENT_DENIED, http_side_reason(fault));
}

void http_refuse_memory(struct http_flow *f, enum event_action action)
{
	http_refuse(f, 503, action, REASON_TOO_MANY_FLOWS);
}

void http_refuse_silently(struct http_flow *f, unsigned status, enum reason reason)
{
	propose(f, reason);
	stop(f, status, reason);
	answer(f);
}

void http_refuse_drained(struct http_flow *f)
{
	answer(f);
}
