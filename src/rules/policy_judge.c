/* Which rule of an http entry decides a request.
 *
 * The entry's patterns stand in a trie over whole segments, with the literal segment and the whole-segment `*` as edges; what goes on with
 * a glob or `**` hangs as a tail on its node. Walking down a path visits at most two children a node, and a node at most once. Of all
 * rules that match, the one that stands first decides: the compiler put denies first and narrower before broader. */
#include "base/must.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"
#include "rules/policy_query.h"
#include "rules/policy_view.h"

enum met { UNMET, MET, UNCLEAR };

struct judge {
	const struct policy *p;
	const struct policy_request *r;
	const struct blob_rule *rules;
	uint32_t method;
	uint32_t best; /* the first rule that decides, so far; BLOB_NONE */
	bool best_unclear;
	bool path_listed; /* some allow rule has the path */
	bool method_listed; /* some allow rule has path and method */
};

static enum met query_met(const struct judge *j, const struct blob_condition *c)
{
	const struct blob_str *values =
		(const struct blob_str *)blob_at(j->p, BLOB_VALUES) + c->values.first;
	struct policy_query_value got;

	if (!j->r->has_query)
		return UNMET;
	switch (policy_query_find(j->r->query, blob_text(j->p, c->key), &got)) {
	case POLICY_QUERY_ABSENT:
		return UNMET;
	case POLICY_QUERY_UNCLEAR:
		return UNCLEAR;
	case POLICY_QUERY_ONCE:
		break;
	}
	for (uint32_t i = 0; i < c->values.n; i++)
		if (policy_value_match(blob_text(j->p, values[i]), bytes_of(got.p, got.len)))
			return MET;
	return UNMET;
}

static enum met conditions_met(const struct judge *j, const struct blob_rule *rule)
{
	const struct blob_condition *c =
		(const struct blob_condition *)blob_at(j->p, BLOB_CONDITIONS) +
		rule->conditions.first;
	enum met all = MET;

	for (uint32_t i = 0; i < rule->conditions.n; i++) {
		enum met met;

		if (c[i].kind == POLICY_CONDITION_QUERY)
			met = query_met(j, &c[i]);
		else
			met = j->r->has_header && j->r->has_header(j->r->headers,
								   blob_text(j->p, c[i].key))
				      ? MET
				      : UNMET;
		if (met == UNMET)
			return UNMET;
		if (met == UNCLEAR)
			all = UNCLEAR;
	}
	return all;
}

/* The path is one of this rule's: does the rule decide? */
static void consider(struct judge *j, uint32_t index)
{
	const struct blob_rule *rule = &j->rules[index];
	bool deny = rule->effect == POLICY_EFFECT_DENY_RULE;
	enum met met;

	if (index >= j->best)
		return;
	j->path_listed = j->path_listed || !deny;
	if (!(rule->methods & j->method))
		return;
	j->method_listed = j->method_listed || !deny;
	met = conditions_met(j, rule);
	if (met == UNMET)
		return;
	j->best = index;
	j->best_unclear = met == UNCLEAR;
}

static uint32_t edge_find(const struct judge *j, const struct blob_node *n, struct bytes segment)
{
	const struct blob_edge *edges =
		(const struct blob_edge *)blob_at(j->p, BLOB_EDGES) + n->edges.first;
	uint32_t low = 0, high = n->edges.n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = bytes_cmp(segment, blob_text(j->p, edges[mid].segment));

		if (c == 0)
			return n->first_child + mid;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return BLOB_NONE;
}

struct stop {
	uint32_t node;
	size_t off; /* where the next segment starts; past the path's end + 1: the path is used up */
};

static void walk_node(struct judge *j, const struct blob_node *n, bool done, struct bytes rest)
{
	const uint32_t *ends = (const uint32_t *)blob_at(j->p, BLOB_ENDS) + n->ends.first;
	const struct blob_tail *tails =
		(const struct blob_tail *)blob_at(j->p, BLOB_TAILS) + n->tails.first;

	if (done) {
		for (uint32_t i = 0; i < n->ends.n; i++)
			consider(j, ends[i]);
		return;
	}
	for (uint32_t i = 0; i < n->tails.n; i++)
		if (tails[i].rule < j->best &&
		    policy_path_match_tail(blob_text(j->p, tails[i].pattern), rest))
			consider(j, tails[i].rule);
}

static void walk(struct judge *j, uint32_t root, struct bytes path)
{
	const struct blob_node *nodes = blob_at(j->p, BLOB_NODES);
	/* each node pops one stop and pushes two at most, so a walk of depth d holds d + 1 */
	struct stop stack[POLICY_PATH_SEGMENTS_MAX + 2];
	unsigned n = 0;

	stack[n++] = (struct stop){ .node = root, .off = 1 };
	while (n > 0) {
		struct stop at = stack[--n];
		const struct blob_node *node = &nodes[at.node];
		bool done = at.off > path.len;
		struct bytes rest = done ? bytes_of(NULL, 0) : bytes_skip(path, at.off);
		struct bytes segment = bytes_of(rest.p, bytes_find(rest, '/'));
		uint32_t child;

		walk_node(j, node, done, rest);
		if (done)
			continue;
		child = edge_find(j, node, segment);
		must(n + 2 <= sizeof(stack) / sizeof(stack[0]));
		if (node->any_child != BLOB_NONE && segment.len > 0)
			stack[n++] = (struct stop){ .node = node->any_child,
						    .off = at.off + segment.len + 1 };
		if (child != BLOB_NONE)
			stack[n++] =
				(struct stop){ .node = child, .off = at.off + segment.len + 1 };
	}
}

static enum reason reason_of(const struct judge *j)
{
	if (j->best == BLOB_NONE) {
		if (!j->path_listed)
			return REASON_HTTP_PATH_UNLISTED;
		if (!j->method_listed && j->r->websocket)
			return REASON_UPGRADE_REFUSED;
		return j->method_listed ? REASON_HTTP_CONDITION : REASON_HTTP_METHOD_UNLISTED;
	}
	switch (j->rules[j->best].effect) {
	case POLICY_EFFECT_DENY_RULE:
		return REASON_HTTP_DENIED;
	case POLICY_EFFECT_DENY:
		return REASON_VERDICT_DENY;
	case POLICY_EFFECT_REVIEW:
		return j->best_unclear ? REASON_HTTP_CONDITION : REASON_REVIEW_UNAVAILABLE;
	default:
		return j->best_unclear ? REASON_HTTP_CONDITION : REASON_OK;
	}
}

void policy_judge(const struct policy *p, const struct policy_entry *e,
		  const struct policy_request *r, struct policy_verdict *ret)
{
	const struct blob_entry *entries = blob_at(p, BLOB_ENTRIES);
	const struct blob_entry *entry;
	struct judge j = {
		.p = p, .r = r, .best = BLOB_NONE, .method = r->websocket ? POLICY_METHOD_WEBSOCKET : policy_method_bit(r->method)
	};

	must(e->index < blob_n(p, BLOB_ENTRIES));
	entry = &entries[e->index];
	j.rules = (const struct blob_rule *)blob_at(p, BLOB_RULES) + entry->rules.first;
	if (entry->root != BLOB_NONE && r->path.len > 0 && r->path.p[0] == '/')
		walk(&j, entry->root, r->path);
	*ret = (struct policy_verdict){ .reason = reason_of(&j),
					.rule = blob_text(p, entry->name) };
	if (j.best != BLOB_NONE) {
		ret->rule = blob_text(p, j.rules[j.best].name);
		ret->class_name = blob_text(p, j.rules[j.best].class);
	}
	if (ret->reason == REASON_OK && entry->credential != BLOB_NONE && !blob_path_bound(p, entry->credential, r->path))
		ret->reason = REASON_CREDENTIAL_UNBOUND;
	ret->websocket = ret->reason == REASON_OK && r->websocket;
	if (ret->reason == REASON_OK && (entry->flags & BLOB_REFLECTIVE || j.rules[j.best].flags & BLOB_REFLECTIVE))
		ret->reflective = true;
	ret->observed = ret->reason != REASON_OK && (entry->flags & BLOB_OBSERVE);
}
