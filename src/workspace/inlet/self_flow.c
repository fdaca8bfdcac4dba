#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/json_out.h"
#include "net/held.h"
#include "os/fd.h"
#include "wire/guest_net.h"
#include "wire/http1_authority.h"
#include "wire/http1_body.h"
#include "wire/http1_fields.h"
#include "wire/http1_target.h"
#include "proxy/flow.h"
#include "proxy/http_flow.h"
#include "proxy/http_side.h"
#include "proxy/problem.h"
#include "workspace/inlet/self_reach.h"

/* http://saw.internal/: what a workspace may know about itself. One request, one event, one answer, then the end of the
 * connection; nothing is forwarded, nothing changes, no body is read. */

enum { SELF_ANSWER_MAX = 8 * 1024 * 1024, SELF_LINGER_MS = 2000 };

struct self_flow {
	struct flow flow;
	struct loop_timer timer;
	struct loop_later later;
	struct gate_wait wait;
	struct http_side guest;
	struct http1_scan scan;
	enum { SELF_HEAD, SELF_EVENT, SELF_ANSWER, SELF_LINGER, SELF_GONE } phase;
	bool to_head;
	unsigned status;
	const char *type;
	struct buf content;
	struct buf line; /* method and target, for the event */
	enum reason reason;
};

static void pump(struct self_flow *f);

static void free_later(struct loop_later *l)
{
	struct self_flow *f = l->owner;

	buf_deinit(&f->content);
	buf_deinit(&f->line);
	free(f);
}

static void finish(struct self_flow *f)
{
	if (f->phase == SELF_GONE)
		return;
	f->phase = SELF_GONE;
	gate_wait_cancel(&f->wait);
	loop_timer_disarm(&f->timer);
	http_side_close(&f->guest);
	flow_unregister(&f->flow);
	loop_later(gate_loop(f->flow.gate), &f->later, free_later, f);
}

static void refuse(struct self_flow *f, unsigned status, enum reason reason);

/* Who speaks no request in time is told so; later there is nobody left to tell. */
static void late(struct loop_timer *t)
{
	struct self_flow *f = t->owner;

	if (f->phase != SELF_HEAD) {
		finish(f);
		return;
	}
	refuse(f, 408, f->guest.in.len ? REASON_HTTP_TIMEOUT : REASON_FIRST_BYTES_LATE);
	pump(f);
}

static void deadline(struct self_flow *f, uint64_t ms)
{
	if (!loop_timer_arm(gate_loop(f->flow.gate), &f->timer, ms, late, f))
		finish(f);
}

static void say_whoami(struct self_flow *f, struct bytes query)
{
	const struct gate_who *who = gate_who(f->flow.gate);
	struct json_out j;

	(void)query;
	json_out_init(&j, &f->content);
	json_out_object(&j);
	json_out_key_bytes(&j, "id", who->id);
	json_out_key_bytes(&j, "name", who->name);
	json_out_key_bytes(&j, "owner", who->owner);
	json_out_key_bytes(&j, "policy", policy_label(gate_policy(f->flow.gate)));
	json_out_key_u64(&j, "policy_generation", gate_generation(f->flow.gate));
	json_out_object_end(&j);
}

static void say_reach(struct self_flow *f, struct bytes query)
{
	if (!self_reach(gate_policy(f->flow.gate), query, &f->content))
		f->status = 400;
}

static void say_index(struct self_flow *f, struct bytes query)
{
	(void)query;
	(void)buf_str(&f->content, "This machine is a saw workspace. Everything it reaches is listed by policy.\n"
				   "GET /v1/whoami  which workspace this is\n"
				   "GET /v1/reach   what it may reach, and what each rule says of requests\n"
				   "GET /v1/reach?method=POST&url=https://host/path  whether it may, why not, and what Security would have to change\n");
}

static void say_problem(struct self_flow *f)
{
	const struct problem p = { .status = f->status, .reason = f->reason };

	f->type = "application/problem+json";
	problem_put(&p, &f->content);
}

static const struct page {
	const char *path;
	const char *type;
	void (*say)(struct self_flow *f, struct bytes query);
} pages[] = {
	{ "/", "text/plain; charset=utf-8", say_index },
	{ "/v1/whoami", "application/json", say_whoami },
	{ "/v1/reach", "application/json", say_reach },
};

static void answer(struct self_flow *f)
{
	struct buf *out = &f->guest.out;

	if (f->content.failed) {
		f->status = 500;
		buf_reset(&f->content);
	}
	(void)buf_fmt(out, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		      "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
		      f->status, http1_phrase(f->status), f->type, f->content.len);
	if (!f->to_head)
		(void)buf_bytes(out, buf_view(&f->content));
	f->phase = SELF_ANSWER;
	deadline(f, HTTP_FLOW_STALL_MS);
}

static void on_recorded(void *owner, bool written)
{
	struct self_flow *f = owner;

	if (!written) {
		f->status = 503;
		f->reason = REASON_AUDIT_UNWRITABLE;
		buf_reset(&f->content);
		say_problem(f);
	}
	answer(f);
	pump(f);
}

/* What is to be said is settled (f->status, f->reason, f->content): one event, then the answer. */
static void record(struct self_flow *f)
{
	struct event ev = flow_event(&f->flow, EVENT_HTTP, f->reason == REASON_OK ? EVENT_ALLOWED : EVENT_DENIED, f->reason);
	struct bytes line = buf_view(&f->line);

	ev.name = bytes_str(NET_SELF_NAME);
	ev.rule = bytes_str(NET_SELF_NAME);
	ev.status = (uint16_t)f->status;
	ev.verb = bytes_of(line.p, bytes_find(line, ' '));
	if (ev.verb.len < line.len)
		ev.path = bytes_skip(line, ev.verb.len + 1);
	if (ev.path.len > EVENT_TEXT_MAX)
		ev.path.len = EVENT_TEXT_MAX;
	f->phase = SELF_EVENT;
	deadline(f, HTTP_FLOW_EVENT_MS);
	if (f->phase == SELF_EVENT)
		gate_event(f->flow.gate, &f->wait, &ev, on_recorded, f);
}

static void refuse(struct self_flow *f, unsigned status, enum reason reason)
{
	f->status = status;
	f->reason = reason;
	say_problem(f);
	record(f);
}

/* Host is saw.internal or the gateway's own address, on port 80; nothing else reaches this place by its name. */
static enum http1_fault host_fault(const struct http1_head *h)
{
	struct http1_authority a;
	struct bytes host;
	enum http1_fault fault;

	if (http1_find(h, "host", &host) != 1)
		return HTTP1_FAULT_HOST;
	if (bytes_is(host, NET_GATEWAY_TEXT) || bytes_is(host, NET_GATEWAY_TEXT ":80"))
		return HTTP1_FAULT_NONE;
	fault = http1_authority_parse(host, &a);
	if (fault != HTTP1_FAULT_NONE)
		return fault;
	return strcmp(a.name.text, NET_SELF_NAME) == 0 && (a.port == 0 || a.port == NET_SELF_PORT) ? HTTP1_FAULT_NONE :
												     HTTP1_FAULT_NOT_FLOW;
}

static void serve(struct self_flow *f, const struct http1_head *h)
{
	struct buf target BUF_AUTO = { 0 };
	struct http1_length length;
	struct http1_target t = { 0 };
	enum http1_fault fault = host_fault(h);

	buf_init(&target, (size_t)3 * HTTP1_LINE_MAX);
	(void)buf_bytes(&f->line, h->method);
	(void)buf_byte(&f->line, ' ');
	(void)buf_bytes(&f->line, h->target);
	f->to_head = bytes_is(h->method, "HEAD");
	if (!held_may_begin()) {
		refuse(f, 503, REASON_TOO_MANY_FLOWS);
		return;
	}
	if (fault == HTTP1_FAULT_NONE && http1_request_length(h, &length, &fault))
		fault = http1_target_canon(h->target, false, &target, &t);
	if (fault != HTTP1_FAULT_NONE) {
		refuse(f, http1_fault_status(fault), http_fault_reason(fault));
		return;
	}
	if (!bytes_is(h->method, "GET") && !f->to_head) {
		refuse(f, 405, REASON_READ_ONLY);
		return;
	}
	f->status = 404;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (bytes_is(bytes_of(target.p, t.path_len), pages[i].path)) {
			f->status = 200;
			f->type = pages[i].type;
			pages[i].say(f, t.has_query ? bytes_of(target.p + t.path_len + 1, t.query_len) : bytes_of(NULL, 0));
		}
	if (f->status == 400) {
		refuse(f, 400, REASON_NO_QUESTION);
		return;
	}
	if (f->status == 404)
		say_problem(f);
	record(f);
}

static void read_head(struct self_flow *f)
{
	bool fresh = f->scan.at == 0;
	struct http1_head h;
	enum http1_fault fault = HTTP1_FAULT_NONE;
	size_t len;

	(void)http_side_read(&f->guest, HTTP_FLOW_HOLD_MAX);
	switch (http1_request_head(&f->scan, buf_view(&f->guest.in), &h, &len, &fault)) {
	case HTTP1_DONE:
		serve(f, &h);
		break;
	case HTTP1_BAD:
		refuse(f, http1_fault_status(fault), http_fault_reason(fault));
		break;
	case HTTP1_MORE:
		if (f->guest.cramped)
			refuse(f, 503, REASON_TOO_MANY_FLOWS);
		else if (f->guest.eof)
			finish(f);
		else if (fresh && f->scan.at)
			deadline(f, HTTP_FLOW_HEAD_MS);
		break;
	}
}

static void pump(struct self_flow *f)
{
	if (f->phase == SELF_HEAD)
		read_head(f);
	if (f->phase == SELF_ANSWER) {
		(void)http_side_flush(&f->guest);
		if (f->guest.deaf) {
			finish(f);
		} else if (f->guest.out.len == 0) {
			(void)http_side_shutdown(&f->guest); /* in clear it never waits */
			f->phase = SELF_LINGER;
			f->guest.readable = true;
			deadline(f, SELF_LINGER_MS);
		}
	}
	if (f->phase == SELF_LINGER) {
		buf_reset(&f->guest.in);
		if (http_side_read(&f->guest, HTTP_FLOW_HOLD_MAX) == 0 && f->guest.eof)
			finish(f);
	}
	if (f->phase != SELF_GONE)
		http_side_want(&f->guest, f->phase == SELF_HEAD || f->phase == SELF_LINGER, false);
}

static void on_guest(void *owner, uint32_t events)
{
	struct self_flow *f = owner;

	if ((events & (EPOLLHUP | EPOLLERR)) && f->phase != SELF_HEAD)
		finish(f);
	else
		pump(f);
}

static void on_policy(struct flow *flow)
{
	(void)flow; /* answers are made in one go */
}

static void on_stop(struct flow *flow)
{
	finish((struct self_flow *)flow);
}

void self_flow_start(const struct flow *facts)
{
	static const struct flow_ops ops = { .on_policy = on_policy, .on_stop = on_stop };
	struct self_flow *f = calloc(1, sizeof(*f));

	if (!f) {
		(void)fd_close(facts->fd);
		return;
	}
	f->flow = *facts;
	f->flow.ops = &ops;
	f->flow.fd = -1;
	http_side_init(&f->guest, HTTP1_HEAD_LEN_MAX + HTTP_FLOW_HOLD_MAX);
	buf_init(&f->content, SELF_ANSWER_MAX);
	buf_init(&f->line, HTTP1_LINE_MAX + HTTP1_METHOD_MAX + 2);
	held_buf(&f->content);
	held_buf(&f->line);
	flow_register(&f->flow);
	if (http_side_open(&f->guest, gate_loop(facts->gate), facts->fd, NULL, on_guest, f) < 0)
		finish(f);
	else
		deadline(f, FLOW_FIRST_BYTES_MS);
}
