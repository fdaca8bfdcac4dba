/* Which rule of an entry decides a request of rest or gRPC: of all rules that match, the one that stands first. The compiler put denies first and
 * narrower before broader. */
#include "rules/policy_judge.h"

#include "base/must.h"
#include "rules/policy_git.h"
#include "rules/policy_json.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"
#include "rules/policy_query.h"
#include "rules/policy_spelling.h"
#include "rules/policy_walk.h"
#include "wire/credential_fields.h"
#include "wire/http1_fields.h"

struct judge {
	const struct policy *p;
	const struct blob_entry *e;
	const struct policy_request *r;
	const struct blob_rule *rules;
	uint32_t method;
	bool sure; /* a rule that allows decides only where its conditions are met */
	uint32_t best; /* the first rule that decides, so far; BLOB_NONE */
	enum policy_met best_met;
	enum reason unclear; /* why, when best_met is POLICY_UNCLEAR */
	bool path_listed; /* some allow rule has the path */
	bool method_listed; /* some allow rule has path and method */
};

static enum policy_met query_met(const struct policy *p, const struct policy_request *r, const struct blob_condition *c)
{
	const struct blob_str *values =
		(const struct blob_str *)blob_at(p, BLOB_VALUES) + c->values.first;
	struct policy_query_value got;

	if (r->form)
		return POLICY_UNCLEAR;
	if (!r->has_query)
		return POLICY_UNMET;
	switch (policy_query_find(r->query, blob_text(p, c->key), &got)) {
	case POLICY_QUERY_ABSENT:
		return POLICY_UNMET;
	case POLICY_QUERY_UNCLEAR:
		return POLICY_UNCLEAR;
	case POLICY_QUERY_ONCE:
		break;
	}
	for (uint32_t i = 0; i < c->values.n; i++)
		if (policy_value_match(blob_text(p, values[i]), bytes_of(got.p, got.len)))
			return POLICY_MET;
	return POLICY_UNMET;
}

/* Whole and uncoded (proxy/dress.h). Which rule decides is not known yet, and other spellings of the path have a say: one that scans is enough. */
static bool reads_answers(const struct policy *p, const struct blob_entry *e)
{
	const struct blob_rule *rules = (const struct blob_rule *)blob_at(p, BLOB_RULES) + e->rules.first;
	uint32_t flags = e->flags;

	for (uint32_t i = 0; i < e->rules.n; i++)
		flags |= rules[i].flags & BLOB_REFLECTIVE;
	return e->ai != POLICY_AI_NONE || (flags & BLOB_REFLECTIVE);
}

bool policy_field_dropped(struct bytes name)
{
	/* written anew, but with the same meaning */
	static const char *const remade[] = { "host", "content-length", "transfer-encoding" };

	for (size_t i = 0; i < sizeof(remade) / sizeof(remade[0]); i++)
		if (bytes_ieq(name, bytes_str(remade[i])))
			return false;
	return http1_request_field(name) != HTTP1_FORWARD;
}

bool policy_field_taken(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, struct bytes name)
{
	return (r->bare && credential_field(name)) || (http1_asks_otherwise(name) && reads_answers(p, e));
}

/* One that came, but does not go, is there to a deny and is not to what allows. */
static enum policy_met header_met(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, struct bytes name)
{
	bool came = r->has_header && r->has_header(r->headers, name);

	if (came && !policy_field_taken(p, e, r, name))
		return POLICY_MET;
	return came || (r->has_like && r->has_like(r->headers, name)) ? POLICY_UNCLEAR : POLICY_UNMET;
}

static enum policy_met json_met(const struct policy *p, const struct policy_request *r, const struct blob_condition *c)
{
	const struct blob_str *values = (const struct blob_str *)blob_at(p, BLOB_VALUES) + c->values.first;
	const struct policy_body *b = r->body;

	if (!b)
		return POLICY_PENDING;
	if (b->state != POLICY_BODY_READ || c->slot >= b->n_values)
		return POLICY_UNCLEAR;
	for (uint32_t i = 0; i < c->values.n; i++)
		if (policy_json_match(blob_text(p, values[i]), &b->values[c->slot]))
			return POLICY_MET;
	return POLICY_UNMET;
}

enum policy_met policy_condition_met(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, const struct blob_condition *c)
{
	switch (c->kind) {
	case POLICY_CONDITION_QUERY:
		return query_met(p, r, c);
	case POLICY_CONDITION_HEADER:
		return header_met(p, e, r, blob_text(p, c->key));
	case POLICY_CONDITION_JSON:
		return json_met(p, r, c);
	default:
		return POLICY_UNMET;
	}
}

/* One that is not met settles it, whatever the others are. *ret_unclear is why a condition is unclear. */
static enum policy_met conditions_met(const struct judge *j, const struct blob_rule *rule, enum reason *ret_unclear)
{
	const struct blob_condition *c =
		(const struct blob_condition *)blob_at(j->p, BLOB_CONDITIONS) +
		rule->conditions.first;
	enum policy_met all = POLICY_MET;

	for (uint32_t i = 0; i < rule->conditions.n; i++) {
		enum policy_met met = policy_condition_met(j->p, j->e, j->r, &c[i]);

		if (met == POLICY_UNMET)
			return POLICY_UNMET;
		if (met == POLICY_UNCLEAR)
			*ret_unclear = c[i].kind == POLICY_CONDITION_JSON ? policy_body_reason(j->r->body->state) : REASON_HTTP_CONDITION;
		all = met > all ? met : all;
	}
	return all;
}

/* The path is one of this rule's: does the rule decide? */
static void consider(void *owner, uint32_t index)
{
	struct judge *j = owner;
	const struct blob_rule *rule = &j->rules[index];
	bool deny = rule->effect == POLICY_EFFECT_DENY_RULE;
	enum reason unclear = REASON_HTTP_CONDITION;
	enum policy_met met;

	if (index >= j->best)
		return;
	j->path_listed = j->path_listed || !deny;
	if (!(rule->methods & j->method))
		return;
	j->method_listed = j->method_listed || !deny;
	met = conditions_met(j, rule, &unclear);
	if (met == POLICY_UNMET || (j->sure && rule->effect == POLICY_EFFECT_ALLOW && met != POLICY_MET))
		return;
	j->best = index;
	j->best_met = met;
	j->unclear = unclear;
}

enum reason policy_effect_reason(enum policy_effect effect)
{
	switch (effect) {
	case POLICY_EFFECT_ALLOW:
		return REASON_OK;
	case POLICY_EFFECT_REVIEW:
		return REASON_REVIEW_UNAVAILABLE;
	case POLICY_EFFECT_DENY_RULE:
		return REASON_HTTP_DENIED;
	case POLICY_EFFECT_DENY:
	case POLICY_EFFECT_END:
		break;
	}
	return REASON_VERDICT_DENY;
}

enum reason policy_body_reason(enum policy_body_state state)
{
	switch (state) {
	case POLICY_BODY_TOO_LARGE:
		return REASON_BODY_TOO_LARGE;
	case POLICY_BODY_IS_CODED:
		return REASON_BODY_CODED;
	case POLICY_BODY_UNCLEAR:
		return REASON_BODY_AMBIGUOUS;
	case POLICY_BODY_READ:
	case POLICY_BODY_UNPARSABLE:
		break;
	}
	return REASON_BODY_NOT_PARSABLE;
}

static enum reason reason_of(const struct judge *j)
{
	enum reason r;

	if (j->best == BLOB_NONE) {
		if (!j->path_listed)
			return REASON_HTTP_PATH_UNLISTED;
		if (!j->method_listed && j->r->websocket)
			return REASON_UPGRADE_REFUSED;
		return j->method_listed ? REASON_HTTP_CONDITION : REASON_HTTP_METHOD_UNLISTED;
	}
	if (j->best_met == POLICY_PENDING)
		return REASON_BODY_NEEDED;
	/* what cannot be told is never allowed, and fires a deny */
	r = policy_effect_reason((enum policy_effect)j->rules[j->best].effect);
	if (j->best_met == POLICY_UNCLEAR && (r == REASON_OK || r == REASON_REVIEW_UNAVAILABLE || j->unclear != REASON_HTTP_CONDITION))
		return j->unclear;
	return r;
}

static enum reason judge_rest(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, bool sure, uint32_t *ret_best,
			      enum policy_needs *ret_needs)
{
	struct judge j = { .p = p, .e = e, .r = r, .sure = sure, .best = BLOB_NONE };

	j.method = r->websocket ? (uint32_t)POLICY_METHOD_WEBSOCKET : policy_method_bit(r->method);
	j.rules = (const struct blob_rule *)blob_at(p, BLOB_RULES) + e->rules.first;
	policy_walk(p, e, r->path, &j.best, consider, &j);
	*ret_best = j.best;
	*ret_needs = j.best != BLOB_NONE && j.best_met == POLICY_PENDING ? POLICY_NEEDS_JSON : POLICY_NEEDS_NOTHING;
	return reason_of(&j);
}

/* What one spelling of the path gets. */
struct answer {
	enum reason reason;
	enum policy_needs needs;
	uint32_t best;
	uint32_t flags; /* of the rule that decided */
};

static struct answer judge_one(const struct policy *p, const struct blob_entry *e, const struct policy_request *r)
{
	struct answer a = { .best = BLOB_NONE };

	if (e->protocol == POLICY_GIT)
		a.reason = policy_judge_git(p, e, r, &a.best, &a.needs);
	else
		a.reason = judge_rest(p, e, r, false, &a.best, &a.needs);
	if (a.best != BLOB_NONE)
		a.flags = ((const struct blob_rule *)blob_at(p, BLOB_RULES))[e->rules.first + a.best].flags;
	return a;
}

/* What the body may still refuse stands below what is refused already. */
static unsigned strictness(enum reason r)
{
	return r == REASON_OK ? 0 : r == REASON_REVIEW_UNAVAILABLE ? 1 : r == REASON_BODY_NEEDED ? 2 : 3;
}

enum { HELD_BACK = 1, HELD_TO_SCAN = 2 };

/* What rules of the method do beside allowing. */
static unsigned held(const struct policy *p, const struct blob_entry *e, const struct policy_request *r)
{
	const struct blob_rule *rules = (const struct blob_rule *)blob_at(p, BLOB_RULES) + e->rules.first;
	uint32_t method = r->websocket ? (uint32_t)POLICY_METHOD_WEBSOCKET : policy_method_bit(r->method);
	unsigned all = 0;

	for (uint32_t i = 0; i < e->rules.n; i++) {
		if (e->protocol != POLICY_GIT && !(rules[i].methods & method))
			continue;
		all |= rules[i].effect != POLICY_EFFECT_ALLOW ? HELD_BACK : rules[i].flags & BLOB_REFLECTIVE ? HELD_TO_SCAN : 0;
	}
	return all;
}

struct sought_rule {
	uint32_t index;
	bool found;
};

static void notice(void *owner, uint32_t index)
{
	struct sought_rule *s = owner;

	s->found = s->found || index == s->index;
}

static bool allows(const struct policy *p, const struct blob_entry *e, uint32_t rule)
{
	return ((const struct blob_rule *)blob_at(p, BLOB_RULES))[e->rules.first + rule].effect == POLICY_EFFECT_ALLOW;
}

/* A rule must have that spelling, `q`: one that no rule has is nothing against the path as it came, which some rule allows. Where what differs is the slash at
 * the end, one that allows has what it lists, and matters only as far as it may stand before one that holds back; and a rule that has the path as it came, too,
 * was heard already: below one that holds back all paths /simple/ may be listed. */
static bool has_a_say(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, const struct policy_spelling *s,
		      const struct policy_request *q, uint32_t rule)
{
	struct sought_rule sought = { .index = rule };
	const uint32_t none = BLOB_NONE;
	enum policy_needs needs;

	if (rule == BLOB_NONE || !s->without_end)
		return rule != BLOB_NONE;
	if (allows(p, e, rule) && e->protocol != POLICY_GIT)
		(void)judge_rest(p, e, q, true, &sought.index, &needs);
	if (sought.index == BLOB_NONE || allows(p, e, sought.index))
		return false;
	policy_walk(p, e, r->path, &none, notice, &sought);
	return !sought.found;
}

/* The host may read the path in another spelling, so the strictest answer to any of them is the answer. */
static void judge_spellings(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, struct answer *all)
{
	unsigned how = held(p, e, r);
	struct policy_request q = *r;
	struct policy_spelling s;

	if (!how)
		return;
	if (!policy_spelling_start(&s, r->path)) {
		all->flags |= BLOB_REFLECTIVE;
		if (how & HELD_BACK)
			*all = (struct answer){ .reason = REASON_HTTP_SLASHES, .best = BLOB_NONE };
		return;
	}
	while (strictness(all->reason) < strictness(REASON_HTTP_DENIED) && policy_spelling_next(&s, &q.path)) {
		struct answer a = judge_one(p, e, &q);
		bool say = has_a_say(p, e, r, &s, &q, a.best);
		uint32_t flags = all->flags | (a.flags & BLOB_REFLECTIVE); /* whatever else it says, the host may take the one for the other */

		if (say && strictness(a.reason) > strictness(all->reason))
			*all = a;
		all->flags = flags;
	}
}

bool policy_judge_other(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, struct policy_spelling *s, struct bytes *ret)
{
	struct policy_request q = *r;
	unsigned strictest = 0;
	uint32_t at = 0;

	if (!policy_spelling_start(s, r->path))
		return false;
	while (policy_spelling_next(s, &q.path)) {
		struct answer a = judge_one(p, e, &q);

		if (!has_a_say(p, e, r, s, &q, a.best) || strictness(a.reason) <= strictest)
			continue;
		strictest = strictness(a.reason);
		at = s->i;
	}
	if (!at)
		return false;
	s->i = at - 1;
	return policy_spelling_next(s, ret);
}

void policy_judge(const struct policy *p, const struct policy_entry *e,
		  const struct policy_request *r, struct policy_verdict *ret)
{
	const struct blob_rule *rules = blob_at(p, BLOB_RULES);
	const struct blob_entry *entry;
	struct policy_verdict v = { 0 };
	struct answer a;

	must(e->index < blob_n(p, BLOB_ENTRIES));
	entry = (const struct blob_entry *)blob_at(p, BLOB_ENTRIES) + e->index;
	a = judge_one(p, entry, r);
	if (strictness(a.reason) < strictness(REASON_HTTP_DENIED) && policy_spelling_any(r->path))
		judge_spellings(p, entry, r, &a);
	v.reason = a.reason;
	v.needs = a.needs;
	v.rule = blob_text(p, entry->name);
	if (a.best != BLOB_NONE) {
		v.rule = blob_text(p, rules[entry->rules.first + a.best].name);
		v.rule_number = entry->rules.first + a.best + 1;
		v.class_name = blob_text(p, rules[entry->rules.first + a.best].class);
	}
	if (v.reason == REASON_OK && entry->credential != BLOB_NONE &&
	    !blob_request_bound(p, entry->credential, (enum policy_protocol)entry->protocol, r))
		v.reason = REASON_CREDENTIAL_UNBOUND;
	v.reflective = v.reason == REASON_OK && ((entry->flags | a.flags) & BLOB_REFLECTIVE);
	v.websocket = v.reason == REASON_OK && r->websocket;
	v.observed = v.reason != REASON_OK && v.needs == POLICY_NEEDS_NOTHING && (entry->flags & BLOB_OBSERVE);
	*ret = v;
}
