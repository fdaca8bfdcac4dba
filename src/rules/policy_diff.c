/* Hosts are compared through representatives: a wildcard covers another one exactly when it covers a name that nobody lists. */
#include "rules/policy_diff.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "rules/policy_diff_request.h"
#include "rules/policy_diff_spend.h"
#include "rules/policy_view.h"

enum { LINE_MAX_LEN = 2048 };

struct pair {
	uint32_t from;
	uint32_t to;
};

struct diff {
	const struct policy *from;
	const struct policy *to;
	policy_change_fn *tell;
	void *owner;
	struct pair *seen; /* entries whose requests were compared */
	size_t n_seen;
	bool failed;
};

static void tell(struct diff *d, struct buf *line)
{
	if (line->failed)
		d->failed = true;
	else
		d->tell(d->owner, buf_cstr(line));
}

static void add(struct buf *line, struct bytes text)
{
	buf_bytes(line, text);
}

static bool seen(struct diff *d, uint32_t from, uint32_t to)
{
	struct pair *v;

	for (size_t i = 0; i < d->n_seen; i++)
		if (d->seen[i].from == from && d->seen[i].to == to)
			return true;
	v = realloc(d->seen, (d->n_seen + 1) * sizeof(*v));
	if (!v) {
		d->failed = true;
		return true;
	}
	d->seen = v;
	v[d->n_seen++] = (struct pair){ from, to };
	return false;
}

static struct ip_prefix prefix_of(const struct policy *p, uint32_t i)
{
	const struct blob_prefix *v = (const struct blob_prefix *)blob_at(p, BLOB_PREFIXES) + i;
	struct ip_prefix prefix = { .ip.family = (uint8_t)v->family, .bits = (uint8_t)v->bits };

	memcpy(prefix.ip.b, v->b, sizeof(v->b));
	return prefix;
}

static void compare_addresses(struct diff *d, const struct blob_entry *from,
			      const struct blob_entry *to)
{
	for (uint32_t i = 0; i < to->prefixes.n; i++) {
		struct ip_prefix p = prefix_of(d->to, to->prefixes.first + i);
		BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };
		char text[IP_PREFIX_TEXT_MAX];
		bool known = false;

		for (uint32_t k = 0; from && k < from->prefixes.n && !known; k++) {
			struct ip_prefix q = prefix_of(d->from, from->prefixes.first + k);

			known = q.bits <= p.bits && ip_prefix_has(q, p.ip);
		}
		if (known)
			continue;
		ip_prefix_text(p, text);
		buf_fmt(&line, "addresses %s (entry ", text);
		add(&line, blob_text(d->to, to->name));
		buf_byte(&line, ')');
		tell(d, &line);
	}
}

static void tell_host(struct diff *d, const struct policy_reach *r, uint16_t port, const char *was)
{
	BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };

	buf_fmt(&line, "%s ", policy_mode_text(r->mode));
	add(&line, r->host);
	buf_fmt(&line, ":%u (entry ", port);
	add(&line, r->rule);
	buf_fmt(&line, "%s%s)", was ? "; the other policy has mode " : "", was ? was : "");
	tell(d, &line);
}

/* The entry of `from` that owns a name which this pattern stands for, or BLOB_NONE. */
static uint32_t owner_of(const struct policy *from, struct bytes host, const char *labels,
			 uint16_t port)
{
	BUF_AUTO struct buf name = { .max = LINE_MAX_LEN };
	struct policy_entry e;
	struct bytes suffix;

	if (blob_wild_of(host, &suffix) != BLOB_EXACT)
		buf_str(&name, labels);
	add(&name, suffix);
	return !name.failed && policy_find(from, buf_view(&name), port, &e) == REASON_OK
		       ? e.index
		       : BLOB_NONE;
}

static void compare_observing(struct diff *d, const struct blob_entry *from, const struct blob_entry *to)
{
	BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };

	if (!(to->flags & BLOB_OBSERVE) || (from && (from->flags & BLOB_OBSERVE)))
		return;
	buf_str(&line, "requests of every kind, it only observes (entry ");
	add(&line, blob_text(d->to, to->name));
	buf_byte(&line, ')');
	tell(d, &line);
}

static void compare_slashes(struct diff *d, const struct blob_entry *from, const struct blob_entry *to)
{
	BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };

	if (!(to->flags & BLOB_ENCODED_SLASH) || !from || (from->flags & BLOB_ENCODED_SLASH))
		return;
	buf_str(&line, "requests with %2F in their paths (entry ");
	add(&line, blob_text(d->to, to->name));
	buf_byte(&line, ')');
	tell(d, &line);
}

static void compare_requests(struct diff *d, const struct blob_entry *from, const struct blob_entry *to)
{
	static const struct blob_entry nothing = { .root = BLOB_NONE, .credential = BLOB_NONE };
	struct policy_request_pair pair = { .from = d->from,
					    .to = d->to,
					    .from_entry = from && from->protocol == to->protocol ? from : &nothing,
					    .to_entry = to,
					    .tell = d->tell,
					    .owner = d->owner };

	policy_diff_requests(&pair);
	d->failed = d->failed || pair.failed;
}

/* Where nobody looked into TLS every https request passed, and where any bytes passed everything did. */
static bool let_all_pass(const struct blob_entry *from, const struct blob_entry *to)
{
	return from && (from->mode == POLICY_TCP || (from->mode == POLICY_PASSTHROUGH && to->mode == POLICY_INTERCEPT));
}

/* By hosts of its entry, as often as it has any. */
static void compare_host(struct diff *d, const struct policy_reach *r, const struct blob_entry *from, const struct blob_entry *to, uint16_t port)
{
	struct policy_spend_pair spend = { .from = d->from,
					   .to = d->to,
					   .from_entry = from,
					   .to_entry = to,
					   .host = r->host,
					   .port = port,
					   .tell = d->tell,
					   .owner = d->owner };

	if (!from)
		tell_host(d, r, port, NULL);
	else if (from->mode != to->mode)
		tell_host(d, r, port, policy_mode_text((enum policy_mode)from->mode));
	policy_diff_spend(&spend);
	d->failed = d->failed || spend.failed;
}

static void compare_pair(struct diff *d, const struct policy_reach *r, const struct blob_reach *at,
			 uint32_t from, uint16_t port)
{
	const struct blob_entry *to_entry =
		(const struct blob_entry *)blob_at(d->to, BLOB_ENTRIES) + at->entry;
	const struct blob_entry *from_entry =
		from == BLOB_NONE ? NULL : (const struct blob_entry *)blob_at(d->from, BLOB_ENTRIES) + from;

	compare_host(d, r, from_entry, to_entry, port);
	if (seen(d, from, at->entry))
		return;
	compare_addresses(d, from_entry, to_entry);
	compare_observing(d, from_entry, to_entry);
	if (to_entry->root == BLOB_NONE || let_all_pass(from_entry, to_entry))
		return;
	compare_slashes(d, from_entry, to_entry);
	compare_requests(d, from_entry, to_entry);
}

/* Two labels that no policy lists stand for every name below a wildcard. */
static const char one[] = "any-name-below.", two[] = "any-name.any-name-below.";

/* Both policies reach the name, and what of credentials the workspace sends there itself is taken out by `from` alone. */
static bool unguarded(const struct diff *d, struct bytes host, const char *labels)
{
	BUF_AUTO struct buf name = { .max = LINE_MAX_LEN };
	uint16_t ports[POLICY_PORTS_MAX];
	size_t n = policy_ports(d->to, ports);
	struct policy_entry e;
	struct bytes suffix;

	if (blob_wild_of(host, &suffix) != BLOB_EXACT)
		buf_str(&name, labels);
	if (!buf_bytes(&name, suffix) || !policy_guarded(d->from, buf_view(&name)) || policy_guarded(d->to, buf_view(&name)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (policy_find(d->to, buf_view(&name), ports[i], &e) == REASON_OK)
			return true;
	return false;
}

/* Among the first `n` of the policy; a host stands there once for each of its entries. */
static bool lists_host(const struct policy *p, uint32_t n, struct bytes host)
{
	struct policy_reach r;

	for (uint32_t i = 0; i < n && policy_reach_at(p, i, &r); i++)
		if (bytes_eq(r.host, host))
			return true;
	return false;
}

/* Names as the new policy lists them, and those that only the old one lists by themselves. */
static void compare_guards(struct diff *d, const struct policy *p)
{
	struct policy_reach r;

	for (uint32_t i = 0; policy_reach_at(p, i, &r); i++) {
		BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };

		if (!unguarded(d, r.host, one) && !(bytes_starts(r.host, bytes_str("**")) && unguarded(d, r.host, two)))
			continue;
		if (lists_host(p, i, r.host) || (p == d->from && lists_host(d->to, UINT32_MAX, r.host)))
			continue;
		buf_str(&line, "credentials of the workspace's own to ");
		add(&line, r.host);
		tell(d, &line);
	}
}

/* How many names below a wildcard may be asked for: each is a question that somebody may read. */
static void compare_budget(struct diff *d, const struct policy_reach *r, uint32_t at)
{
	BUF_AUTO struct buf name = { .max = LINE_MAX_LEN }, line = { .max = LINE_MAX_LEN };
	struct policy_host was, now;
	struct bytes suffix;

	if (blob_wild_of(r->host, &suffix) == BLOB_EXACT || !buf_str(&name, one) || !buf_bytes(&name, suffix) ||
	    !policy_find_host(d->from, buf_view(&name), &was) || !policy_find_host(d->to, buf_view(&name), &now) || now.budget <= was.budget ||
	    lists_host(d->to, at, r->host))
		return;
	buf_fmt(&line, "%u names below ", now.budget);
	add(&line, r->host);
	buf_fmt(&line, ", not %u (entry ", was.budget);
	add(&line, r->rule);
	buf_byte(&line, ')');
	tell(d, &line);
}

bool policy_diff(const struct policy *from, const struct policy *to, policy_change_fn *tell_fn,
		 void *owner)
{
	struct diff d = { .from = from, .to = to, .tell = tell_fn, .owner = owner };
	struct policy_reach r;

	if (policy_lab(to) && !policy_lab(from))
		tell_fn(owner, "loopback addresses, it is marked lab: true");
	for (uint32_t i = 0; policy_reach_at(to, i, &r) && !d.failed; i++) {
		const struct blob_reach *at =
			(const struct blob_reach *)blob_at(to, BLOB_REACH) + i;

		compare_budget(&d, &r, i);
		for (size_t k = 0; k < r.n_ports; k++) {
			uint32_t a = owner_of(from, r.host, one, r.ports[k]);

			if (bytes_starts(r.host, bytes_str("**")) && a != BLOB_NONE &&
			    owner_of(from, r.host, two, r.ports[k]) == BLOB_NONE)
				a = BLOB_NONE;
			compare_pair(&d, &r, at, a, r.ports[k]);
		}
	}
	compare_guards(&d, to);
	compare_guards(&d, from);
	free(d.seen);
	return !d.failed;
}
