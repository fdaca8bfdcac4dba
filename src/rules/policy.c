#include "rules/policy.h"

#include <inttypes.h>

#include "base/must.h"
#include "rules/policy_view.h"
#include "rules/policy_hash.h"
#include "rules/policy_compile.h"

_Static_assert(offsetof(struct blob_header, flags) == BLOB_SEALED_AT,
	       "the seal covers everything behind it");

enum { LABELS_MAX = NAME_MAX_LEN / 2 + 1 };

struct bytes policy_label(const struct policy *p)
{
	return blob_text(p, blob_head(p)->label);
}

struct bytes policy_sha256(const struct policy *p)
{
	return bytes_of(blob_head(p)->sha256, sizeof(blob_head(p)->sha256));
}

struct bytes policy_sealed(const struct policy *p)
{
	return bytes_skip(p->blob, BLOB_SEALED_AT);
}

bool policy_lab(const struct policy *p)
{
	return blob_head(p)->flags & BLOB_LAB;
}

size_t policy_ports(const struct policy *p, uint16_t ret[POLICY_PORTS_MAX])
{
	const uint16_t *ports = blob_at(p, BLOB_ALL_PORTS);
	size_t n = blob_n(p, BLOB_ALL_PORTS);

	memcpy(ret, ports, n * sizeof(*ports));
	return n;
}

uint32_t blob_host_find(const struct policy *p, uint32_t hash, struct bytes suffix,
			enum blob_wild w)
{
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	const uint32_t *slots = blob_at(p, BLOB_SLOTS);
	uint32_t n = blob_n(p, BLOB_SLOTS);

	for (uint32_t tries = 0; tries < n; tries++) {
		uint32_t host = slots[(hash + tries) & (n - 1)];
		struct bytes got;

		if (host == BLOB_NONE)
			break;
		if (blob_wild_of(blob_text(p, hosts[host].text), &got) == w &&
		    bytes_eq(got, suffix))
			return host;
	}
	return BLOB_NONE;
}

/* Walks the patterns that list a name: the exact one, then wildcards from the longest suffix to the shortest, `*` before `**`. */
struct host_walk {
	const struct policy *p;
	struct bytes name;
	uint32_t exact_hash;
	unsigned n; /* suffixes */
	unsigned at; /* 0: the exact name; then 2k-1 and 2k: `*` and `**` over suffix k-1 */
	struct {
		uint32_t hash; /* before blob_hash_end() */
		uint8_t off;
	} suffix[LABELS_MAX];
};

static bool host_walk_start(struct host_walk *w, const struct policy *p, struct bytes name)
{
	uint32_t h = BLOB_HASH_START;
	unsigned n = 0;

	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return false;
	w->p = p;
	w->name = name;
	w->at = 0;
	for (size_t i = name.len; i > 0; i--) {
		if (name.p[i - 1] == '.' && i > 1 && n < LABELS_MAX) {
			w->suffix[n].hash = h;
			w->suffix[n].off = (uint8_t)i;
			n++;
		}
		h = blob_hash_add(h, name.p[i - 1]);
	}
	w->exact_hash = h;
	w->n = n;
	return true;
}

/* The next pattern, or BLOB_NONE when there are no more. */
static uint32_t host_walk_next(struct host_walk *w)
{
	while (w->at <= 2 * w->n) {
		unsigned at = w->at++;
		unsigned k = (at + 1) / 2;
		enum blob_wild wild = at == 0  ? BLOB_EXACT
				      : at % 2 ? BLOB_ONE_LABEL
					       : BLOB_MANY_LABELS;
		struct bytes text = w->name;
		uint32_t hash = w->exact_hash, host;

		if (wild == BLOB_ONE_LABEL && k > 1)
			continue;
		if (wild != BLOB_EXACT) {
			text = bytes_skip(w->name, w->suffix[w->n - k].off);
			hash = w->suffix[w->n - k].hash;
		}
		host = blob_host_find(w->p, blob_hash_end(hash, wild), text, wild);
		if (host != BLOB_NONE)
			return host;
	}
	return BLOB_NONE;
}

bool policy_find_host(const struct policy *p, struct bytes name, struct policy_host *ret)
{
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	struct host_walk w;
	struct bytes suffix;
	uint32_t host;

	if (!host_walk_start(&w, p, name))
		return false;
	host = host_walk_next(&w);
	if (host == BLOB_NONE)
		return false;
	*ret = (struct policy_host){ .pattern = host,
				     .text = blob_text(p, hosts[host].text),
				     .budget = hosts[host].budget };
	ret->wildcard = blob_wild_of(ret->text, &suffix) != BLOB_EXACT;
	return true;
}

static uint32_t door_find(const struct policy *p, const struct blob_host *h, uint16_t port)
{
	const struct blob_door *doors =
		(const struct blob_door *)blob_at(p, BLOB_DOORS) + h->doors.first;

	for (uint32_t i = 0; i < h->doors.n && doors[i].port <= port; i++)
		if (doors[i].port == port)
			return doors[i].entry;
	return BLOB_NONE;
}

static struct policy_entry entry_view(const struct policy *p, uint32_t index, const struct blob_entry *e)
{
	return (struct policy_entry){
		.index = index,
		.mode = (enum policy_mode)e->mode,
		.protocol = (enum policy_protocol)e->protocol,
		.rule = blob_text(p, e->name),
		.observe = e->flags & BLOB_OBSERVE,
		.encoded_slash = e->flags & BLOB_ENCODED_SLASH,
		.websocket = e->flags & BLOB_WEBSOCKET,
		.reflective = e->flags & BLOB_REFLECTIVE,
		.strip_set_cookie = e->flags & BLOB_STRIP_COOKIE,
		.ai = (enum policy_ai)e->ai,
		.credential = e->credential,
		.ca = blob_text(p, e->ca),
		.upstream = blob_text(p, e->upstream),
		.upstream_port = (uint16_t)e->upstream_port,
	};
}

enum reason policy_find(const struct policy *p, struct bytes name, uint16_t port,
			struct policy_entry *ret)
{
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);
	enum reason reason = REASON_NAME_UNLISTED;
	struct host_walk w;
	uint32_t host;

	if (!host_walk_start(&w, p, name))
		return reason;
	while ((host = host_walk_next(&w)) != BLOB_NONE) {
		uint32_t entry = door_find(p, &hosts[host], port);

		if (entry != BLOB_NONE) {
			*ret = entry_view(p, entry, &entries[entry]);
			return REASON_OK;
		}
		reason = REASON_PORT_UNLISTED;
	}
	return reason;
}

bool policy_guarded(const struct policy *p, struct bytes name)
{
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	const struct blob_door *doors = blob_at(p, BLOB_DOORS);
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);
	struct host_walk w;
	uint32_t host;

	if (!host_walk_start(&w, p, name))
		return false;
	while ((host = host_walk_next(&w)) != BLOB_NONE)
		for (uint32_t i = 0; i < hosts[host].doors.n; i++)
			if (entries[doors[hosts[host].doors.first + i].entry].flags & BLOB_GUARDED)
				return true;
	return false;
}

static bool prefix_listed(const struct policy *p, const struct blob_entry *e, struct ip ip)
{
	const struct blob_prefix *prefixes =
		(const struct blob_prefix *)blob_at(p, BLOB_PREFIXES) + e->prefixes.first;

	for (uint32_t i = 0; i < e->prefixes.n; i++) {
		struct ip_prefix prefix = { .ip.family = (uint8_t)prefixes[i].family,
					    .bits = (uint8_t)prefixes[i].bits };

		memcpy(prefix.ip.b, prefixes[i].b, sizeof(prefix.ip.b));
		if (ip_prefix_has(prefix, ip))
			return true;
	}
	return false;
}

bool policy_address_ok(const struct policy *p, const struct policy_entry *e, struct ip ip)
{
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);

	must(e->index < blob_n(p, BLOB_ENTRIES));
	switch (ip_scope_of(ip)) {
	case IP_SCOPE_PUBLIC:
		return true;
	case IP_SCOPE_PRIVATE:
		return prefix_listed(p, &entries[e->index], ip);
	case IP_SCOPE_LOOPBACK:
		return policy_own_address_ok(p, e, ip);
	case IP_SCOPE_NEVER:
		return false;
	}
	return false;
}

bool policy_own_address_ok(const struct policy *p, const struct policy_entry *e, struct ip ip)
{
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);

	must(e->index < blob_n(p, BLOB_ENTRIES));
	return ip_scope_of(ip) != IP_SCOPE_NEVER && policy_lab(p) && prefix_listed(p, &entries[e->index], ip);
}

bool policy_reach_at(const struct policy *p, uint32_t i, struct policy_reach *ret)
{
	const struct blob_reach *reach = blob_at(p, BLOB_REACH);
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	const struct blob_entry *e;

	if (i >= blob_n(p, BLOB_REACH))
		return false;
	e = (const struct blob_entry *)blob_at(p, BLOB_ENTRIES) + reach[i].entry;
	*ret = (struct policy_reach){
		.rule = blob_text(p, e->name),
		.host = blob_text(p, hosts[reach[i].host].text),
		.mode = (enum policy_mode)e->mode,
		.observe = e->flags & BLOB_OBSERVE,
		.ports = (const uint16_t *)blob_at(p, BLOB_PORTS) + e->ports.first,
		.n_ports = e->ports.n,
	};
	return true;
}

bool policy_reach_rule_at(const struct policy *p, uint32_t i, struct policy_reach_rule *ret)
{
	static const char *const decisions[] = {
		[POLICY_EFFECT_ALLOW] = "allow",
		[POLICY_EFFECT_REVIEW] = "review",
		[POLICY_EFFECT_DENY] = "deny",
		[POLICY_EFFECT_DENY_RULE] = "deny",
	};
	const struct blob_rule *r = blob_at(p, BLOB_RULES);

	if (i >= blob_n(p, BLOB_RULES))
		return false;
	*ret = (struct policy_reach_rule){ .rule = blob_text(p, r[i].name),
					   .class_name = blob_text(p, r[i].class),
					   .decision = decisions[r[i].effect] };
	return true;
}

bool policy_intercepted_next(const struct policy *p, uint32_t *at, struct bytes *ret_host)
{
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	const struct blob_door *doors = blob_at(p, BLOB_DOORS);
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);

	while (*at < blob_n(p, BLOB_HOSTS)) {
		const struct blob_host *h = &hosts[(*at)++];

		for (uint32_t i = 0; i < h->doors.n; i++)
			if (entries[doors[h->doors.first + i].entry].mode == POLICY_INTERCEPT) {
				*ret_host = blob_text(p, h->text);
				return true;
			}
	}
	return false;
}

void policy_observes(const struct policy *p, struct buf *out)
{
	enum { MORE_MAX = 24 }; /* ", and 4294967295 more" */
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);
	size_t start = out->len;
	uint32_t left = 0;

	for (uint32_t i = 0; i < blob_n(p, BLOB_ENTRIES); i++) {
		struct bytes name = blob_text(p, entries[i].name);

		if (!(entries[i].flags & BLOB_OBSERVE))
			continue;
		if (left || out->len - start + name.len + 2 + MORE_MAX > POLICY_OBSERVES_MAX) {
			left++;
			continue;
		}
		(void)buf_fmt(out, "%s%.*s", out->len > start ? ", " : "", (int)name.len, (const char *)name.p);
	}
	if (left)
		(void)buf_fmt(out, "%s%" PRIu32 " more", out->len > start ? ", and " : "", left);
}

const char *policy_mode_text(enum policy_mode m)
{
	switch (m) {
	case POLICY_PASSTHROUGH:
		return "passthrough";
	case POLICY_HTTP:
		return "http";
	case POLICY_TCP:
		return "tcp";
	case POLICY_INTERCEPT:
		return "intercept";
	}
	must(false);
	return "";
}

const char *policy_protocol_text(enum policy_protocol protocol)
{
	switch (protocol) {
	case POLICY_PROTOCOL_NONE:
		return "";
	case POLICY_REST:
		return "rest";
	case POLICY_GIT:
		return "git";
	case POLICY_GRPC:
		return "grpc";
	}
	must(false);
	return "";
}
