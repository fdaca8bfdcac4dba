#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "os/fd.h"
#include "proxy/flow.h"
#include "workspace/inlet/hello.h"
#include "workspace/inlet/refusal.h"
#include "workspace/inlet/relay.h"

/* The modes that carry bytes unread: passthrough (after the ClientHello was read and judged) and tcp (at once).
 *
 *	HELLO    reads until the ClientHello is whole, FLOW_FIRST_BYTES_MS at most; nothing has left for anybody
 *	DIALING  dialer judges, records and connects; the guest is watched for its end only
 *	RELAY    bytes move; the end is recorded with its counts
 *
 * What is refused is handed to refusal.h and this object goes. What GREASE of ECH means is written
 * in wire/tls_hello.c.
 *
 * Not seen, by the nature of passthrough: whatever follows the first ClientHello. A second one
 * (after a HelloRetryRequest, or in a renegotiation) goes to the same connected host, which may
 * read another name in it, as it may read another authority in the encrypted requests. That is
 * why policy takes exact names of single-tenant hosts for this mode, with a written reason. */

enum stage { STAGE_HELLO, STAGE_DIALING, STAGE_RELAY, STAGE_GONE };

struct tunnel {
	struct flow flow; /* first: the register gives it back */
	enum stage stage;
	struct loop_io io;
	struct hello hello; /* its head is read from the guest and owed to the host */
	struct gate_wait wait;
	uint64_t generation; /* of the policy when dialer was asked */
	int host_fd;
	struct ip host_ip;
	bool ip_judged; /* some policy of this flow allowed this address: no upstream proxy stands between */
	struct relay relay;
	struct loop_later gone;
};

static struct loop *loop_of(const struct tunnel *t)
{
	return gate_loop(t->flow.gate);
}

static void free_later(struct loop_later *later)
{
	struct tunnel *t = later->owner;

	hello_deinit(&t->hello);
	free(t);
}

/* Gives everything back but the guest's descriptor, which the caller has closed or handed on. */
static void drop(struct tunnel *t)
{
	t->stage = STAGE_GONE;
	gate_wait_cancel(&t->wait);
	hello_cancel(&t->hello);
	loop_io_remove(&t->io);
	relay_stop(&t->relay);
	t->host_fd = fd_close(t->host_fd);
	flow_unregister(&t->flow);
	loop_later(loop_of(t), &t->gone, free_later, t);
}

static struct bytes no_detail(void)
{
	return bytes_of(NULL, 0);
}

static void refuse(struct tunnel *t, enum reason reason, enum tls_alert alert, struct bytes detail)
{
	struct flow facts = t->flow;

	drop(t);
	if (reason == REASON_TLS_NOT)
		refusal_explain(&facts, reason, buf_view(&t->hello.head));
	else
		refusal_start(&facts, reason, facts.entry.mode == POLICY_TCP ? TLS_ALERT_NONE : alert, detail);
}

/* Ends a flow whose guest has gone, or that inlet must end, and says so. */
static void end(struct tunnel *t, enum event_action action, enum reason reason, bool clean,
		const char *detail)
{
	struct event ev = flow_event(&t->flow, EVENT_FLOW, action, reason);

	ev.bytes_out = relay_moved(&t->relay, 0);
	ev.bytes_in = relay_moved(&t->relay, 1);
	ev.detail = bytes_str(detail);
	gate_note(t->flow.gate, &ev);
	relay_stop(&t->relay);
	loop_io_remove(&t->io);
	t->flow.fd = clean ? fd_close(t->flow.fd) : refusal_reset(t->flow.fd);
	t->host_fd = clean ? fd_close(t->host_fd) : refusal_reset(t->host_fd);
	drop(t);
}

static void on_relay_end(void *owner, bool clean)
{
	const struct tunnel *t = owner;

	end(owner, EVENT_CLOSED, t->relay.starved ? REASON_TOO_MANY_FLOWS : REASON_OK, clean,
	    clean || t->relay.starved ? "" : "one side broke the connection off");
}

static enum tls_alert alert_of(enum reason reason)
{
	return reason == REASON_ADDRESS_FORBIDDEN || reason == REASON_NAME_UNLISTED ||
			       reason == REASON_PORT_UNLISTED
		       ? TLS_ALERT_ACCESS_DENIED
		       : TLS_ALERT_INTERNAL_ERROR;
}

static void dial(struct tunnel *t);

static void on_dialed(void *owner, int fd, struct ip ip, enum reason reason)
{
	struct tunnel *t = owner;
	struct flow facts = t->flow;

	if (reason == REASON_OK && t->generation != gate_generation(t->flow.gate)) { /* vetted by a policy that is no more */
		(void)fd_close(fd);
		dial(t);
		return;
	}
	if (reason == REASON_ROLE_DOWN) {
		refuse(t, reason, TLS_ALERT_INTERNAL_ERROR, no_detail());
		return;
	}
	if (reason != REASON_OK) {
		drop(t);
		refusal_end(&facts,
			    facts.entry.mode == POLICY_TCP ? TLS_ALERT_NONE : alert_of(reason));
		return;
	}
	t->stage = STAGE_RELAY;
	t->host_fd = fd;
	t->host_ip = ip;
	t->ip_judged = policy_address_ok(gate_policy(t->flow.gate), &t->flow.entry, ip);
	loop_io_remove(&t->io);
	if (relay_start(&t->relay, loop_of(t), t->flow.fd, fd, &t->hello.head, on_relay_end, t, NULL) < 0)
		end(t, EVENT_CLOSED, REASON_UPSTREAM_CLOSED, false, "");
}

/* While dialer works the guest is asked for nothing: only its end is heard. */
static void on_dialing_io(struct loop_io *io, uint32_t events)
{
	(void)events;
	end(io->owner, EVENT_CLOSED, REASON_GUEST_CLOSED, false,
	    "while the host was being connected");
}

static void dial(struct tunnel *t)
{
	t->stage = STAGE_DIALING;
	loop_io_remove(&t->io);
	if (loop_io_add(loop_of(t), &t->io, t->flow.fd, 0, on_dialing_io, t, NULL) < 0) {
		refuse(t, REASON_ROLE_DOWN, TLS_ALERT_INTERNAL_ERROR, no_detail());
		return;
	}
	t->generation = gate_generation(t->flow.gate);
	gate_dial(t->flow.gate, &t->wait, t->flow.id, name_bytes(&t->flow.name), t->flow.dst_port,
		  on_dialed, t);
}

static void on_hello(void *owner, const struct hello_end *h)
{
	struct tunnel *t = owner;

	if (h->result == HELLO_OK)
		dial(t);
	else if (h->result == HELLO_REFUSED)
		refuse(t, h->reason, h->alert, h->said);
	else /* Nothing was asked for: a connection that was opened in advance is no attack, a cut hello is refused. */
		end(t, t->hello.head.len ? EVENT_DENIED : EVENT_NOTE, REASON_GUEST_CLOSED, false, "before its ClientHello");
}

static void on_policy(struct flow *f)
{
	struct tunnel *t = (struct tunnel *)f;
	const struct policy *p = gate_policy(f->gate);
	struct policy_entry entry = { 0 };

	if (policy_find(p, name_bytes(&f->name), f->dst_port, &entry) != REASON_OK ||
	    entry.mode != f->entry.mode ||
	    (t->stage == STAGE_RELAY && t->ip_judged &&
	     !policy_address_ok(p, &entry, t->host_ip))) {
		if (t->stage == STAGE_HELLO)
			refuse(t, REASON_POLICY_CHANGED, TLS_ALERT_ACCESS_DENIED, no_detail());
		else
			end(t, t->stage == STAGE_RELAY ? EVENT_CLOSED : EVENT_DENIED,
			    REASON_POLICY_CHANGED, false, "");
		return;
	}
	f->entry = entry;
	/* dialer has a new policy sooner than we do */
	t->ip_judged = t->ip_judged || (t->stage == STAGE_RELAY && policy_address_ok(p, &entry, t->host_ip));
}

static void on_stop(struct flow *f)
{
	struct tunnel *t = (struct tunnel *)f;

	end(t, t->stage == STAGE_RELAY ? EVENT_CLOSED : EVENT_NOTE, REASON_ROLE_DOWN, false,
	    "the gateway stops");
}

static const struct flow_ops ops = { .on_policy = on_policy, .on_stop = on_stop };

void tunnel_flow_start(const struct flow *facts)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t) {
		refusal_start(facts, REASON_TOO_MANY_FLOWS, TLS_ALERT_NONE, no_detail());
		return;
	}
	t->flow = *facts;
	t->flow.ops = &ops;
	t->host_fd = -1;
	flow_register(&t->flow);
	if (t->flow.entry.mode == POLICY_TCP)
		dial(t);
	else if (!hello_start(&t->hello, &t->flow, on_hello, t))
		refuse(t, REASON_TOO_MANY_FLOWS, TLS_ALERT_NONE, no_detail());
}
