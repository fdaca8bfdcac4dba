/* A dial is judged by our own copy of the policy when it comes, so that nothing is asked for a name that is not listed, again when the
 * addresses are there, and until it is connected whenever the policy changes. Only addresses that the entry permits become candidates; the
 * allow event with all of them, the first as its destination, must be on disk before the first packet goes there. Every refusal is exactly one event of ours.
 *
 * Where the entry has an `upstream` it is that host that is resolved, vetted and connected to, on its port: the guest's name is the gateway's own and
 * stands for it. A dial goes to the host that the policy named when it came; another one in a later policy ends it.
 *
 * Behind an upstream proxy nobody here knows the target's addresses: the name goes to the proxy, vetting addresses is its duty, and the
 * event says so. The proxy itself is the operator's setting, not the guest's wish: its addresses may be private or loopback. */
#include "workspace/dialer/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "ipc/audit_msg.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "rules/policy_change.h"
#include "workspace/dialer/lookup.h"
#include "workspace/dialer/race.h"
#include "workspace/dialer/sock.h"
#include "workspace/dialer/talk.h"

enum { DETAIL_MAX = 1024 }; /* an upstream and a proxy, each with its longest name, and all addresses */

struct dial {
	struct dialer *dialer;
	struct dial *next;
	struct dial **prev;
	enum dial_peer peer;
	uint64_t flow;
	struct name name;
	uint16_t port;
	struct name host; /* that is dialled, and the port there: the name itself, or the upstream behind it */
	uint16_t host_port;
	uint64_t event; /* that we wait for; 0: none */
	enum reason refused; /* REASON_OK: not refused */
	unsigned n_candidates;
	struct ip candidates[RACE_MAX];
	struct ip connected;
	char detail[DETAIL_MAX];
	struct ip forbidden; /* the first address of the name, when none of them may be dialled */
	bool forbidden_own; /* it is one of this host */
	struct lookup lookup;
	struct race race;
	struct talk talk;
	struct loop_later gone;
};

static struct msg out;

static void on_gone(struct loop_later *l)
{
	free(l->owner);
}

/* Its callbacks may be on the stack: the memory goes at the end of the turn. */
static void end(struct dial *d)
{
	lookup_cancel(&d->lookup);
	race_cancel(&d->race);
	talk_cancel(&d->talk);
	*d->prev = d->next;
	if (d->next)
		d->next->prev = d->prev;
	d->dialer->n_dials--;
	loop_later(d->dialer->loop, &d->gone, on_gone, d);
}

static void answer_refused(struct dialer *d, enum dial_peer peer, uint64_t flow, enum reason r)
{
	if (!d->peers[peer])
		return;
	msg_start(&out, MSG_DIAL_REFUSED);
	msg_u64(&out, flow);
	msg_u64(&out, r);
	chan_send(d->peers[peer], &out);
}

static struct event event_of(const struct dialer *d, uint64_t flow, const struct name *name, uint16_t port,
			     enum event_action action, enum reason r)
{
	struct event ev = { .kind = EVENT_FLOW, .action = action, .reason = (uint16_t)r, .flow = flow, .count = 1, .ip_proto = 6 };
	struct policy_entry entry;

	ev.generation = d->generation;
	ev.dst_port = port;
	ev.name = name_bytes(name);
	ev.actor = bytes_str("dialer");
	if (d->has_policy && policy_find(&d->policy, ev.name, port, &entry) == REASON_OK) {
		ev.rule = entry.rule;
		ev.observing = entry.observe;
	}
	return ev;
}

static void send_event(struct dialer *d, enum dial_peer peer, uint64_t id, const struct event *ev)
{
	if (ev->action == EVENT_DENIED)
		noise_add(&d->noise[peer], loop_now_ms(d->loop));
	msg_start(&out, MSG_EVENT);
	msg_u64(&out, id);
	audit_msg_put(&out, ev);
	chan_send(d->parent, &out);
}

/* Adds a clause to what the dial's event says. */
__attribute__((format(printf, 2, 3))) static void note(struct dial *d, const char *format, ...)
{
	size_t at = strlen(d->detail);
	va_list ap;

	if (at && at + 2 < sizeof(d->detail))
		at += (size_t)snprintf(d->detail + at, sizeof(d->detail) - at, "; ");
	va_start(ap, format);
	(void)vsnprintf(d->detail + at, sizeof(d->detail) - at, format, ap);
	va_end(ap);
}

/* Valid until the next call. */
static struct bytes propose(const struct dial *d, enum reason r)
{
	static struct buf change = { .max = POLICY_CHANGE_MAX };
	const struct policy_refused refused = {
		.reason = r, .name = name_bytes(&d->name), .port = d->port, .address = d->forbidden, .own_address = d->forbidden_own
	};

	buf_reset(&change);
	if (d->dialer->has_policy)
		(void)policy_change(&d->dialer->policy, &refused, &change);
	return buf_view(&change);
}

/* Reports and waits for the answer: dial_event_done() goes on. */
static void report(struct dial *d, enum event_action action, enum reason r)
{
	struct event ev = event_of(d->dialer, d->flow, &d->name, d->port, action, r);

	if (d->n_candidates)
		ev.dst = d->candidates[0];
	ev.detail = bytes_str(d->detail);
	if (action == EVENT_DENIED)
		ev.change = propose(d, r);
	d->event = ++d->dialer->last_event;
	send_event(d->dialer, d->peer, d->event, &ev);
}

static void refuse(struct dial *d, enum event_action action, enum reason r)
{
	d->refused = r;
	report(d, action, r);
}

/* The host behind the name. False: the policy is no good one. */
static bool host_of(const struct dial *d, const struct policy_entry *entry, struct name *ret, uint16_t *ret_port)
{
	*ret = d->name;
	*ret_port = entry->upstream.len ? entry->upstream_port : d->port;
	return entry->upstream.len == 0 || name_parse_strict(entry->upstream, ret) == NAME_OK;
}

/* Requests that wait in outlet while their name loses its credential are judged by the new policy and go on from there. */
static bool right_door(const struct dial *d)
{
	const struct dialer *dialer = d->dialer;
	bool outlet = d->peer == DIAL_OUTLET;
	struct bytes name = name_bytes(&d->name);

	return policy_guarded(&dialer->policy, name) == outlet || (outlet && dialer->has_before && policy_guarded(&dialer->before, name));
}

static enum reason judge(const struct dial *d, struct policy_entry *ret)
{
	const struct policy *p = &d->dialer->policy;
	struct name host;
	uint16_t port;
	enum reason r;

	if (!d->dialer->has_policy)
		return REASON_NAME_UNLISTED;
	r = policy_find(p, name_bytes(&d->name), d->port, ret);
	if (r == REASON_OK && !right_door(d))
		return REASON_WRONG_DOOR;
	if (r == REASON_OK && d->host_port &&
	    (!host_of(d, ret, &host, &port) || port != d->host_port || !bytes_eq(name_bytes(&host), name_bytes(&d->host))))
		return REASON_POLICY_CHANGED;
	return r;
}

static bool proxied(const struct dial *d)
{
	return d->dialer->proxy_host.len != 0;
}

static bool permitted(const struct dial *d, const struct policy_entry *entry, struct ip ip)
{
	if (proxied(d))
		return ip_scope_of(ip) != IP_SCOPE_NEVER;
	return policy_address_ok(&d->dialer->policy, entry, ip) &&
	       (policy_own_address_ok(&d->dialer->policy, entry, ip) || !sock_is_ours(ip));
}

/* Moves permitted addresses of `f` to the end of `ret`; gives how many were forbidden. */
static unsigned vet(const struct dial *d, const struct policy_entry *entry, const struct lookup_family *f, struct ip *ret, unsigned *n)
{
	unsigned forbidden = 0;

	for (unsigned i = 0; i < f->n; i++)
		if (permitted(d, entry, f->ips[i]))
			ret[(*n)++] = f->ips[i];
		else
			forbidden++;
	return forbidden;
}

static bool enough(void *owner, const struct lookup_family *f)
{
	const struct dial *d = owner;
	struct ip ips[DNS_ADDRESSES_MAX];
	struct policy_entry entry;
	unsigned n = 0;

	if (judge(d, &entry) == REASON_OK)
		(void)vet(d, &entry, f, ips, &n);
	return n > 0;
}

/* What was allowed under an earlier policy is so under the one in force. */
static bool still_allowed(const struct dial *d)
{
	struct policy_entry entry;

	if (judge(d, &entry) != REASON_OK)
		return false;
	for (unsigned i = 0; i < d->n_candidates; i++)
		if (!permitted(d, &entry, d->candidates[i]))
			return false;
	return true;
}

static void allow(struct dial *d)
{
	if (proxied(d))
		note(d, "through the upstream proxy %.*s:%u, which resolves the name: its addresses are not vetted here",
		     (int)d->dialer->proxy_host.len, (const char *)d->dialer->proxy_host.p, d->dialer->proxy_port);
	report(d, EVENT_ALLOWED, REASON_OK);
}

/* Whichever answers first is connected. */
static void note_others(struct dial *d)
{
	struct buf others BUF_AUTO = { .max = DETAIL_MAX };

	for (unsigned i = 1; i < d->n_candidates; i++) {
		char text[IP_TEXT_MAX];

		ip_text(d->candidates[i], text);
		(void)buf_fmt(&others, "%s%s", i > 1 ? ", " : "", text);
	}
	if (others.len)
		note(d, "or %.*s, whichever answers first", (int)others.len, (const char *)others.p);
}

static void on_resolved(void *owner, enum reason r)
{
	struct ip ips[2 * DNS_ADDRESSES_MAX];
	struct dial *d = owner;
	struct policy_entry entry;
	enum reason now = judge(d, &entry);
	unsigned forbidden;
	unsigned n = 0;

	if (now != REASON_OK || r != REASON_OK) {
		refuse(d, EVENT_DENIED, now != REASON_OK ? now : r);
		return;
	}
	forbidden = vet(d, &entry, &d->lookup.v6, ips, &n);
	forbidden += vet(d, &entry, &d->lookup.v4, ips, &n);
	if (!n) {
		char first[IP_TEXT_MAX];

		d->forbidden = d->lookup.v4.n ? d->lookup.v4.ips[0] : d->lookup.v6.ips[0];
		d->forbidden_own = ip_scope_of(d->forbidden) < IP_SCOPE_LOOPBACK && sock_is_ours(d->forbidden);
		ip_text(d->forbidden, first);
		note(d, "%s%s%s", first, d->forbidden_own ? ", an address of the gateway's own host" : "", forbidden > 1 ? " and others" : "");
		refuse(d, EVENT_DENIED, REASON_ADDRESS_FORBIDDEN);
		return;
	}
	race_order(ips, n);
	d->n_candidates = n > RACE_MAX ? RACE_MAX : n;
	memcpy(d->candidates, ips, d->n_candidates * sizeof(ips[0]));
	note_others(d);
	if (forbidden)
		note(d, "%u addresses of the answer are not permitted and were left out", forbidden);
	allow(d);
}

static void resolve(struct dial *d)
{
	struct bytes host = proxied(d) ? d->dialer->proxy_host : name_bytes(&d->host);

	if (!d->dialer->resolv.n_servers) {
		note(d, "resolv.conf of the host names no name server");
		refuse(d, EVENT_DENIED, REASON_RESOLVE_FAILED);
		return;
	}
	if (lookup_start(&d->lookup, d->dialer->loop, &d->dialer->resolv, host, enough, on_resolved, d))
		return;
	note(d, "out of memory");
	refuse(d, EVENT_DENIED, REASON_RESOLVE_FAILED);
}

static void begin(struct dial *d)
{
	struct policy_entry entry;
	enum reason r = judge(d, &entry);

	if (r != REASON_OK) {
		refuse(d, EVENT_DENIED, r);
		return;
	}
	if (!host_of(d, &entry, &d->host, &d->host_port)) {
		refuse(d, EVENT_DENIED, REASON_NAME_MALFORMED);
		return;
	}
	if (entry.upstream.len)
		note(d, "the host behind it is %s:%u", d->host.text, d->host_port);
	if (proxied(d) && ip_parse(d->dialer->proxy_host, &d->candidates[0])) {
		d->n_candidates = 1;
		allow(d);
		return;
	}
	resolve(d);
}

static void hand_over(struct dial *d, int fd)
{
	struct dialer *dialer = d->dialer;

	msg_start(&out, MSG_DIALED);
	msg_u64(&out, d->flow);
	msg_bytes(&out, bytes_of(d->connected.b, d->connected.family == 4 ? 4 : 16));
	msg_fd(&out, fd);
	if (dialer->peers[d->peer])
		chan_send(dialer->peers[d->peer], &out);
	(void)fd_close(fd);
	end(d);
}

static void on_tunnel(void *owner, int fd, const char *why)
{
	struct dial *d = owner;

	if (fd >= 0) {
		hand_over(d, fd);
		return;
	}
	note(d, "%s", why);
	refuse(d, EVENT_FAILED, REASON_PROXY_REFUSED);
}

static void on_connected(void *owner, int fd, struct ip ip, int code)
{
	struct dial *d = owner;

	if (fd < 0) {
		const char *text = strerrordesc_np(code);

		note(d, "%s", text ? text : "unknown error");
		refuse(d, EVENT_FAILED, REASON_CONNECT_FAILED);
		return;
	}
	d->connected = ip;
	if (!proxied(d))
		hand_over(d, fd);
	else if (!talk_start(&d->talk, d->dialer->loop, fd, &d->host, d->host_port, on_tunnel, d))
		on_tunnel(d, -1, "out of memory");
}

void dial_event_done(struct dialer *dialer, uint64_t id, bool written)
{
	struct dial *d = dialer->first;

	while (d && d->event != id)
		d = d->next;
	if (!d || !id)
		return;
	d->event = 0;
	if (d->refused == REASON_OK && written && !still_allowed(d)) {
		refuse(d, EVENT_FAILED, REASON_POLICY_CHANGED);
		return;
	}
	if (d->refused == REASON_OK && written) {
		race_start(&d->race, dialer->loop, d->candidates, d->n_candidates, proxied(d) ? dialer->proxy_port : d->host_port,
			   on_connected, d);
		return;
	}
	answer_refused(dialer, d->peer, d->flow, d->refused == REASON_OK ? REASON_AUDIT_UNWRITABLE : d->refused);
	end(d);
}

static struct dial *find(struct dialer *dialer, enum dial_peer peer, uint64_t flow)
{
	struct dial *d = dialer->first;

	while (d && (d->flow != flow || d->peer != peer))
		d = d->next;
	return d;
}

/* Over the cap, or out of memory: nothing is kept, so the event is not waited for. */
static void refuse_at_once(struct dialer *dialer, enum dial_peer peer, uint64_t flow, const struct name *name, uint16_t port)
{
	struct event ev = event_of(dialer, flow, name, port, EVENT_DENIED, REASON_TOO_MANY_FLOWS);

	ev.detail = bytes_str("connections being dialled");
	send_event(dialer, peer, 0, &ev);
	answer_refused(dialer, peer, flow, REASON_TOO_MANY_FLOWS);
}

bool dial_start(struct dialer *dialer, enum dial_peer peer, uint64_t flow, const struct name *name, uint16_t port)
{
	struct dial *d;

	if (find(dialer, peer, flow))
		return false;
	d = dialer->n_dials < DIALS_MAX ? calloc(1, sizeof(*d)) : NULL;
	if (!d) {
		refuse_at_once(dialer, peer, flow, name, port);
		return true;
	}
	d->dialer = dialer;
	d->peer = peer;
	d->flow = flow;
	d->name = *name;
	d->port = port;
	d->next = dialer->first;
	d->prev = &dialer->first;
	if (d->next)
		d->next->prev = &d->next;
	dialer->first = d;
	dialer->n_dials++;
	begin(d);
	return true;
}

void dial_cancel(struct dialer *dialer, enum dial_peer peer, uint64_t flow)
{
	struct dial *d = find(dialer, peer, flow);

	if (d)
		end(d);
}

void dial_policy_changed(struct dialer *dialer)
{
	for (struct dial *d = dialer->first; d; d = d->next) {
		/* Those that resolve, or whose event is on its way, are judged when that is over. */
		if (d->event || !d->n_candidates || still_allowed(d))
			continue;
		race_cancel(&d->race);
		talk_cancel(&d->talk);
		refuse(d, EVENT_FAILED, REASON_POLICY_CHANGED);
	}
}

void dial_cancel_all(struct dialer *dialer, enum dial_peer peer)
{
	struct dial *next;

	for (struct dial *d = dialer->first; d; d = next) {
		next = d->next;
		if (d->peer == peer)
			end(d);
	}
}
