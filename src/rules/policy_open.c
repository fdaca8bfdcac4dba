/* Everything that the questions of policy.c and policy_judge.c rely on is checked here, once: afterwards they index without looking.
 * A blob comes from our own compiler through a sealed descriptor; that a damaged one is refused whole is still cheaper than
 * knowing all ways in which it could be wrong. */
#include <stdio.h>

#include "rules/policy_blob.h"
#include "rules/policy_hash.h"
#include "rules/policy_path.h"
#include "rules/policy_view.h"
#include "wire/json_pointer.h"

const uint32_t policy_blob_element_len[BLOB_SECTIONS] = {
	[BLOB_HOSTS] = sizeof(struct blob_host),
	[BLOB_SLOTS] = sizeof(uint32_t),
	[BLOB_DOORS] = sizeof(struct blob_door),
	[BLOB_ENTRIES] = sizeof(struct blob_entry),
	[BLOB_PORTS] = sizeof(uint16_t),
	[BLOB_ALL_PORTS] = sizeof(uint16_t),
	[BLOB_PREFIXES] = sizeof(struct blob_prefix),
	[BLOB_RULES] = sizeof(struct blob_rule),
	[BLOB_CONDITIONS] = sizeof(struct blob_condition),
	[BLOB_VALUES] = sizeof(struct blob_str),
	[BLOB_NODES] = sizeof(struct blob_node),
	[BLOB_EDGES] = sizeof(struct blob_edge),
	[BLOB_ENDS] = sizeof(uint32_t),
	[BLOB_TAILS] = sizeof(struct blob_tail),
	[BLOB_REACH] = sizeof(struct blob_reach),
	[BLOB_CREDENTIALS] = sizeof(struct blob_credential),
	[BLOB_STRINGS] = 1,
};

static bool header_ok(struct bytes blob, struct err *e)
{
	const struct blob_header *h = (const struct blob_header *)(const void *)blob.p;

	if (blob.len < sizeof(*h) || blob.len > POLICY_BLOB_MAX || (uintptr_t)blob.p % 8 != 0 ||
	    memcmp(h->magic, POLICY_BLOB_MAGIC, sizeof(h->magic)) != 0)
		return !err_set(e, 1, "not a compiled policy; make one with `saw policy compile`");
	if (h->version != POLICY_BLOB_VERSION)
		return !err_set(
			e, 1,
			"compiled policy of version %u, this program reads %d; compile it anew",
			h->version, POLICY_BLOB_VERSION);
	if (h->size != blob.len)
		return !err_set(e, 1, "compiled policy is cut short; compile it anew");
	return true;
}

static bool sections_ok(const struct policy *p)
{
	const struct blob_header *h = blob_head(p);

	for (int s = 0; s < BLOB_SECTIONS; s++) {
		const struct blob_section *at = &h->section[s];

		if (at->off % 8 != 0 || at->off < sizeof(*h) || at->off > h->size)
			return false;
		if ((uint64_t)at->n * policy_blob_element_len[s] > h->size - at->off)
			return false;
	}
	return (h->flags & ~(uint32_t)BLOB_FLAGS_ALL) == 0;
}

static bool str_ok(const struct policy *p, struct blob_str s)
{
	uint32_t n = blob_n(p, BLOB_STRINGS);

	return s.off <= n && s.len <= n - s.off;
}

static bool run_ok(const struct policy *p, enum policy_section s, struct blob_run r)
{
	uint32_t n = blob_n(p, s);

	return r.first <= n && r.n <= n - r.first;
}

static bool ascending(const uint16_t *ports, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ports[i] == 0 || (i > 0 && ports[i] <= ports[i - 1]))
			return false;
	return true;
}

static bool host_pattern_ok(struct bytes text)
{
	struct bytes suffix;
	struct name n;

	(void)blob_wild_of(text, &suffix);
	return name_parse_strict(suffix, &n) == NAME_OK && bytes_eq(name_bytes(&n), suffix);
}

static bool host_ok(const struct policy *p, uint32_t i)
{
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	const struct blob_door *doors = blob_at(p, BLOB_DOORS);
	struct bytes suffix;
	enum blob_wild w;

	if (!str_ok(p, hosts[i].text) || !run_ok(p, BLOB_DOORS, hosts[i].doors) ||
	    !host_pattern_ok(blob_text(p, hosts[i].text)))
		return false;
	if (i > 0 && bytes_cmp(blob_text(p, hosts[i - 1].text), blob_text(p, hosts[i].text)) >= 0)
		return false;
	w = blob_wild_of(blob_text(p, hosts[i].text), &suffix);
	if ((w == BLOB_EXACT) != (hosts[i].budget == 0))
		return false;
	for (uint32_t k = 0; k < hosts[i].doors.n; k++) {
		const struct blob_door *d = &doors[hosts[i].doors.first + k];

		if (d->port == 0 || d->port > UINT16_MAX || d->entry >= blob_n(p, BLOB_ENTRIES) ||
		    (k > 0 && d->port <= d[-1].port))
			return false;
	}
	return true;
}

static bool hosts_ok(const struct policy *p)
{
	const struct blob_host *hosts = blob_at(p, BLOB_HOSTS);
	const uint32_t *slots = blob_at(p, BLOB_SLOTS);
	uint32_t n = blob_n(p, BLOB_HOSTS), n_slots = blob_n(p, BLOB_SLOTS);

	/* As many filled slots as hosts, each of which is found below: each once, and within a short run. */
	if (n_slots == 0 || (n_slots & (n_slots - 1)) != 0 || n_slots / 2 < n || blob_slots_filled(slots, n_slots) != n)
		return false;
	for (uint32_t i = 0; i < n_slots; i++)
		if (slots[i] != BLOB_NONE && slots[i] >= n)
			return false;
	for (uint32_t i = 0; i < n; i++)
		if (!host_ok(p, i))
			return false;
	for (uint32_t i = 0; i < n; i++) {
		struct bytes suffix;
		enum blob_wild w = blob_wild_of(blob_text(p, hosts[i].text), &suffix);

		if (blob_host_find(p, blob_hash(suffix, w), suffix, w) != i)
			return false;
	}
	return true;
}

static bool strs_ok(const struct policy *p, struct blob_run r)
{
	const struct blob_str *values = blob_at(p, BLOB_VALUES);

	if (!run_ok(p, BLOB_VALUES, r))
		return false;
	for (uint32_t i = 0; i < r.n; i++)
		if (!str_ok(p, values[r.first + i]))
			return false;
	return true;
}

static bool ports_ok(const struct policy *p, struct blob_run r)
{
	return run_ok(p, BLOB_PORTS, r) && r.n <= POLICY_PORTS_MAX &&
	       ascending((const uint16_t *)blob_at(p, BLOB_PORTS) + r.first, r.n);
}

static bool pointers_ok(const struct policy *p, struct blob_run r)
{
	const struct blob_str *values = blob_at(p, BLOB_VALUES);

	if (r.n > POLICY_POINTERS_MAX || !strs_ok(p, r))
		return false;
	for (uint32_t i = 0; i < r.n; i++)
		if (!json_pointer_valid(blob_text(p, values[r.first + i])))
			return false;
	return true;
}

static bool judged(const struct blob_entry *e)
{
	return e->mode == POLICY_HTTP || e->mode == POLICY_INTERCEPT;
}

/* What an entry says about https stands only on entries that open it; only there is a secret added. */
static bool https_ok(const struct policy *p, const struct blob_entry *e)
{
	bool intercepted = e->mode == POLICY_INTERCEPT;
	struct name n;

	if (!str_ok(p, e->ca) || !str_ok(p, e->upstream) || !pointers_ok(p, e->pointers) || e->ca.len > POLICY_CA_MAX ||
	    e->ai > POLICY_AI_ANTHROPIC)
		return false;
	if (e->credential != BLOB_NONE && (!intercepted || e->credential >= blob_n(p, BLOB_CREDENTIALS) || !(e->flags & BLOB_GUARDED)))
		return false;
	if (e->upstream.len == 0)
		return e->upstream_port == 0 && (intercepted || e->ca.len == 0);
	return intercepted && e->upstream_port > 0 && e->upstream_port <= UINT16_MAX &&
	       name_parse_strict(blob_text(p, e->upstream), &n) == NAME_OK && bytes_eq(name_bytes(&n), blob_text(p, e->upstream));
}

static bool entry_ok(const struct policy *p, const struct blob_entry *e)
{
	return str_ok(p, e->name) && e->mode >= POLICY_PASSTHROUGH && e->mode <= POLICY_INTERCEPT &&
	       (e->flags & ~(uint32_t)BLOB_ENTRY_FLAGS_ALL) == 0 && ports_ok(p, e->ports) &&
	       (judged(e) ? e->protocol >= POLICY_REST && e->protocol <= POLICY_GRPC : e->protocol == POLICY_PROTOCOL_NONE) &&
	       run_ok(p, BLOB_PREFIXES, e->prefixes) && run_ok(p, BLOB_RULES, e->rules) && https_ok(p, e);
}

static bool credentials_ok(const struct policy *p)
{
	const struct blob_credential *c = blob_at(p, BLOB_CREDENTIALS);

	if (blob_n(p, BLOB_CREDENTIALS) > POLICY_CREDENTIALS_MAX)
		return false;
	for (uint32_t i = 0; i < blob_n(p, BLOB_CREDENTIALS); i++)
		if (!str_ok(p, c[i].id) || c[i].inject < POLICY_INJECT_HEADER || c[i].inject > POLICY_INJECT_QUERY || c[i].header.len == 0 ||
		    !str_ok(p, c[i].header) || !str_ok(p, c[i].prefix) || !str_ok(p, c[i].suffix) || !str_ok(p, c[i].user) ||
		    !strs_ok(p, c[i].hosts) || !ports_ok(p, c[i].ports) || !strs_ok(p, c[i].paths) ||
		    (i > 0 && bytes_cmp(blob_text(p, c[i - 1].id), blob_text(p, c[i].id)) >= 0))
			return false;
	return true;
}

/* The i-th judged entry has root i, and its tree knows how many rules the entry has. */
static bool entries_ok(const struct policy *p)
{
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);
	const struct blob_node *nodes = blob_at(p, BLOB_NODES);
	uint32_t root = 0;

	if (blob_head(p)->n_roots > blob_n(p, BLOB_NODES))
		return false;
	for (uint32_t i = 0; i < blob_n(p, BLOB_ENTRIES); i++) {
		if (!entry_ok(p, &entries[i]))
			return false;
		if (!judged(&entries[i])) {
			if (entries[i].root != BLOB_NONE || entries[i].rules.n != 0)
				return false;
			continue;
		}
		if (entries[i].root != root || root == blob_head(p)->n_roots ||
		    nodes[root].n_rules != entries[i].rules.n || nodes[root].depth != 0)
			return false;
		root++;
	}
	return root == blob_head(p)->n_roots;
}

static bool node_lists_ok(const struct policy *p, const struct blob_node *n)
{
	const struct blob_edge *edges =
		(const struct blob_edge *)blob_at(p, BLOB_EDGES) + n->edges.first;
	const uint32_t *ends = (const uint32_t *)blob_at(p, BLOB_ENDS) + n->ends.first;
	const struct blob_tail *tails =
		(const struct blob_tail *)blob_at(p, BLOB_TAILS) + n->tails.first;

	for (uint32_t i = 0; i < n->edges.n; i++)
		if (!str_ok(p, edges[i].segment) ||
		    (i > 0 && bytes_cmp(blob_text(p, edges[i - 1].segment),
					blob_text(p, edges[i].segment)) >= 0))
			return false;
	for (uint32_t i = 0; i < n->ends.n; i++)
		if (ends[i] >= n->n_rules)
			return false;
	for (uint32_t i = 0; i < n->tails.n; i++)
		if (tails[i].rule >= n->n_rules || !str_ok(p, tails[i].pattern) ||
		    tails[i].pattern.len > POLICY_PATH_MAX)
			return false;
	return true;
}

static bool child_ok(const struct policy *p, const struct blob_node *parent, uint32_t child)
{
	const struct blob_node *nodes = blob_at(p, BLOB_NODES);
	const struct blob_node *c = &nodes[child];

	return c > parent && c->depth == parent->depth + 1 &&
	       c->depth <= POLICY_PATH_SEGMENTS_MAX && c->n_rules == parent->n_rules;
}

/* Children and lists are numbered without a gap in the order of the nodes: see policy_blob.h. */
static bool nodes_ok(const struct policy *p)
{
	const struct blob_node *nodes = blob_at(p, BLOB_NODES);
	uint32_t n = blob_n(p, BLOB_NODES), next = blob_head(p)->n_roots;
	uint32_t edge = 0, end = 0, tail = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct blob_node *at = &nodes[i];

		if (at->edges.first != edge || at->ends.first != end || at->tails.first != tail ||
		    !run_ok(p, BLOB_EDGES, at->edges) || !run_ok(p, BLOB_ENDS, at->ends) ||
		    !run_ok(p, BLOB_TAILS, at->tails) || !node_lists_ok(p, at))
			return false;
		edge += at->edges.n;
		end += at->ends.n;
		tail += at->tails.n;
		if (at->first_child != next || at->edges.n > n - next)
			return false;
		for (uint32_t k = 0; k < at->edges.n; k++)
			if (!child_ok(p, at, next + k))
				return false;
		next += at->edges.n;
		if (at->any_child == BLOB_NONE)
			continue;
		if (at->any_child != next || next == n || !child_ok(p, at, next))
			return false;
		next++;
	}
	return next == n && edge == blob_n(p, BLOB_EDGES) && end == blob_n(p, BLOB_ENDS) &&
	       tail == blob_n(p, BLOB_TAILS);
}

static bool rule_ok(const struct policy *p, const struct blob_rule *r)
{
	return str_ok(p, r->name) && str_ok(p, r->class) && r->effect < POLICY_EFFECT_END &&
	       (r->flags & ~(uint32_t)BLOB_RULE_FLAGS_ALL) == 0 &&
	       (r->class.len == 0) == (r->effect == POLICY_EFFECT_DENY_RULE) && run_ok(p, BLOB_CONDITIONS, r->conditions);
}

/* JSON conditions name a pointer of the entry that has the rule; rules of git have no conditions but refs, and only they have those. */
static bool entry_rules_ok(const struct policy *p, const struct blob_entry *e)
{
	const struct blob_rule *rules = (const struct blob_rule *)blob_at(p, BLOB_RULES) + e->rules.first;

	for (uint32_t i = 0; i < e->rules.n; i++) {
		const struct blob_condition *c = (const struct blob_condition *)blob_at(p, BLOB_CONDITIONS) + rules[i].conditions.first;

		for (uint32_t k = 0; k < rules[i].conditions.n; k++)
			if ((c[k].kind == POLICY_CONDITION_JSON && c[k].slot >= e->pointers.n) ||
			    (c[k].kind == POLICY_CONDITION_REF) != (e->protocol == POLICY_GIT))
				return false;
	}
	return true;
}

static bool rules_ok(const struct policy *p)
{
	const struct blob_rule *rules = blob_at(p, BLOB_RULES);
	const struct blob_condition *conditions = blob_at(p, BLOB_CONDITIONS);
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);
	const struct blob_str *values = blob_at(p, BLOB_VALUES);

	for (uint32_t i = 0; i < blob_n(p, BLOB_RULES); i++)
		if (!rule_ok(p, &rules[i]))
			return false;
	for (uint32_t i = 0; i < blob_n(p, BLOB_CONDITIONS); i++)
		if (conditions[i].kind == 0 || conditions[i].kind >= POLICY_CONDITION_END ||
		    !str_ok(p, conditions[i].key) || !run_ok(p, BLOB_VALUES, conditions[i].values))
			return false;
	for (uint32_t i = 0; i < blob_n(p, BLOB_VALUES); i++)
		if (!str_ok(p, values[i]))
			return false;
	for (uint32_t i = 0; i < blob_n(p, BLOB_ENTRIES); i++)
		if (!entry_rules_ok(p, &entries[i]))
			return false;
	return true;
}

static bool rest_ok(const struct policy *p)
{
	const struct blob_prefix *prefixes = blob_at(p, BLOB_PREFIXES);
	const struct blob_reach *reach = blob_at(p, BLOB_REACH);

	for (uint32_t i = 0; i < blob_n(p, BLOB_PREFIXES); i++)
		if (!(prefixes[i].family == 4 && prefixes[i].bits <= 32) &&
		    !(prefixes[i].family == 6 && prefixes[i].bits <= 128))
			return false;
	for (uint32_t i = 0; i < blob_n(p, BLOB_REACH); i++)
		if (reach[i].entry >= blob_n(p, BLOB_ENTRIES) ||
		    reach[i].host >= blob_n(p, BLOB_HOSTS))
			return false;
	return str_ok(p, blob_head(p)->label) && blob_n(p, BLOB_ALL_PORTS) <= POLICY_PORTS_MAX &&
	       ascending(blob_at(p, BLOB_ALL_PORTS), blob_n(p, BLOB_ALL_PORTS));
}

bool policy_open(struct policy *ret, struct bytes blob, struct err *e)
{
	struct policy p = { .blob = blob };

	if (!header_ok(blob, e))
		return false;
	if (!sections_ok(&p) || !hosts_ok(&p) || !entries_ok(&p) || !nodes_ok(&p) ||
	    !rules_ok(&p) || !credentials_ok(&p) || !rest_ok(&p)) {
		(void)err_set(e, 1, "compiled policy is damaged; compile it anew");
		return false;
	}
	*ret = p;
	return true;
}
