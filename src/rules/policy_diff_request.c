/* Requests are compared pattern by pattern: a pattern with a method is granted by the other policy when an allowing rule contains it
 * and no rule that decides before that one may refuse some of it, unless the new policy has such a rule too, and where it decides:
 * before the rule whose pattern this is. Where conditions cannot be told a rule refuses, even one that allows. */
#include "rules/policy_diff_request.h"

#include <stdlib.h>

#include "base/json_out.h"
#include "rules/policy_git.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"
#include "rules/policy_spelling.h"

enum { LINE_MAX_LEN = 2048, TOLD_MAX = 4 * 1024 * 1024, VALUES_SHOWN = 256 };

/* What is asked of a rule: that it lets a request pass, also with push options, also without a look at the answer. */
enum ask { ASK_REACH, ASK_OPTIONS, ASK_UNSCANNED, ASKS };

struct grant {
	struct bytes pattern;
	uint32_t rule;
};

/* All patterns of one entry with their rules. */
struct grants {
	const struct policy *p;
	const struct blob_entry *e;
	struct buf text;
	struct grant *v;
	size_t n;
	bool failed;
};

static const struct blob_rule *rule_of(const struct grants *g, uint32_t i)
{
	return (const struct blob_rule *)blob_at(g->p, BLOB_RULES) + g->e->rules.first + i;
}

static void grants_add(struct grants *g, struct bytes path, struct bytes tail, uint32_t rule)
{
	struct grant *v = g->failed ? NULL : realloc(g->v, (g->n + 1) * sizeof(*v));

	if (!v) {
		g->failed = true;
		return;
	}
	g->v = v;
	/* offsets for now: the text may still move */
	v[g->n++] = (struct grant){ .pattern = { NULL, path.len + tail.len }, .rule = rule };
	buf_bytes(&g->text, path);
	buf_bytes(&g->text, tail);
}

struct climb {
	uint32_t node;
	uint32_t next; /* child to visit: edges, then the any child */
	size_t path_len; /* of this node's own path */
};

/* "/a/b" for a node whose patterns end there; tails go on behind "/a/b/". */
static void grants_node(struct grants *g, const struct blob_node *n, struct buf *path)
{
	const uint32_t *ends = (const uint32_t *)blob_at(g->p, BLOB_ENDS) + n->ends.first;
	const struct blob_tail *tails =
		(const struct blob_tail *)blob_at(g->p, BLOB_TAILS) + n->tails.first;

	for (uint32_t i = 0; i < n->ends.n; i++)
		grants_add(g, buf_view(path), bytes_of(NULL, 0), ends[i]);
	if (n->tails.n == 0 || !buf_byte(path, '/'))
		return;
	for (uint32_t i = 0; i < n->tails.n; i++)
		grants_add(g, buf_view(path), blob_text(g->p, tails[i].pattern), tails[i].rule);
	path->len--;
}

static void grants_read(struct grants *g, const struct policy *p, const struct blob_entry *e)
{
	const struct blob_node *nodes = blob_at(p, BLOB_NODES);
	struct climb up[POLICY_PATH_SEGMENTS_MAX + 1];
	BUF_AUTO struct buf path = { .max = LINE_MAX_LEN };
	unsigned depth = 0;
	size_t at = 0;

	*g = (struct grants){ .p = p, .e = e, .text.max = POLICY_BLOB_MAX };
	if (e->root == BLOB_NONE)
		return;
	up[depth++] = (struct climb){ .node = e->root };
	while (depth > 0) {
		struct climb *c = &up[depth - 1];
		const struct blob_node *n = &nodes[c->node];
		uint32_t child = c->next++;

		path.len = c->path_len;
		if (child == 0)
			grants_node(g, n, &path);
		if (child < n->edges.n) {
			const struct blob_edge *edge =
				(const struct blob_edge *)blob_at(p, BLOB_EDGES) + n->edges.first +
				child;

			buf_byte(&path, '/');
			buf_bytes(&path, blob_text(p, edge->segment));
			up[depth++] = (struct climb){ .node = n->first_child + child,
						      .path_len = path.len };
		} else if (child == n->edges.n && n->any_child != BLOB_NONE) {
			buf_str(&path, "/*");
			up[depth++] = (struct climb){ .node = n->any_child, .path_len = path.len };
		} else if (child >= n->edges.n) {
			depth--;
		}
	}
	g->failed = g->failed || path.failed || g->text.failed;
	for (size_t i = 0; i < g->n && !g->failed; i++) {
		g->v[i].pattern.p = g->text.p + at;
		at += g->v[i].pattern.len;
	}
}

static void grants_free(struct grants *g)
{
	free(g->v);
	buf_deinit(&g->text);
}

static bool strict(const struct blob_rule *r)
{
	return r->effect != POLICY_EFFECT_ALLOW;
}

static bool values_eq(const struct policy *p, struct blob_run a, const struct policy *q,
		      struct blob_run b)
{
	const struct blob_str *x = (const struct blob_str *)blob_at(p, BLOB_VALUES) + a.first;
	const struct blob_str *y = (const struct blob_str *)blob_at(q, BLOB_VALUES) + b.first;

	for (uint32_t i = 0; i < a.n && a.n == b.n; i++)
		if (!bytes_eq(blob_text(p, x[i]), blob_text(q, y[i])))
			return false;
	return a.n == b.n;
}

static bool conditions_eq(const struct policy *p, struct blob_run a, const struct policy *q,
			  struct blob_run b)
{
	const struct blob_condition *x =
		(const struct blob_condition *)blob_at(p, BLOB_CONDITIONS) + a.first;
	const struct blob_condition *y =
		(const struct blob_condition *)blob_at(q, BLOB_CONDITIONS) + b.first;

	for (uint32_t i = 0; i < a.n && a.n == b.n; i++)
		if (x[i].kind != y[i].kind ||
		    !bytes_eq(blob_text(p, x[i].key), blob_text(q, y[i].key)) ||
		    !values_eq(p, x[i].values, q, y[i].values))
			return false;
	return a.n == b.n;
}

static bool refuses(const struct blob_rule *r, enum ask a)
{
	return strict(r) || (a == ASK_OPTIONS && !(r->flags & BLOB_PUSH_OPTIONS)) || (a == ASK_UNSCANNED && (r->flags & BLOB_REFLECTIVE));
}

/* What one pattern of the new policy is asked for. */
struct want {
	const struct grants *from, *to;
	uint32_t method; /* one bit */
	enum ask ask;
	const struct grant *grant;
	const struct blob_rule *rule;
};

static bool wants_same(const struct want *w, const struct grants *g, const struct blob_rule *r)
{
	return conditions_eq(g->p, r->conditions, w->to->p, w->rule->conditions);
}

/* Where rule `s` of the old policy refuses what has its pattern, a rule of the new one does so too: before the wanted one decides, or `anywhere`. */
static bool refused_too(const struct want *w, const struct grant *s, const struct blob_rule *s_rule, bool anywhere)
{
	for (size_t i = 0; i < w->to->n; i++) {
		const struct grant *t = &w->to->v[i];
		const struct blob_rule *r = rule_of(w->to, t->rule);
		bool same;

		if ((!anywhere && t->rule >= w->grant->rule) || !(r->methods & w->method) || !policy_path_contains(t->pattern, s->pattern))
			continue;
		same = conditions_eq(w->from->p, s_rule->conditions, w->to->p, r->conditions);
		if (refuses(r, w->ask) ? same || r->conditions.n == 0 || wants_same(w, w->to, r) : same && !refuses(s_rule, w->ask))
			return true;
	}
	return false;
}

/* The next character of a pattern, as one that decodes it reads it. */
static uint8_t next_decoded(struct bytes *rest)
{
	bool slash = bytes_starts(*rest, bytes_str("%2F")), plus = bytes_starts(*rest, bytes_str("%2B"));
	uint8_t c = slash ? '/' : plus ? '+' : rest->p[0];

	*rest = bytes_skip(*rest, slash || plus ? strlen("%2F") : 1);
	return c;
}

/* What both begin with, up to a wildcard of either, is different however it is spelt. */
static bool differ_spelt(struct bytes a, struct bytes b)
{
	while (a.len && b.len && a.p[0] != '*' && b.p[0] != '*')
		if (next_decoded(&a) != next_decoded(&b))
			return true;
	return false;
}

/* The new policy reads paths of this method in all their spellings, too. */
static bool holds_back(const struct want *w)
{
	for (uint32_t i = 0; i < w->to->e->rules.n; i++) {
		const struct blob_rule *r = rule_of(w->to, i);

		if (strict(r) && (w->to->e->protocol == POLICY_GIT || (r->methods & w->method)))
			return true;
	}
	return false;
}

/* A request of the wanted pattern may be one of the other, which does not have it as it comes, without the slash at its end. */
static bool touches_without_end(struct bytes wanted, struct bytes pattern)
{
	BUF_AUTO struct buf ended = { .max = LINE_MAX_LEN };

	(void)buf_bytes(&ended, pattern);
	if (!buf_byte(&ended, '/') || ended.len > POLICY_PATH_MAX)
		return true;
	return policy_path_overlaps(buf_view(&ended), wanted) && !policy_path_contains(pattern, buf_view(&ended));
}

/* A request of the wanted pattern may be one of the other in another spelling; without the slash at its end only where that one holds back. */
static bool touches_spelt(const struct want *w, struct bytes pattern, bool holds)
{
	struct bytes wanted = w->grant->pattern, spelt;
	BUF_AUTO struct buf plus = { .max = LINE_MAX_LEN };
	bool end = holds && w->to->e->protocol != POLICY_GIT;

	if (end && touches_without_end(wanted, pattern))
		return true;
	if ((w->to->e->flags & BLOB_ENCODED_SLASH) && (bytes_find(wanted, '*') < wanted.len || policy_spelling_any(wanted)) &&
	    (!holds_back(w) || !differ_spelt(pattern, wanted)))
		return true;
	if (!policy_spelling_any(wanted))
		return false;
	if (!buf_bytes(&plus, wanted))
		return true;
	spelt = policy_spelling_plus(wanted, plus.p);
	return policy_path_overlaps(pattern, spelt) || (end && touches_without_end(spelt, pattern));
}

/* Rule `s` of the old policy may refuse some of what is wanted and `by` would grant. Of a path as it comes the first rule decides; of its other
 * spellings the strictest does. */
static bool stops(const struct want *w, const struct grant *s, const struct grant *by)
{
	const struct blob_rule *r = rule_of(w->from, s->rule);
	bool unclear = r->conditions.n && w->from->e->protocol != POLICY_GIT && !wants_same(w, w->from, r);

	if (!(r->methods & w->method) || !(unclear || refuses(r, w->ask)))
		return false;
	return (s->rule < by->rule && policy_path_overlaps(s->pattern, w->grant->pattern) && !refused_too(w, s, r, false)) ||
	       (touches_spelt(w, s->pattern, refuses(r, w->ask)) && !refused_too(w, s, r, true));
}

static bool granted(const struct want *w)
{
	const struct grants *from = w->from;

	for (size_t i = 0; i < from->n; i++) {
		const struct blob_rule *r = rule_of(from, from->v[i].rule);
		bool stopped = false;

		if (refuses(r, w->ask) || !(r->methods & w->method) || (r->conditions.n && !wants_same(w, from, r)) ||
		    !policy_path_contains(from->v[i].pattern, w->grant->pattern))
			continue;
		for (size_t k = 0; k < from->n && !stopped; k++)
			stopped = stops(w, &from->v[k], &from->v[i]);
		if (!stopped)
			return true;
	}
	return false;
}

/* Where the old policy spends a credential and the new one none, only what the credential was bound to was allowed: encoded slashes both as they are and decoded. */
static bool unbound_before(const struct policy_request_pair *s, struct bytes pattern)
{
	const struct blob_entry *f = s->from_entry;
	const struct blob_credential *c = (const struct blob_credential *)blob_at(s->from, BLOB_CREDENTIALS) + f->credential;
	const struct blob_str *paths = blob_at(s->from, BLOB_VALUES);
	bool as_it_is = false, decoded = !(s->to_entry->flags & BLOB_ENCODED_SLASH);
	uint8_t a[POLICY_PATH_MAX], b[2 * POLICY_PATH_MAX];

	if (f->root == BLOB_NONE || f->credential == BLOB_NONE || s->to_entry->credential != BLOB_NONE)
		return false;
	if (pattern.len > POLICY_PATH_MAX)
		return true;
	for (uint32_t i = 0; i < c->paths.n; i++) {
		struct bytes whole = blob_text(s->from, paths[c->paths.first + i]);
		struct bytes bound = f->protocol == POLICY_GIT ? policy_git_repository(whole) : whole;

		as_it_is = as_it_is || policy_path_contains(bound, pattern);
		if (!decoded && bound.len <= POLICY_PATH_MAX)
			decoded = policy_path_contains(policy_spelling_slashes(bound, a), policy_spelling_opened(pattern, b));
	}
	return !as_it_is || !decoded;
}

/* Is there something to ask? Where all answers of one of the entries are scanned, policy_diff_spend() tells. */
static bool asks(const struct policy_request_pair *s, const struct blob_rule *r, enum ask a)
{
	uint32_t entries = s->from_entry->flags | s->to_entry->flags;

	if (a == ASK_OPTIONS)
		return r->flags & BLOB_PUSH_OPTIONS;
	return a == ASK_REACH || (s->to_entry->credential != BLOB_NONE && !((entries | r->flags) & BLOB_REFLECTIVE));
}

static void add(struct buf *line, struct bytes text)
{
	buf_bytes(line, text);
}

static void add_quoted(struct buf *line, struct bytes text)
{
	struct json_out j;

	json_out_init(&j, line);
	json_out_bytes(&j, text);
}

/* As a policy writes it. */
static void add_json_value(struct buf *line, struct bytes value)
{
	struct bytes rest = bytes_skip(value, value.len > 0);

	switch (value.len ? value.p[0] : 0) {
	case 's':
		add_quoted(line, rest);
		break;
	case 'n':
		add(line, rest);
		break;
	default:
		buf_str(line, bytes_is(value, "t") ? "true" : bytes_is(value, "f") ? "false" : "null");
	}
}

static void add_value(struct buf *line, uint32_t kind, struct bytes value)
{
	if (kind == POLICY_CONDITION_JSON)
		add_json_value(line, value);
	else if (kind == POLICY_CONDITION_REF)
		add(line, bytes_skip(value, 1)); /* without the slash that stands before a ref in the blob */
	else
		add_quoted(line, value);
}

/* " ?kind=["a"]", " header x-a", " json /draft=[true]", " refs/heads/a, refs/heads/b" */
static void add_condition(struct buf *line, const struct policy *p, const struct blob_condition *c)
{
	static const char *const words[POLICY_CONDITION_END] = { "", " ?", " header ", " json ", " " };
	const struct blob_str *values = (const struct blob_str *)blob_at(p, BLOB_VALUES) + c->values.first;
	bool keyed = c->kind != POLICY_CONDITION_REF;

	buf_str(line, words[c->kind]);
	if (keyed)
		add(line, blob_text(p, c->key));
	buf_str(line, keyed && c->values.n ? "=[" : "");
	for (uint32_t i = 0; i < c->values.n && i < VALUES_SHOWN; i++) {
		buf_str(line, i ? ", " : "");
		add_value(line, c->kind, blob_text(p, values[i]));
	}
	if (c->values.n > VALUES_SHOWN)
		buf_fmt(line, " (+%u)", c->values.n - VALUES_SHOWN);
	buf_str(line, keyed && c->values.n ? "]" : "");
}

static const char *first_words(const struct grants *to, const struct blob_rule *r, enum ask a)
{
	if (a == ASK_UNSCANNED)
		return "answers not scanned for the secret of ";
	return bytes_is(blob_text(to->p, r->class), "read") ? "requests " : "writes ";
}

/* "writes POST /x json /draft=[true] with github (entry api)" */
static void tell_grant(struct policy_request_pair *s, const struct grants *to, const struct grant *g, enum ask a, uint32_t fresh)
{
	const struct blob_rule *r = rule_of(to, g->rule);
	const struct blob_condition *c = (const struct blob_condition *)blob_at(to->p, BLOB_CONDITIONS) + r->conditions.first;
	BUF_AUTO struct buf line = { .max = TOLD_MAX };

	buf_str(&line, first_words(to, r, a));
	policy_acts_text((enum policy_protocol)to->e->protocol, fresh, &line);
	buf_byte(&line, ' ');
	add(&line, g->pattern);
	for (uint32_t i = 0; i < r->conditions.n; i++)
		add_condition(&line, to->p, &c[i]);
	if (a != ASK_UNSCANNED && (r->flags & BLOB_PUSH_OPTIONS))
		buf_str(&line, " with push options");
	if (a != ASK_UNSCANNED && to->e->credential != BLOB_NONE) {
		buf_str(&line, " with ");
		add(&line, blob_text(to->p, ((const struct blob_credential *)blob_at(to->p, BLOB_CREDENTIALS))[to->e->credential].id));
	}
	buf_str(&line, " (entry ");
	add(&line, blob_text(to->p, to->e->name));
	buf_byte(&line, ')');
	if (line.failed)
		s->failed = true;
	else
		s->tell(s->owner, buf_cstr(&line));
}

static void compare_grant(struct policy_request_pair *s, const struct grants *from, const struct grants *to, const struct grant *g)
{
	struct want w = { .from = from, .to = to, .grant = g, .rule = rule_of(to, g->rule) };
	bool unbound = unbound_before(s, g->pattern);
	uint32_t known = 0; /* told already */

	for (w.ask = 0; w.ask < ASKS; w.ask++) {
		uint32_t fresh = 0;

		if (!asks(s, w.rule, w.ask))
			continue;
		for (w.method = 1; w.method && w.method <= POLICY_METHOD_OTHER; w.method <<= 1)
			if ((w.rule->methods & w.method & ~known) && (unbound || !granted(&w)))
				fresh |= w.method;
		if (fresh)
			tell_grant(s, to, g, w.ask, fresh);
		known |= fresh;
	}
}

/* Strict rules of the old policy that the new one does not have show as grants that they touched. */
void policy_diff_requests(struct policy_request_pair *s)
{
	struct grants a, b;

	grants_read(&a, s->from, s->from_entry);
	grants_read(&b, s->to, s->to_entry);
	s->failed = s->failed || a.failed || b.failed;
	for (size_t i = 0; i < b.n && !s->failed; i++)
		if (!strict(rule_of(&b, b.v[i].rule)))
			compare_grant(s, &a, &b, &b.v[i]);
	grants_free(&a);
	grants_free(&b);
}
