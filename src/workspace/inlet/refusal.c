#include "workspace/inlet/refusal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/fd.h"
#include "proxy/problem.h"
#include "rules/policy_change.h"

enum { METHOD_MAX = 20 };

/* event -> (first bytes) -> answer or alert -> linger until the client has closed, or REFUSAL_LINGER_MS. A flow of its own
 * kind in the register, so that inlet's end finds it; a change of policy does not: the verdict
 * is already written. */

struct refusal {
	struct flow flow; /* first: the register gives it back */
	enum tls_alert alert;
	bool awaits_first; /* what the client speaks decides how it is told */
	struct buf answer; /* of HTTP; empty: the alert */
	size_t drained;
	struct gate_wait wait;
	struct loop_io io;
	struct loop_timer timer;
	struct loop_later gone;
};

static size_t n_refusals;

size_t refusal_count(void)
{
	return n_refusals;
}

int refusal_reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return fd_close(fd);
}

static void free_later(struct loop_later *later)
{
	struct refusal *r = later->owner;

	buf_deinit(&r->answer);
	free(r);
}

/* By a reset unless the client has read our alert and closed. */
static void finish(struct refusal *r, bool clean)
{
	gate_wait_cancel(&r->wait);
	loop_timer_disarm(&r->timer);
	loop_io_remove(&r->io);
	r->flow.fd = clean ? fd_close(r->flow.fd) : refusal_reset(r->flow.fd);
	flow_unregister(&r->flow);
	n_refusals--;
	loop_later(gate_loop(r->flow.gate), &r->gone, free_later, r);
}

static void on_time(struct loop_timer *t)
{
	finish(t->owner, false);
}

static void tell(struct refusal *r);

/* A method and a blank, or the beginning of that. */
static bool speaks_http(struct bytes first)
{
	size_t n = 0;

	while (n < first.len && first.p[n] >= 'A' && first.p[n] <= 'Z')
		n++;
	return n > 0 && n <= METHOD_MAX && (n == first.len || first.p[n] == ' ');
}

static void on_first(struct refusal *r, struct bytes first)
{
	enum { RECORD_HANDSHAKE = 22 };

	r->awaits_first = false;
	if (!speaks_http(first))
		buf_reset(&r->answer);
	if (first.len && first.p[0] == RECORD_HANDSHAKE)
		r->alert = TLS_ALERT_ACCESS_DENIED;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct refusal *r = io->owner;
	uint8_t waste[16384];
	ssize_t n = recv(r->flow.fd, waste, sizeof(waste), 0);

	if (n > 0 && r->awaits_first) {
		on_first(r, bytes_of(waste, (size_t)n));
		r->drained = (size_t)n;
		tell(r);
		return;
	}
	if (n > 0 && (size_t)n <= REFUSAL_DRAIN_MAX - r->drained)
		r->drained += (size_t)n;
	else if (n >= 0 || (events & (EPOLLERR | EPOLLHUP)))
		finish(r, n == 0);
}

static bool watch(struct refusal *r)
{
	struct loop *l = gate_loop(r->flow.gate);

	return (r->io.loop || loop_io_add(l, &r->io, r->flow.fd, EPOLLIN, on_io, r, NULL) == 0) &&
	       loop_timer_arm(l, &r->timer, REFUSAL_LINGER_MS, on_time, r);
}

static void tell(struct refusal *r)
{
	const uint8_t record[] = { 21, 3, 3, 0, 2, 2, (uint8_t)r->alert };
	struct bytes said = r->answer.len ? buf_view(&r->answer) : bytes_of(record, r->alert == TLS_ALERT_NONE ? 0 : sizeof(record));

	if (r->awaits_first) {
		if (!watch(r))
			finish(r, false);
		return;
	}
	if (said.len == 0 || send(r->flow.fd, said.p, said.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)said.len || shutdown(r->flow.fd, SHUT_WR) < 0 ||
	    !watch(r))
		finish(r, false);
}

static void on_written(void *owner, bool written)
{
	struct refusal *r = owner;

	if (written)
		tell(r);
	else
		finish(r, false);
}

static void on_policy(struct flow *f)
{
	f->entry.rule = bytes_of(NULL, 0);
}

static void on_stop(struct flow *f)
{
	finish((struct refusal *)f, false);
}

static const struct flow_ops ops = { .on_policy = on_policy, .on_stop = on_stop };

static struct refusal *start(const struct flow *facts, enum tls_alert alert)
{
	struct refusal *r = calloc(1, sizeof(*r));

	if (!r) {
		(void)refusal_reset(facts->fd);
		return NULL;
	}
	r->flow = *facts;
	r->flow.ops = &ops;
	r->alert = alert;
	flow_register(&r->flow);
	n_refusals++;
	return r;
}

void refusal_start(const struct flow *facts, enum reason reason, enum tls_alert alert,
		   struct bytes detail)
{
	struct event ev = flow_event(facts, EVENT_FLOW, EVENT_DENIED, reason);
	struct refusal *r = start(facts, alert);

	ev.detail = detail;
	if (r)
		gate_event(facts->gate, &r->wait, &ev, on_written, r);
	else
		gate_note(facts->gate, &ev);
}

static unsigned status_of(enum reason reason)
{
	return reason == REASON_TOO_MANY_FLOWS ? 503 : reason == REASON_TLS_NOT ? 400 : 403;
}

void refusal_explain(const struct flow *facts, enum reason reason, struct bytes first)
{
	struct event ev = flow_event(facts, EVENT_FLOW, EVENT_DENIED, reason);
	struct refusal *r = start(facts, TLS_ALERT_NONE);
	struct problem p = { .status = status_of(reason), .reason = reason, .host = name_bytes(&facts->name) };
	struct policy_refused refused = { .reason = reason, .name = name_bytes(&facts->name), .port = facts->dst_port };
	struct buf change BUF_AUTO = { .max = POLICY_CHANGE_MAX };

	(void)policy_change(gate_policy(facts->gate), &refused, &change);
	ev.change = p.change = buf_view(&change);
	if (!r) {
		gate_note(facts->gate, &ev);
		return;
	}
	buf_init(&r->answer, PROBLEM_MAX);
	problem_answer(&p, true, false, &r->answer);
	r->awaits_first = first.len == 0;
	if (first.len)
		on_first(r, first);
	gate_event(facts->gate, &r->wait, &ev, on_written, r);
}

void refusal_end(const struct flow *facts, enum tls_alert alert)
{
	struct refusal *r = start(facts, alert);

	if (r)
		tell(r);
}
