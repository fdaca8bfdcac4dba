#include "workspace/inlet/sightings.h"

#include <stdlib.h>

#include "wire/guest_net.h"
#include "workspace/inlet/pool.h"

/* A kind stays in the table until a whole window of its own has passed without it. Connection
 * attempts are remembered for a minute by their 4-tuple: the retransmissions of one SYN are one
 * attempt. Both tables are searched from the start: they are small, and a flood costs the
 * guest's own gateway only. */

struct kind {
	struct sighting first;
	uint64_t more; /* seen after the last report */
	uint64_t window_ms;
	uint64_t due_ms;
};

struct attempt {
	struct ip dst;
	uint16_t src_port;
	uint16_t dst_port;
};

struct sightings {
	sightings_report_fn report;
	void *owner;
	size_t n_kinds;
	size_t n_attempts;
	uint64_t attempts_due_ms;
	struct kind kinds[SIGHTINGS_KINDS_MAX + REASON_COUNT];
	struct attempt attempts[SIGHTINGS_SYNS_MAX];
};

static bool zero_ip(struct ip ip)
{
	return ip_eq(ip, ip_v4(0));
}

/* Multicast and broadcast: not somebody's address. */
static bool to_all(struct ip ip)
{
	return (ip.family == 4 && ip.b[0] >= 224) || (ip.family == 6 && ip.b[0] == 0xff);
}

static bool ours(struct ip ip)
{
	return pool_has(ip) || ip_eq(ip, ip_v4(NET_GATEWAY));
}

static bool wrong_mac(const uint8_t mac[6], const struct sightings_world *w)
{
	return w->has_mac && memcmp(mac, w->mac, 6) != 0;
}

/* ARP in which the guest speaks for itself is ordinary; for anybody else it is a forgery. */
static enum reason judge_arp(const struct packet *p, const struct sightings_world *w)
{
	if (wrong_mac(p->arp_mac, w) || (!ip_eq(p->src, ip_v4(NET_GUEST)) && !zero_ip(p->src)))
		return REASON_SOURCE_SPOOFED;
	return REASON_OK;
}

static enum reason judge_syn(const struct packet *p, const struct sightings_world *w,
			     struct sighting *s)
{
	enum reason reason;

	if (!ours(p->dst))
		return REASON_NO_ROUTE;
	/* Only what opens a connection; the rest belongs to one, or is answered with a reset. */
	if ((p->tcp_flags & (PACKET_TCP_SYN | PACKET_TCP_ACK)) != PACKET_TCP_SYN)
		return REASON_OK;
	if (w->has_port(w->owner, p->dst_port))
		return REASON_OK;
	if (ip_eq(p->dst, ip_v4(NET_GATEWAY)))
		return p->dst_port == NET_DNS_PORT ? REASON_OK : REASON_NO_LISTENER;
	s->one_by_one = true;
	if (!w->name_of(w->owner, p->dst, &s->name))
		return REASON_ADDRESS_STALE;
	reason = w->port_of(w->owner, &s->name, p->dst_port);
	if (reason == REASON_NAME_UNLISTED)
		return REASON_ADDRESS_STALE;
	/* Listed, but the listener is only just being made. */
	return reason == REASON_OK ? REASON_NO_LISTENER : reason;
}

static enum reason judge_ipv4(const struct packet *p, const struct sightings_world *w,
			      struct sighting *s)
{
	if (!ip_eq(p->src, ip_v4(NET_GUEST)) && !(zero_ip(p->src) && to_all(p->dst)))
		return REASON_SOURCE_SPOOFED;
	/* TCP is taken only from frames for one machine, and no packet in parts. */
	if (p->undeliverable || p->fragment || (p->proto == PACKET_TCP && (p->dst_mac[0] & 1)))
		return REASON_FRAME_DROPPED;
	if (p->proto == PACKET_TCP && p->has_ports)
		return judge_syn(p, w, s);
	if (p->proto == PACKET_UDP && p->has_ports && p->dst_port == NET_DNS_PORT && ip_eq(p->dst, ip_v4(NET_GATEWAY)))
		return REASON_OK;
	return ours(p->dst) || to_all(p->dst) ? REASON_NO_LISTENER : REASON_NO_ROUTE;
}

bool sighting_judge(const struct packet *p, bool astray, const struct sightings_world *w,
		    struct sighting *ret)
{
	struct sighting s = {
		.src = p->src,
		.dst = p->dst,
		.src_port = p->src_port,
		.dst_port = p->dst_port,
		.proto = p->proto,
		.ethertype = p->ethertype,
		.reason = REASON_FRAME_DROPPED,
	};

	if (wrong_mac(p->src_mac, w))
		s.reason = REASON_SOURCE_SPOOFED;
	else if (!astray && p->kind == PACKET_ARP)
		s.reason = judge_arp(p, w);
	else if (!astray && p->kind == PACKET_IPV4)
		s.reason = judge_ipv4(p, w, &s);
	else if (!astray && p->kind == PACKET_IPV6)
		s.reason = REASON_NO_IPV6;
	if (s.reason == REASON_OK)
		return false;
	*ret = s;
	return true;
}

struct sightings *sightings_new(sightings_report_fn report, void *owner)
{
	struct sightings *s = calloc(1, sizeof(*s));

	if (s) {
		s->report = report;
		s->owner = owner;
	}
	return s;
}

struct sightings *sightings_free(struct sightings *s)
{
	free(s);
	return NULL;
}

/* A kind: reason, protocol and destination with its port; the many groups of multicast are one. */
static bool same_kind(const struct sighting *a, const struct sighting *b)
{
	return a->reason == b->reason && a->proto == b->proto && a->ethertype == b->ethertype &&
	       ((to_all(a->dst) && to_all(b->dst)) ||
		(ip_eq(a->dst, b->dst) && a->dst_port == b->dst_port));
}

static bool count_again(struct sightings *s, const struct sighting *one)
{
	for (size_t i = 0; i < s->n_kinds; i++)
		if (same_kind(&s->kinds[i].first, one)) {
			s->kinds[i].more++;
			return true;
		}
	return false;
}

/* Where the table is full, what is new falls into the one kind that gathers the rest of its
 * reason. */
static void count_kind(struct sightings *s, const struct sighting *one, uint64_t now_ms)
{
	const struct sighting rest = { .reason = one->reason };
	uint64_t window;

	if (count_again(s, one))
		return;
	if (s->n_kinds >= SIGHTINGS_KINDS_MAX) {
		one = &rest;
		if (count_again(s, one))
			return;
	}
	window = to_all(one->dst) ? SIGHTINGS_LAST_MS : SIGHTINGS_FIRST_MS;
	s->kinds[s->n_kinds++] =
		(struct kind){ .first = *one, .window_ms = window, .due_ms = now_ms + window };
	s->report(s->owner, one, 1);
}

/* True when it was seen in this minute or has been reported now; false when there is no room to
 * report it alone. */
static bool report_attempt(struct sightings *s, const struct sighting *one, uint64_t now_ms)
{
	if (now_ms >= s->attempts_due_ms) {
		s->n_attempts = 0;
		s->attempts_due_ms = now_ms + SIGHTINGS_LAST_MS;
	}
	for (size_t i = 0; i < s->n_attempts; i++) {
		const struct attempt *a = &s->attempts[i];

		if (a->src_port == one->src_port && a->dst_port == one->dst_port &&
		    ip_eq(a->dst, one->dst))
			return true;
	}
	if (s->n_attempts == SIGHTINGS_SYNS_MAX)
		return false;
	s->attempts[s->n_attempts++] = (struct attempt){ .dst = one->dst,
							 .src_port = one->src_port,
							 .dst_port = one->dst_port };
	s->report(s->owner, one, 1);
	return true;
}

void sightings_add(struct sightings *s, const struct sighting *one, uint64_t now_ms)
{
	if (!one->one_by_one || !report_attempt(s, one, now_ms))
		count_kind(s, one, now_ms);
}

/* False: the kind was not seen in its window and leaves. */
static bool kind_due(struct sightings *s, struct kind *k, uint64_t now_ms)
{
	if (!k->more)
		return false;
	s->report(s->owner, &k->first, k->more);
	k->more = 0;
	k->window_ms = k->window_ms > SIGHTINGS_LAST_MS / 2 ? SIGHTINGS_LAST_MS : k->window_ms * 2;
	k->due_ms = now_ms + k->window_ms;
	return true;
}

uint64_t sightings_tick(struct sightings *s, uint64_t now_ms)
{
	uint64_t next = 0;

	for (size_t i = 0; i < s->n_kinds;) {
		struct kind *k = &s->kinds[i];

		if (now_ms >= k->due_ms && !kind_due(s, k, now_ms)) {
			*k = s->kinds[--s->n_kinds];
			continue;
		}
		if (!next || k->due_ms < next)
			next = k->due_ms;
		i++;
	}
	return next;
}

void sightings_flush(struct sightings *s)
{
	for (size_t i = 0; i < s->n_kinds; i++)
		if (s->kinds[i].more)
			s->report(s->owner, &s->kinds[i].first, s->kinds[i].more);
	s->n_kinds = 0;
}
