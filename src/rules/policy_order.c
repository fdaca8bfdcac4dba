/* What the rules of one entry mean beside each other, and in which order they decide.
 *
 * Denies come first. Of the others, a rule whose requests are all requests of another is the narrower one and decides for them, so the
 * order of decision is: narrower before broader, and among the rest by content, which makes the order of the file meaningless. That
 * is only sound when every two rules with a request in common either nest or agree, so whatever does not is refused:
 *
 *   - both are the same requests: a duplicate
 *   - they overlap without nesting, with another class
 *   - the narrower one has the class of the broader one that it would have without it: it changes nothing
 *   - the narrower one is as strict or stricter, but lists fewer methods: the rest stays granted on its paths, which its author hardly meant
 *   - a deny that no granted request meets, and a rule that denies cover wholly */
#include <stdlib.h>

#include "rules/policy_field.h"
#include "rules/policy_git.h"
#include "rules/policy_json.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"

static bool is_deny(const struct model_rule *r)
{
	return r->effect == POLICY_EFFECT_DENY_RULE;
}

static int texts_cmp(const struct model_text *a, uint32_t n_a, const struct model_text *b,
		     uint32_t n_b)
{
	for (uint32_t i = 0; i < n_a && i < n_b; i++) {
		int c = bytes_cmp(a[i].text, b[i].text);

		if (c)
			return c;
	}
	return n_a < n_b ? -1 : n_a > n_b;
}

static int conditions_cmp(const struct model_rule *a, const struct model_rule *b)
{
	for (uint32_t i = 0; i < a->n_conditions && i < b->n_conditions; i++) {
		const struct model_condition *x = &a->conditions[i], *y = &b->conditions[i];
		int c = (int)x->kind - (int)y->kind;

		if (c == 0)
			c = bytes_cmp(x->key.text, y->key.text);
		if (c == 0)
			c = texts_cmp(x->values, x->n_values, y->values, y->n_values);
		if (c)
			return c;
	}
	return a->n_conditions < b->n_conditions ? -1 : a->n_conditions > b->n_conditions;
}

int model_rule_cmp(const struct model_rule *a, const struct model_rule *b)
{
	int c = (int)is_deny(b) - (int)is_deny(a);

	if (c == 0)
		c = texts_cmp(a->paths, a->n_paths, b->paths, b->n_paths);
	if (c == 0)
		c = conditions_cmp(a, b);
	if (c == 0 && a->methods != b->methods)
		c = a->methods < b->methods ? -1 : 1;
	if (c == 0)
		c = (int)a->class - (int)b->class;
	return c ? c : (int)a->flags - (int)b->flags;
}

static int rule_cmp(const void *a, const void *b)
{
	const struct model_rule *x = a, *y = b;
	int c = model_rule_cmp(x, y);

	if (c == 0)
		c = x->at.line < y->at.line ? -1 : x->at.line > y->at.line;
	return c ? c : (x->at.column < y->at.column ? -1 : 1);
}

static const struct model_condition *condition_of(const struct model_rule *r,
						  const struct model_condition *like)
{
	for (uint32_t i = 0; i < r->n_conditions; i++)
		if (r->conditions[i].kind == like->kind &&
		    bytes_eq(r->conditions[i].key.text, like->key.text))
			return &r->conditions[i];
	return NULL;
}

struct order {
	struct model *m;
	struct model_entry *e;
	uint32_t n;
	uint8_t *inside; /* n x n: [i * n + k] != 0: rule i is wholly inside rule k */
};

static bool has_star(struct bytes text)
{
	return bytes_find(text, '*') < text.len;
}

static bool over(const struct order *o)
{
	return o->m->work > POLICY_WORK_MAX;
}

/* False: comparing has cost too much, and what it would say does not count any more: the policy is refused. */
static bool spend(const struct order *o, uint64_t work)
{
	o->m->work += work;
	return !over(o);
}

#define KEY_COST 4ULL /* of comparing two keys of conditions */
enum { LINE_COST = 16 /* bytes that a pattern is longer by, for what a comparison costs whatever its length */ };

/* Of paths affordable() has counted what stars cost. */
static uint64_t value_cost(struct bytes a, struct bytes b)
{
	return has_star(a) || has_star(b) ? (uint64_t)(a.len + LINE_COST) * (b.len + LINE_COST) : 1;
}

static bool value_contains(const struct model_condition *c, struct bytes outer, struct bytes inner)
{
	return c->kind == POLICY_CONDITION_REF ? policy_path_contains(outer, inner) : policy_value_contains(outer, inner);
}

static bool value_overlaps(const struct model_condition *c, struct bytes a, struct bytes b)
{
	return c->kind == POLICY_CONDITION_REF ? policy_path_overlaps(a, b) : policy_value_overlaps(a, b);
}

static bool same_values(const struct model_condition *a, const struct model_condition *b)
{
	return a->n_values == b->n_values && texts_cmp(a->values, a->n_values, b->values, b->n_values) == 0;
}

static bool has_value(const struct order *o, const struct model_condition *outer, struct bytes value)
{
	for (uint32_t i = 0; i < outer->n_values && spend(o, value_cost(outer->values[i].text, value)); i++)
		if (value_contains(outer, outer->values[i].text, value))
			return true;
	return false;
}

static bool values_contain(const struct order *o, const struct model_condition *outer, const struct model_condition *inner)
{
	if (same_values(outer, inner)) /* `models` stands in many rules */
		return true;
	for (uint32_t i = 0; i < inner->n_values; i++)
		if (!has_value(o, outer, inner->values[i].text))
			return false;
	return true;
}

/* Whoever meets the conditions of `inner` meets those of `outer`. */
static bool conditions_contain(const struct order *o, const struct model_rule *outer, const struct model_rule *inner)
{
	if (!spend(o, KEY_COST * outer->n_conditions * inner->n_conditions)) /* to find each one's partner */
		return false;
	for (uint32_t i = 0; i < outer->n_conditions; i++) {
		const struct model_condition *c = condition_of(inner, &outer->conditions[i]);

		if (!c || !values_contain(o, &outer->conditions[i], c))
			return false;
	}
	return true;
}

static bool values_overlap(const struct order *o, const struct model_condition *x, const struct model_condition *y)
{
	for (uint32_t i = 0; i < x->n_values; i++)
		for (uint32_t k = 0; k < y->n_values && spend(o, value_cost(x->values[i].text, y->values[k].text)); k++)
			if (value_overlaps(x, x->values[i].text, y->values[k].text))
				return true;
	return false;
}

static bool conditions_overlap(const struct order *o, const struct model_rule *a, const struct model_rule *b)
{
	if (!spend(o, KEY_COST * a->n_conditions * b->n_conditions))
		return false;
	for (uint32_t i = 0; i < a->n_conditions; i++) {
		const struct model_condition *x = &a->conditions[i], *y = condition_of(b, x);

		if (y && x->kind != POLICY_CONDITION_HEADER && !values_overlap(o, x, y))
			return false;
	}
	return true;
}

static bool has_path(const struct order *o, const struct model_rule *outer, struct bytes path)
{
	for (uint32_t i = 0; i < outer->n_paths && spend(o, 1); i++)
		if (policy_path_contains(outer->paths[i].text, path))
			return true;
	return false;
}

static bool paths_contain(const struct order *o, const struct model_rule *outer, const struct model_rule *inner)
{
	for (uint32_t i = 0; i < inner->n_paths; i++)
		if (!has_path(o, outer, inner->paths[i].text))
			return false;
	return true;
}

static bool paths_overlap(const struct order *o, const struct model_rule *a, const struct model_rule *b)
{
	for (uint32_t i = 0; i < a->n_paths; i++)
		for (uint32_t k = 0; k < b->n_paths && spend(o, 1); k++)
			if (policy_path_overlaps(a->paths[i].text, b->paths[k].text))
				return true;
	return false;
}

static bool contains(const struct order *o, const struct model_rule *outer, const struct model_rule *inner)
{
	return (inner->methods & ~outer->methods) == 0 && paths_contain(o, outer, inner) && conditions_contain(o, outer, inner);
}

static bool overlaps(const struct order *o, const struct model_rule *a, const struct model_rule *b)
{
	return (a->methods & b->methods) && conditions_overlap(o, a, b) && paths_overlap(o, a, b);
}

static bool inside(const struct order *o, uint32_t i, uint32_t k)
{
	return o->inside[(size_t)i * o->n + k];
}

/* One method of path `p` of rule `r` is denied, or decided by a rule as strict inside `broad`. */
static bool covered(const struct order *o, uint32_t narrow, uint32_t broad, uint32_t method,
		    struct bytes path)
{
	const struct model_rule *rules = o->e->rules;

	for (uint32_t k = 0; k < o->n && spend(o, 1); k++) {
		const struct model_rule *r = &rules[k];

		if (k == narrow || k == broad || !(r->methods & method))
			continue;
		if (!is_deny(r) && (!inside(o, k, broad) || r->effect < rules[narrow].effect))
			continue;
		if (conditions_contain(o, r, &rules[narrow]) && has_path(o, r, path))
			return true;
	}
	return false;
}

/* The narrower rule is not looser: everything that the broader one grants on its paths must be said. */
static bool check_tightening(const struct order *o, uint32_t narrow, uint32_t broad)
{
	const struct model_rule *r = &o->e->rules[narrow], *b = &o->e->rules[broad];
	uint32_t more = b->methods & ~r->methods;

	for (uint32_t i = 0; i < r->n_paths; i++) {
		uint32_t open = 0;
		BUF_AUTO struct buf text = { .max = 512 };
		char shown[FIELD_SHOW_MAX];

		for (uint32_t bit = 1; bit && bit <= POLICY_METHOD_OTHER; bit <<= 1)
			if ((more & bit) && !covered(o, narrow, broad, bit, r->paths[i].text))
				open |= bit;
		if (!open || over(o))
			continue;
		policy_acts_text(o->e->protocol, open, &text);
		model_error(
			o->m, r->methods_at,
			"%s on %s stays allowed by the rule on line %u; list it here, or write a deny for it",
			buf_cstr(&text), field_show(r->paths[i].text, shown), b->at.line);
		return false;
	}
	return true;
}

/* No third rule stands between them, so that without the narrower one the broader one decides. */
static bool next_to(const struct order *o, uint32_t narrow, uint32_t broad)
{
	for (uint32_t k = 0; k < o->n; k++)
		if (k != narrow && k != broad && inside(o, narrow, k) && inside(o, k, broad))
			return false;
	return true;
}

/* What becomes of a request that the rule decides. */
static bool says_same(const struct model_rule *a, const struct model_rule *b)
{
	return a->class == b->class && a->flags == b->flags;
}

static void check_nested(const struct order *o, uint32_t narrow, uint32_t broad)
{
	const struct model_rule *r = &o->e->rules[narrow], *b = &o->e->rules[broad];

	if (says_same(r, b) && next_to(o, narrow, broad))
		model_error(
			o->m, r->at,
			"this rule changes nothing: the rule on line %u says the same for all its requests; remove one",
			b->at.line);
	else if (r->effect >= b->effect && r->class != b->class)
		(void)check_tightening(o, narrow, broad);
}

static struct place later(const struct model_rule *a, const struct model_rule *b,
			  const struct model_rule **ret_earlier)
{
	bool a_later =
		a->at.line != b->at.line ? a->at.line > b->at.line : a->at.column > b->at.column;

	*ret_earlier = a_later ? b : a;
	return a_later ? a->at : b->at;
}

static void check_pair(const struct order *o, uint32_t i, uint32_t k)
{
	const struct model_rule *a = &o->e->rules[i], *b = &o->e->rules[k], *earlier;
	struct place at = later(a, b, &earlier);

	if (inside(o, i, k) && inside(o, k, i))
		model_error(o->m, at,
			    "the rule on line %u is about the same requests; keep one of them",
			    earlier->at.line);
	else if (is_deny(a) && (inside(o, i, k) || inside(o, k, i)))
		model_error(o->m, inside(o, i, k) ? a->at : b->at,
			    "this deny changes nothing: the one on line %u covers it; remove it",
			    inside(o, i, k) ? b->at.line : a->at.line);
	else if (inside(o, i, k))
		check_nested(o, i, k);
	else if (inside(o, k, i))
		check_nested(o, k, i);
	else if (!is_deny(a) && !says_same(a, b) && overlaps(o, a, b))
		model_error(
			o->m, at,
			"rules disagree: some requests are of this rule and of the one on line %u, with another class or flag, and neither is the narrower; "
			"make one a part of the other, or split off what they share",
			earlier->at.line);
}

static void check_deny(const struct order *o, const struct model_rule *deny)
{
	for (uint32_t k = 0; k < o->n; k++)
		if (!is_deny(&o->e->rules[k]) && overlaps(o, deny, &o->e->rules[k]))
			return;
	if (over(o))
		return;
	model_error(
		o->m, deny->at,
		"this deny can never fire: no rule of the entry allows what it forbids; remove it, or mend its methods and paths");
}

static bool denied(const struct order *o, const struct model_rule *r, uint32_t method,
		   struct bytes path)
{
	for (uint32_t k = 0; k < o->n; k++) {
		const struct model_rule *deny = &o->e->rules[k];

		if (is_deny(deny) && (deny->methods & method) && conditions_contain(o, deny, r) &&
		    has_path(o, deny, path))
			return true;
	}
	return false;
}

static void check_allow(const struct order *o, const struct model_rule *r)
{
	for (uint32_t bit = 1; bit && bit <= POLICY_METHOD_OTHER; bit <<= 1)
		for (uint32_t i = 0; i < r->n_paths; i++)
			if ((r->methods & bit) && !denied(o, r, bit, r->paths[i].text))
				return;
	model_error(
		o->m, r->at,
		"this rule can never match: denies cover all of it; remove it, or mend the denies");
}

/* Denies, then repeatedly the first rule by content that has no rule inside it left. */
static void sort_rules(const struct order *o)
{
	struct model_rule *sorted = arena_alloc(o->m->arena, o->n, sizeof(*sorted));
	uint32_t *left = arena_alloc(o->m->arena, o->n, sizeof(*left));
	uint32_t done = 0;

	if (!sorted || !left)
		return;
	for (uint32_t i = 0; i < o->n; i++)
		for (uint32_t k = 0; k < o->n; k++)
			left[i] += k != i && !is_deny(&o->e->rules[i]) && inside(o, k, i) &&
				   !is_deny(&o->e->rules[k]);
	while (done < o->n) {
		uint32_t i = 0;

		while (i < o->n && left[i] != 0)
			i++;
		if (i == o->n)
			return; /* only a cycle of equal rules does this, and those are refused */
		sorted[done++] = o->e->rules[i];
		left[i] = UINT32_MAX;
		for (uint32_t k = 0; k < o->n; k++)
			if (k != i && left[k] != 0 && left[k] != UINT32_MAX && inside(o, i, k) &&
			    !is_deny(&o->e->rules[i]))
				left[k]--;
	}
	o->e->rules = sorted;
}

static void name_condition(const struct model_condition *c, struct buf *text)
{
	char shown[FIELD_SHOW_MAX];

	switch (c->kind) {
	case POLICY_CONDITION_QUERY:
		buf_fmt(text, " ?%s", field_show(c->key.text, shown));
		return;
	case POLICY_CONDITION_HEADER:
		buf_fmt(text, " header %s", field_show(c->key.text, shown));
		return;
	case POLICY_CONDITION_JSON:
		buf_fmt(text, " json %s", field_show(c->key.text, shown));
		return;
	case POLICY_CONDITION_REF:
		buf_fmt(text, " %s", field_show(bytes_skip(c->values[0].text, 1), shown));
		if (c->n_values > 1)
			buf_fmt(text, " (+%u)", c->n_values - 1);
		return;
	case POLICY_CONDITION_END:
		return;
	}
}

static void name_rule(struct model *m, const struct model_entry *e, struct model_rule *r)
{
	BUF_AUTO struct buf text = { .max = 1024 };
	char shown[FIELD_SHOW_MAX];

	buf_fmt(&text, "%.*s: %s ", (int)e->name.text.len, (const char *)e->name.text.p,
		is_deny(r) ? "deny" : m->classes[r->class].name);
	policy_acts_text(e->protocol, r->methods, &text);
	buf_fmt(&text, " %s", field_show(r->paths[0].text, shown));
	if (r->n_paths > 1)
		buf_fmt(&text, " (+%u)", r->n_paths - 1);
	for (uint32_t i = 0; i < r->n_conditions && i < 3; i++)
		name_condition(&r->conditions[i], &text);
	r->name = arena_copy(m->arena, buf_view(&text));
}

enum { SHARED_MAX = 200 /* bytes of a name that others have, too: its place has to fit behind them wherever names are cut */ };

/* What a name leaves out may be all that tells two rules apart: where they stand does. */
static void tell_apart(struct model *m, const struct model_entry *e)
{
	enum { OWN, SHARED, SHARED_LINE };
	BUF_AUTO struct buf text = { .max = 1024 + 32 };
	uint8_t *name = arena_alloc(m->arena, e->n_rules, sizeof(*name));

	if (!name)
		return;
	for (uint32_t i = 0; i < e->n_rules; i++)
		for (uint32_t k = 0; k < e->n_rules && name[i] != SHARED_LINE; k++)
			if (i != k && bytes_eq(e->rules[i].name, e->rules[k].name))
				name[i] = e->rules[i].at.line == e->rules[k].at.line ? SHARED_LINE : SHARED;
	for (uint32_t i = 0; i < e->n_rules; i++) {
		struct model_rule *r = &e->rules[i];

		if (name[i] == OWN)
			continue;
		buf_reset(&text);
		buf_bytes(&text, bytes_of(r->name.p, r->name.len < SHARED_MAX ? r->name.len : SHARED_MAX));
		buf_fmt(&text, r->name.len > SHARED_MAX ? "... (line %u" : " (line %u", r->at.line);
		if (name[i] == SHARED_LINE)
			buf_fmt(&text, ", column %u", r->at.column);
		buf_byte(&text, ')');
		r->name = arena_copy(m->arena, buf_view(&text));
	}
}

/* The values of `models` stand in many rules, and are compared with themselves alone (same_values). */
static bool stands_before(const struct model_entry *e, uint32_t rule, const struct model_text *values)
{
	for (uint32_t i = 0; i < rule; i++)
		for (uint32_t k = 0; k < e->rules[i].n_conditions; k++)
			if (e->rules[i].conditions[k].values == values)
				return true;
	return false;
}

static uint64_t cost_of_values(const struct model_entry *e)
{
	uint64_t all = 0, starred = 0, n = 0;

	for (uint32_t i = 0; i < e->n_rules; i++)
		for (uint32_t k = 0; k < e->rules[i].n_conditions; k++) {
			const struct model_condition *c = &e->rules[i].conditions[k];

			if (c->n_values == 0 || (bytes_is(c->key.text, POLICY_JSON_MODEL) && stands_before(e, i, c->values)))
				continue;
			n += c->n_values;
			for (uint32_t v = 0; v < c->n_values; v++) {
				all += c->values[v].text.len + LINE_COST;
				starred += has_star(c->values[v].text) ? c->values[v].text.len + LINE_COST : 0;
			}
		}
	return all * starred + n * n;
}

/* Two patterns without stars are told apart at a glance; the others take the product of their lengths. */
static uint64_t cost_of_paths(const struct model_entry *e)
{
	uint64_t all = 0, starred = 0, n = 0;

	for (uint32_t i = 0; i < e->n_rules; i++) {
		n += e->rules[i].n_paths;
		for (uint32_t k = 0; k < e->rules[i].n_paths; k++) {
			struct bytes path = e->rules[i].paths[k].text;

			all += path.len;
			starred += has_star(path) ? path.len : 0;
		}
	}
	return all * starred + n * n;
}

/* Before anything is compared. */
static bool affordable(struct model *m, const struct model_entry *e)
{
	uint64_t paths = cost_of_paths(e), values = cost_of_values(e);

	m->work += paths + values;
	if (m->work <= POLICY_WORK_MAX)
		return true;
	model_error(m, e->at, "too many %s to compare with each other; split the entry by host, or use fewer and wider patterns",
		    paths > values ? "patterns of paths" : "values of conditions");
	return false;
}

/* What was compared more than once counts, too. */
static bool was_affordable(const struct order *o)
{
	if (!over(o))
		return true;
	model_error(o->m, o->e->at, "too many paths and values of conditions to compare with each other; split the entry by host, or use fewer and wider patterns");
	return false;
}

static void check_pairs(const struct order *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		for (uint32_t k = i + 1; k < o->n && !over(o); k++)
			if (is_deny(&o->e->rules[i]) == is_deny(&o->e->rules[k]))
				check_pair(o, i, k);
	for (uint32_t i = 0; i < o->n && !over(o); i++)
		if (is_deny(&o->e->rules[i]))
			check_deny(o, &o->e->rules[i]);
		else
			check_allow(o, &o->e->rules[i]);
}

void policy_order(struct model *m, struct model_entry *e)
{
	struct order o = { .m = m, .e = e, .n = e->n_rules };

	if (o.n == 0 || !affordable(m, e))
		return;
	qsort(e->rules, o.n, sizeof(*e->rules), rule_cmp);
	o.inside = arena_alloc(m->arena, (size_t)o.n * o.n, 1);
	if (!o.inside)
		return;
	for (uint32_t i = 0; i < o.n; i++)
		for (uint32_t k = 0; k < o.n; k++)
			o.inside[(size_t)i * o.n + k] =
				i != k && is_deny(&e->rules[i]) == is_deny(&e->rules[k]) &&
				contains(&o, &e->rules[k], &e->rules[i]);
	if (!was_affordable(&o))
		return;
	check_pairs(&o);
	if (!was_affordable(&o))
		return;
	sort_rules(&o);
	for (uint32_t i = 0; i < o.n; i++)
		name_rule(m, e, &e->rules[i]);
	tell_apart(m, e);
}
