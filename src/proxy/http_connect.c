#include "proxy/http_flow.h"
#include "proxy/http_judge.h"
#include "proxy/idle.h"

#include <stdio.h>

#include "net/tls.h"
#include "os/fd.h"

/* A connection for a judged request: a stream of one that flows share, one that an earlier flow left behind, or a new one. Nothing that
 * an old policy vetted, and nothing that was made for another credential. */

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

static bool dress_again(struct http_flow *f)
{
	enum reason r = http_dress(f);

	if (r != REASON_OK)
		http_refuse(f, 502, f->recorded ? EVENT_FAILED : EVENT_DENIED, r);
	return r == REASON_OK;
}

bool http_connect_judge(struct http_flow *f)
{
	bool ok;

	f->wears = false;
	ok = http_judge(f) && dress_again(f);
	f->recorded = false;
	return ok;
}

static struct h2_host_key key_of(const struct http_flow *f)
{
	return (struct h2_host_key){ .name = f->flow.name, .port = f->flow.dst_port, .generation = gate_generation(f->flow.gate),
				     .secret_version = f->secret_version };
}

/* Where we speak TLS to the host ourselves, and no socket is to be had of it (RFC 8441 is not spoken). */
static bool may_h2(const struct http_flow *f)
{
	return f->flow.entry.mode == POLICY_INTERCEPT && !f->through_outlet && !f->websocket;
}

/* False: out of memory. */
static bool open_upstream(struct http_flow *f, const struct host_conn *c)
{
	struct h2_host_key key = key_of(f);

	if (!c->h2)
		return http_side_open(&f->upstream, gate_loop(f->flow.gate), c->fd, c->tls, http_flow_on_upstream, f) == 0;
	return h2_host_add(gate_loop(f->flow.gate), &key, c->fd, c->tls) && h2_host_take(&f->upstream, &key, http_flow_on_upstream, f);
}

/* What was connected is for a policy or a credential that is no more. */
static void again(struct http_flow *f, const struct host_conn *c)
{
	tls_free(c->tls);
	(void)fd_close(c->fd);
	h2_host_cancel(&f->ask);
	http_connect(f);
	http_flow_pump(f);
}

static void on_host(void *owner, const struct host_conn *c)
{
	struct http_flow *f = owner;
	enum reason reason = c->reason;

	if ((reason == REASON_POLICY_CHANGED && !c->recorded) || (reason == REASON_OK && http_dress_stale(f))) {
		again(f, c);
		return;
	}
	f->reused = false;
	f->through_outlet = c->clear_to_outlet;
	f->upstream_ip = c->ip;
	/* of a refusal the entry may be gone with the policy that had it */
	f->upstream_judged = reason == REASON_OK && policy_address_ok(gate_policy(f->flow.gate), &f->flow.entry, c->ip);
	f->upstream_vetted = true;
	if (c->fd >= 0 && !open_upstream(f, c))
		reason = REASON_TOO_MANY_FLOWS;
	h2_host_dialed(&f->ask, reason != REASON_OK ? H2_HOST_FAILED : c->h2 ? H2_HOST_IS_H2 : H2_HOST_IS_HTTP1);
	if (reason == REASON_UPSTREAM_UNVERIFIED)
		(void)snprintf(f->stripped, sizeof(f->stripped), "%s", c->detail);
	if (reason != REASON_OK && c->recorded)
		http_refuse_silently(f, status_of(reason), reason);
	else if (reason != REASON_OK)
		http_refuse(f, status_of(reason), f->recorded || reason == REASON_UPSTREAM_UNVERIFIED ? EVENT_FAILED : EVENT_DENIED, reason);
	else
		http_forward_go(f);
	http_flow_pump(f);
}

static void dial(struct http_flow *f)
{
	const struct host_use use = { .h2 = may_h2(f) && h2_host_room(), .secret_version = f->secret_version };

	if (f->phase == HTTP_DIAL)
		host_start(&f->host, &f->flow, &use, on_host, f);
}

/* What another flow's dial has come to is known. */
static void on_turn(void *owner, bool alone)
{
	struct http_flow *f = owner;

	if (alone && f->generation == gate_generation(f->flow.gate))
		dial(f);
	else
		http_connect(f);
	http_flow_pump(f);
}

/* Which address stands behind a shared connection is not known here: a new policy does not vet it again. */
static bool take_shared(struct http_flow *f, const struct h2_host_key *key)
{
	if (!h2_host_take(&f->upstream, key, http_flow_on_upstream, f))
		return false;
	f->upstream_ip = (struct ip){ 0 };
	f->upstream_judged = true;
	f->upstream_vetted = true;
	return true;
}

/* A client that has just connected does not expect that its request meets a host which is about to leave: that of one which cannot be sent
 * again meets none. */
static bool may_idle(const struct http_flow *f)
{
	return !f->retried && !f->through_outlet && (f->on_stream || f->n_requests || http_forward_safe(f));
}

static bool take_idle(struct http_flow *f)
{
	struct idle_place at = { .name = f->flow.name, .port = f->flow.dst_port };

	if (!idle_take(&f->upstream, &at, f->recorded, http_flow_on_upstream, f)) /* what is on record goes at once */
		return false;
	f->upstream_ip = at.ip;
	f->upstream_judged = at.judged;
	f->upstream_vetted = true;
	return true;
}

/* A stream of a shared connection, one that an earlier flow to the same place left behind, or a new one. */
void http_connect(struct http_flow *f)
{
	struct loop *l = gate_loop(f->flow.gate);
	struct h2_host_key key;

	if (f->generation != gate_generation(f->flow.gate) ? !http_connect_judge(f) : http_dress_stale(f) && !dress_again(f))
		return;
	key = key_of(f);
	f->through_outlet = gate_way(f->flow.gate, name_bytes(&f->flow.name)) == GATE_OUTLET;
	f->reused = true;
	if ((may_h2(f) && take_shared(f, &key)) || (may_idle(f) && take_idle(f))) {
		http_forward_go(f);
		return;
	}
	if (f->phase != HTTP_DIAL) {
		f->phase = HTTP_DIAL;
		http_flow_deadline(f, HTTP_FLOW_DIAL_MS);
	}
	if (f->phase == HTTP_DIAL && (!may_h2(f) || h2_host_ask(&f->ask, l, &key, on_turn, f)))
		dial(f);
}
