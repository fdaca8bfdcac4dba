/* Hosts are compared through representatives: a wildcard covers another one exactly when it covers a name that nobody lists. Requests
 * are compared pattern by pattern: a pattern with a method is granted by the other policy when an allowing rule contains it and no
 * stricter rule that decides before that one touches it, unless the new policy has that stricter rule too. */
#include "rules/policy_diff.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "rules/policy_view.h"
#include "rules/policy_diff_spend.h"
#include "rules/policy_git.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"

enum { LINE_MAX_LEN = 2048, CONDITIONS_SHOWN = 3 };

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

/* Every request of this method and pattern meets a rule of `g` that does not allow. */
static bool refused_too(const struct grants *g, uint32_t method, struct bytes pattern)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct blob_rule *r = rule_of(g, g->v[i].rule);

		if (strict(r) && (r->methods & method) && r->conditions.n == 0 &&
		    policy_path_contains(g->v[i].pattern, pattern))
			return true;
	}
	return false;
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

static bool granted(const struct grants *from, const struct grants *to, uint32_t method,
		    struct bytes pattern, const struct blob_rule *want)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct blob_rule *r = rule_of(from, from->v[i].rule);
		bool stopped = false;

		if (strict(r) || !(r->methods & method) ||
		    !policy_path_contains(from->v[i].pattern, pattern) ||
		    (r->conditions.n &&
		     !conditions_eq(from->p, r->conditions, to->p, want->conditions)))
			continue;
		for (size_t k = 0; k < from->n && !stopped; k++) {
			const struct blob_rule *s = rule_of(from, from->v[k].rule);

			stopped = strict(s) && from->v[k].rule < from->v[i].rule &&
				  (s->methods & method) &&
				  policy_path_overlaps(from->v[k].pattern, pattern) &&
				  !refused_too(to, method, from->v[k].pattern);
		}
		if (!stopped)
			return true;
	}
	return false;
}

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

static void add_condition(struct buf *line, const struct policy *p, const struct blob_condition *c)
{
	static const char *const words[POLICY_CONDITION_END] = { "", " ?", " header ", " json ", " " };
	const struct blob_str *values = (const struct blob_str *)blob_at(p, BLOB_VALUES) + c->values.first;

	buf_str(line, words[c->kind]);
	if (c->kind != POLICY_CONDITION_REF) {
		add(line, blob_text(p, c->key));
		return;
	}
	/* without the slash that stands before a ref in the blob */
	for (uint32_t i = 0; i < c->values.n && i < CONDITIONS_SHOWN; i++) {
		buf_str(line, i ? ", " : "");
		add(line, bytes_skip(blob_text(p, values[i]), 1));
	}
	if (c->values.n > CONDITIONS_SHOWN)
		buf_fmt(line, " (+%u)", c->values.n - CONDITIONS_SHOWN);
}

/* "writes POST /x json /draft with github (entry api)" */
static void tell_grant(struct diff *d, const struct grants *to, const struct grant *g, uint32_t fresh)
{
	const struct blob_rule *r = rule_of(to, g->rule);
	const struct blob_condition *c = (const struct blob_condition *)blob_at(to->p, BLOB_CONDITIONS) + r->conditions.first;
	BUF_AUTO struct buf line = { .max = LINE_MAX_LEN };

	buf_str(&line, bytes_is(blob_text(to->p, r->class), "read") ? "requests " : "writes ");
	policy_acts_text((enum policy_protocol)to->e->protocol, fresh, &line);
	buf_byte(&line, ' ');
	add(&line, g->pattern);
	for (uint32_t i = 0; i < r->conditions.n && i < CONDITIONS_SHOWN; i++)
		add_condition(&line, to->p, &c[i]);
	if (to->e->credential != BLOB_NONE) {
		buf_str(&line, " with ");
		add(&line, blob_text(to->p, ((const struct blob_credential *)blob_at(to->p, BLOB_CREDENTIALS))[to->e->credential].id));
	}
	buf_str(&line, " (entry ");
	add(&line, blob_text(to->p, to->e->name));
	buf_byte(&line, ')');
	tell(d, &line);
}

static void compare_grant(struct diff *d, const struct grants *from, const struct grants *to,
			  const struct grant *g)
{
	const struct blob_rule *r = rule_of(to, g->rule);
	uint32_t fresh = 0;

	for (uint32_t bit = 1; bit && bit <= POLICY_METHOD_OTHER; bit <<= 1)
		if ((r->methods & bit) && !granted(from, to, bit, g->pattern, r))
			fresh |= bit;
	if (fresh)
		tell_grant(d, to, g, fresh);
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

/* Strict rules of the old policy that the new one does not have show as grants that they touched. */
static void compare_requests(struct diff *d, const struct blob_entry *from,
			     const struct blob_entry *to)
{
	struct grants a, b;

	grants_read(&a, d->from, from);
	grants_read(&b, d->to, to);
	d->failed = d->failed || a.failed || b.failed;
	for (size_t i = 0; i < b.n && !d->failed; i++)
		if (!strict(rule_of(&b, b.v[i].rule)))
			compare_grant(d, &a, &b, &b.v[i]);
	grants_free(&a);
	grants_free(&b);
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
	static const struct blob_entry nothing = { .root = BLOB_NONE };
	const struct blob_entry *to_entry =
		(const struct blob_entry *)blob_at(d->to, BLOB_ENTRIES) + at->entry;
	const struct blob_entry *from_entry =
		from == BLOB_NONE ? NULL : (const struct blob_entry *)blob_at(d->from, BLOB_ENTRIES) + from;

	compare_host(d, r, from_entry, to_entry, port);
	if (seen(d, from, at->entry))
		return;
	compare_addresses(d, from_entry, to_entry);
	compare_observing(d, from_entry, to_entry);
	if (to_entry->root != BLOB_NONE && !let_all_pass(from_entry, to_entry))
		compare_requests(d, from_entry && from_entry->protocol == to_entry->protocol ? from_entry : &nothing, to_entry);
}

bool policy_diff(const struct policy *from, const struct policy *to, policy_change_fn *tell_fn,
		 void *owner)
{
	/* Two labels that no policy lists stand for every name below a wildcard. */
	static const char one[] = "any-name-below.", two[] = "any-name.any-name-below.";
	struct diff d = { .from = from, .to = to, .tell = tell_fn, .owner = owner };
	struct policy_reach r;

	if (policy_lab(to) && !policy_lab(from))
		tell_fn(owner, "loopback addresses, it is marked lab: true");
	for (uint32_t i = 0; policy_reach_at(to, i, &r) && !d.failed; i++) {
		const struct blob_reach *at =
			(const struct blob_reach *)blob_at(to, BLOB_REACH) + i;

		for (size_t k = 0; k < r.n_ports; k++) {
			uint32_t a = owner_of(from, r.host, one, r.ports[k]);

			if (bytes_starts(r.host, bytes_str("**")) && a != BLOB_NONE &&
			    owner_of(from, r.host, two, r.ports[k]) == BLOB_NONE)
				a = BLOB_NONE;
			compare_pair(&d, &r, at, a, r.ports[k]);
		}
	}
	free(d.seen);
	return !d.failed;
}
