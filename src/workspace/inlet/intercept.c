#include "workspace/inlet/intercept.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/held.h"
#include "net/tls.h"
#include "os/fd.h"
#include "proxy/h2_flow.h"
#include "workspace/inlet/hello.h"

/*	HELLO      as in passthrough: the name is judged before a certificate is made, let alone a host asked
 *	HANDSHAKE  the hello's bytes are handed to libssl, which reads them as we did and asks for the same name
 *
 * then the flow is one of http (proxy/http_flow.h), with TLS below it. */

struct intercept {
	struct flow flow; /* first: the register gives it back */
	struct authority *authority;
	struct hello hello;
	struct tls *tls;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_later gone;
	bool over;
};

static struct loop *loop_of(const struct intercept *t)
{
	return gate_loop(t->flow.gate);
}

static void free_later(struct loop_later *later)
{
	struct intercept *t = later->owner;

	hello_deinit(&t->hello);
	free(t);
}

/* Gives everything back but the descriptor. */
static void drop(struct intercept *t)
{
	t->over = true;
	hello_cancel(&t->hello);
	loop_io_remove(&t->io);
	loop_timer_disarm(&t->deadline);
	t->tls = tls_free(t->tls);
	flow_unregister(&t->flow);
	loop_later(loop_of(t), &t->gone, free_later, t);
}

static void refuse(struct intercept *t, enum reason reason, enum tls_alert alert, struct bytes detail)
{
	struct flow facts = t->flow;

	drop(t);
	if (reason == REASON_TLS_NOT)
		refusal_explain(&facts, reason, buf_view(&t->hello.head));
	else
		refusal_start(&facts, reason, alert, detail);
}

static void leave(struct intercept *t, enum event_action action, enum reason reason, const char *detail)
{
	struct event ev = flow_event(&t->flow, EVENT_FLOW, action, reason);

	ev.detail = bytes_str(detail);
	gate_note(t->flow.gate, &ev);
	(void)refusal_reset(t->flow.fd);
	drop(t);
}

static void go_on(struct intercept *t)
{
	struct flow facts = t->flow;
	struct tls *tls = t->tls;

	t->tls = NULL;
	drop(t);
	if (tls_alpn(tls) == TLS_ALPN_H2)
		h2_flow_start(&facts, tls);
	else
		http_flow_start_tls(&facts, tls);
}

/* libssl has said its alert already, where one is due. */
static void failed(struct intercept *t)
{
	enum tls_fault fault = tls_fault(t->tls);
	char detail[200];

	(void)snprintf(detail, sizeof(detail), "%s%s%s", tls_fault_text(fault), *tls_detail(t->tls) ? ": " : "", tls_detail(t->tls));
	refuse(t, fault == TLS_FAULT_SNI ? REASON_SNI_MISMATCH : REASON_TLS_HANDSHAKE, TLS_ALERT_NONE, bytes_str(detail));
}

static void shake(struct intercept *t)
{
	switch (tls_handshake(t->tls)) {
	case TLS_DONE:
		go_on(t);
		break;
	case TLS_WANT_READ:
		loop_io_want(&t->io, EPOLLIN);
		break;
	case TLS_WANT_WRITE:
		loop_io_want(&t->io, EPOLLOUT);
		break;
	case TLS_EOF:
	case TLS_TRUNCATED:
	case TLS_FAILED:
		failed(t);
		break;
	}
}

static void on_io(struct loop_io *io, uint32_t events)
{
	(void)events;
	shake(io->owner);
}

static void on_late(struct loop_timer *timer)
{
	refuse(timer->owner, REASON_TLS_HANDSHAKE, TLS_ALERT_NONE, bytes_str("not finished in time"));
}

static void begin(struct intercept *t)
{
	struct authority_leaf leaf;
	enum reason r = held_may_grow() ? authority_leaf(t->authority, name_bytes(&t->flow.name), &leaf) : REASON_TOO_MANY_FLOWS;
	struct tls_server_side side = { .name = t->flow.name.text, .prefix = buf_view(&t->hello.head), .alpn = TLS_ALPN_HTTP1 | TLS_ALPN_H2 };
	bool ok;

	if (r != REASON_OK) {
		refuse(t, r, TLS_ALERT_INTERNAL_ERROR, bytes_of(NULL, 0));
		return;
	}
	side.leaf = leaf.leaf;
	side.intermediate = leaf.intermediate;
	side.key = leaf.key;
	ok = tls_server_new(gate_tls(t->flow.gate), t->flow.fd, &side, &t->tls, NULL) == 0 &&
	     loop_io_add(loop_of(t), &t->io, t->flow.fd, EPOLLIN, on_io, t, NULL) == 0 &&
	     loop_timer_arm(loop_of(t), &t->deadline, INTERCEPT_HANDSHAKE_MS, on_late, t);
	tls_cert_free(leaf.leaf);
	tls_cert_free(leaf.intermediate);
	if (ok)
		shake(t);
	else
		refuse(t, REASON_TOO_MANY_FLOWS, TLS_ALERT_INTERNAL_ERROR, bytes_str("out of memory"));
}

static void on_hello(void *owner, const struct hello_end *h)
{
	struct intercept *t = owner;

	if (h->result == HELLO_OK)
		begin(t);
	else if (h->result == HELLO_REFUSED)
		refuse(t, h->reason, h->alert, h->said);
	else
		leave(t, t->hello.head.len ? EVENT_DENIED : EVENT_NOTE, REASON_GUEST_CLOSED, "before its ClientHello");
}

static void on_policy(struct flow *f)
{
	struct policy_entry entry = { 0 };

	if (policy_find(gate_policy(f->gate), name_bytes(&f->name), f->dst_port, &entry) != REASON_OK || entry.mode != f->entry.mode) {
		flow_forget_entry(f);
		refuse((struct intercept *)f, REASON_POLICY_CHANGED, TLS_ALERT_ACCESS_DENIED, bytes_of(NULL, 0));
		return;
	}
	f->entry = entry;
}

static void on_stop(struct flow *f)
{
	leave((struct intercept *)f, EVENT_NOTE, REASON_ROLE_DOWN, "the gateway stops");
}

void intercept_flow_start(const struct flow *facts, struct authority *a)
{
	static const struct flow_ops ops = { .on_policy = on_policy, .on_stop = on_stop };
	struct intercept *t = calloc(1, sizeof(*t));

	if (!t) {
		refusal_explain(facts, REASON_TOO_MANY_FLOWS, bytes_of(NULL, 0));
		return;
	}
	t->flow = *facts;
	t->flow.ops = &ops;
	t->authority = a;
	flow_register(&t->flow);
	if (!hello_start(&t->hello, &t->flow, on_hello, t))
		refuse(t, REASON_TOO_MANY_FLOWS, TLS_ALERT_NONE, bytes_of(NULL, 0));
}
