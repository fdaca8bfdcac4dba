/* Each allow or deny becomes cells of methods and one path. Where their glob means less than ours an allow is narrowed or refused and
 * a deny is widened; both are listed. */
#include "rules/openshell_rules.h"

#include <stdio.h>

#include "rules/policy_field.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define OTHER "belongs to a protocol that is not available in this version; leave the endpoint out"

enum {
	READING = POLICY_METHOD_GET | POLICY_METHOD_HEAD | POLICY_METHOD_OPTIONS,
	PATH_TEXT_MAX = 2 * POLICY_PATH_MAX
};

enum { KEY_METHOD, KEY_PATH, KEY_QUERY, KEYS_KNOWN };
static const struct field_key keys[] = {
	{ "method", NULL },          { "path", NULL },
	{ "query", NULL },           { "command", OTHER },
	{ "operation_type", OTHER }, { "operation_name", OTHER },
	{ "fields", OTHER },         { "tool", OTHER },
	{ "params", OTHER },
};

static void add(struct openshell_cells *c, struct openshell_cell cell)
{
	char fault[POLICY_PATH_FAULT_MAX], shown[FIELD_SHOW_MAX];

	if (!policy_path_ok(cell.path, c->encoded_slash, fault)) {
		model_error(c->m, cell.at, "path `%s`: %s", field_show(cell.path, shown), fault);
		return;
	}
	if (c->n == OPENSHELL_CELLS_MAX) {
		model_error(c->m, cell.at, "more than %d paths in one endpoint; split it",
			    OPENSHELL_CELLS_MAX);
		return;
	}
	cell.path = arena_copy(c->m->arena, cell.path);
	c->v[c->n++] = cell;
}

/* Their `**` may also stand for no segment at all, except at the end; ours never does: one more pattern says so. */
static void add_middle(struct openshell_cells *c, struct openshell_cell cell)
{
	struct bytes p = cell.path;
	unsigned n_middle = 0;

	for (size_t i = 0; i + 4 <= p.len; i++)
		n_middle += memcmp(p.p + i, "/**/", 4) == 0;
	if (n_middle > 1) {
		model_error(
			c->m, cell.at,
			"more than one `**` before the end, each of which may stand for nothing there; write the paths one by one");
		return;
	}
	for (size_t i = 0; i + 4 <= p.len; i++)
		if (memcmp(p.p + i, "/**/", 4) == 0) {
			char without[PATH_TEXT_MAX];
			struct openshell_cell shorter = cell;
			int n = snprintf(without, sizeof(without), "%.*s%.*s", (int)i,
					 (const char *)p.p, (int)(p.len - i - 3),
					 (const char *)p.p + i + 3);

			shorter.path = bytes_of(without, (size_t)n);
			add(c, shorter);
		}
	add(c, cell);
	if (cell.deny && bytes_ends(p, bytes_str("/*")) && p.len < POLICY_PATH_MAX) {
		/* their last `*` also stands for nothing: a deny must not lose that */
		cell.path.len--;
		add(c, cell);
	}
}

/* `**` that is no whole segment acts like `*` there. */
static struct bytes single_stars(struct openshell_cells *c, struct place at, struct bytes path)
{
	uint8_t *out = arena_alloc(c->m->arena, path.len + 1, 1);
	size_t n = 0;
	bool changed = false;

	if (!out)
		return path;
	for (size_t i = 0; i < path.len; i++) {
		bool start = i > 0 && path.p[i - 1] == '/';
		bool whole = start && i + 1 < path.len && path.p[i + 1] == '*' &&
			     (i + 2 == path.len || path.p[i + 2] == '/');

		out[n++] = path.p[i];
		if (path.p[i] != '*')
			continue;
		if (whole) {
			out[n++] = path.p[++i];
			continue;
		}
		while (i + 1 < path.len && path.p[i + 1] == '*') {
			i++;
			changed = true;
		}
	}
	if (changed)
		model_warning(
			c->m, at,
			"`**` inside a segment acts like `*` there, so `*` is written; check that it is what was meant");
	return bytes_of(out, n);
}

static bool read_path(struct openshell_cells *c, const struct yaml_tree_node *node,
		      struct openshell_cell *cell)
{
	struct model_text t;

	if (!node || (node->kind == YAML_TREE_SCALAR && node->text.len == 0)) {
		if (!cell->deny) {
			model_error(
				c->m, cell->at,
				"an allow without `path` matches nothing there; write the path that was meant, or remove it");
			return false;
		}
		model_warning(
			c->m, cell->at,
			"a deny without `path` never fires there; it is settled to every path, as its author meant");
		cell->path = bytes_str("/**");
		return true;
	}
	if (!field_text(c->m, node, "path", YAML_TREE_SCALAR_MAX, &t))
		return false;
	cell->at = t.at;
	if (bytes_is(t.text, "**")) {
		cell->path = bytes_str("/**");
	} else if (t.text.p[0] != '/') {
		model_error(c->m, t.at, "a path that does not start with a slash; write `/` first");
		return false;
	} else {
		cell->path = single_stars(c, t.at, t.text);
	}
	if (!cell->deny && bytes_ends(cell->path, bytes_str("/*")))
		model_warning(
			c->m, t.at,
			"a last `*` is one segment that is not empty here; the path that ends in a slash is left out, list it if it is needed");
	return true;
}

static bool read_method(struct openshell_cells *c, const struct yaml_tree_node *node,
			struct openshell_cell *cell)
{
	char shown[FIELD_SHOW_MAX];
	uint8_t upper[32];
	struct model_text t;

	if (!node || (node->kind == YAML_TREE_SCALAR && node->text.len == 0)) {
		if (!cell->deny) {
			model_error(c->m, cell->at,
				    "an allow without `method`; write the methods that were meant");
			return false;
		}
		model_warning(
			c->m, cell->at,
			"a deny without `method` never fires there; it is settled to any method, as its author meant");
		cell->methods = POLICY_METHODS_ALL;
		return true;
	}
	if (!field_text(c->m, node, "method", sizeof(upper), &t))
		return false;
	for (size_t i = 0; i < t.text.len; i++)
		upper[i] = (uint8_t)(t.text.p[i] >= 'a' && t.text.p[i] <= 'z' ? t.text.p[i] - 0x20
									      : t.text.p[i]);
	cell->methods = bytes_is(t.text, "*") ? POLICY_METHODS_ALL
					      : policy_method_known(bytes_of(upper, t.text.len));
	if (cell->methods & POLICY_METHOD_GET)
		cell->methods |= POLICY_METHOD_HEAD;
	if (!cell->methods)
		model_error(c->m, t.at, "unknown method `%s`; write one of HTTP",
			    field_show(t.text, shown));
	return cell->methods != 0;
}

static bool read_value(struct openshell_cells *c, const struct openshell_cell *cell,
		       const struct yaml_tree_node *v, struct buf *out, bool first)
{
	struct model_text t;

	if (!field_text(c->m, v, "query", POLICY_PATH_MAX, &t))
		return false;
	for (size_t i = 0; i < t.text.len; i++)
		if (strchr("?[]{}\\\"", t.text.p[i]) || (t.text.p[i] == '*' && !cell->deny)) {
			model_error(
				c->m, t.at,
				"a glob in a query value means something else there; list the values");
			return false;
		}
	buf_fmt(out, "%s\"%.*s\"", first ? "" : ", ", (int)t.text.len, (const char *)t.text.p);
	return true;
}

static bool read_query(struct openshell_cells *c, const struct yaml_tree_node *node,
		       struct openshell_cell *cell)
{
	BUF_AUTO struct buf out = { .max = 64 * 1024 };

	if (!node)
		return true;
	if (node->kind != YAML_TREE_MAP || node->n == 0) {
		model_error(c->m, place_of(node),
			    "`query` is no mapping with keys; write `{key: value}`, or remove it");
		return false;
	}
	buf_byte(&out, '{');
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		const struct yaml_tree_node *any = yaml_tree_get(v, "any");

		if (v->kind == YAML_TREE_MAP &&
		    (!any || v->n != 1 || any->kind != YAML_TREE_LIST || any->n == 0)) {
			model_error(c->m, place_of(v),
				    "a matcher is a text or {any: [texts]}; write one of them");
			return false;
		}
		if (bytes_find(v->key->text, '"') < v->key->text.len ||
		    bytes_find(v->key->text, '\\') < v->key->text.len) {
			model_error(
				c->m, place_of(v->key),
				"a query key with a quote or backslash; write the rule by hand");
			return false;
		}
		buf_fmt(&out, "%s\"%.*s\": [", v == node->first ? "" : ", ", (int)v->key->text.len,
			(const char *)v->key->text.p);
		if (!any && !read_value(c, cell, v, &out, true))
			return false;
		for (const struct yaml_tree_node *w = any ? any->first : NULL; w; w = w->next)
			if (!read_value(c, cell, w, &out, w == any->first))
				return false;
		buf_byte(&out, ']');
	}
	buf_byte(&out, '}');
	cell->query = arena_copy(c->m->arena, buf_view(&out));
	return !out.failed;
}

static void add_rule(struct openshell_cells *c, const struct yaml_tree_node *node, bool deny)
{
	const struct yaml_tree_node *v[ITEMS(keys)];
	struct openshell_cell cell = { .at = place_of(node), .deny = deny };

	if (!field_map(c->m, node, deny ? "a deny rule" : "an allow rule", keys, ITEMS(keys), v))
		return;
	if (read_method(c, v[KEY_METHOD], &cell) && read_path(c, v[KEY_PATH], &cell) &&
	    read_query(c, v[KEY_QUERY], &cell))
		add_middle(c, cell);
}

void openshell_add_rules(struct openshell_cells *c, const struct yaml_tree_node *rules)
{
	static const struct field_key wrapper[] = { { "allow", NULL } };
	const struct yaml_tree_node *v[1];

	if (!field_is_list(c->m, rules, "rules"))
		return;
	for (const struct yaml_tree_node *r = rules->first; r; r = r->next)
		if (field_map(c->m, r, "a rule", wrapper, 1, v) && v[0])
			add_rule(c, v[0], false);
		else if (r->kind == YAML_TREE_MAP && r->n == 0)
			model_error(c->m, place_of(r), "an empty rule; remove it");
}

void openshell_add_denies(struct openshell_cells *c, const struct yaml_tree_node *deny_rules)
{
	if (!field_is_list(c->m, deny_rules, "deny_rules"))
		return;
	for (const struct yaml_tree_node *r = deny_rules->first; r; r = r->next)
		add_rule(c, r, true);
}

void openshell_add_preset(struct openshell_cells *c, const struct yaml_tree_node *access)
{
	static const struct field_word presets[] = {
		{ "read-only", READING, NULL },
		{ "read-write",
		  READING | POLICY_METHOD_POST | POLICY_METHOD_PUT | POLICY_METHOD_PATCH, NULL },
		{ "full", (int)POLICY_METHODS_ALL, NULL },
	};
	struct openshell_cell cell = { .at = place_of(access), .path = bytes_str("/**") };
	int methods;

	if (!field_word(c->m, access, "access", presets, ITEMS(presets), &methods))
		return;
	cell.methods = (uint32_t)methods;
	add(c, cell);
}

/* Methods aside, `in` says nothing that `out` does not say. */
static bool covered(const struct openshell_cell *in, const struct openshell_cell *out)
{
	return in->deny == out->deny && policy_path_contains(out->path, in->path) &&
	       (out->query.len == 0 || bytes_eq(in->query, out->query));
}

/* Takes each method out of each cell that another one covers; of equal cells the first one stays. A deny goes whole or not at all: what
 * is left of "any method" could not be written. */
static void prune(struct openshell_cells *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		for (uint32_t k = 0; k < c->n; k++) {
			struct openshell_cell *in = &c->v[i];
			const struct openshell_cell *by = &c->v[k];
			uint32_t shared = in->methods & by->methods;

			if (k == i || !shared || (in->deny && shared != in->methods) ||
			    !covered(in, by))
				continue;
			if (k < i || !covered(by, in) || (in->deny && by->methods != in->methods))
				in->methods &= ~shared;
		}
}

/* Our compiler refuses a deny that nothing meets. */
static void drop_idle_denies(struct openshell_cells *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		bool meets = false;

		for (uint32_t k = 0; k < c->n && c->v[i].deny && !meets; k++)
			meets = !c->v[k].deny && (c->v[k].methods & c->v[i].methods) &&
				policy_path_overlaps(c->v[k].path, c->v[i].path);
		if (c->v[i].deny && c->v[i].methods && !meets) {
			model_warning(
				c->m, c->v[i].at,
				"this deny forbids nothing that the endpoint allows; it is left out");
			c->v[i].methods = 0;
		}
	}
}

static void write_methods(uint32_t set, struct buf *out)
{
	uint32_t bit;
	bool first = true;

	if (set == POLICY_METHODS_ALL) {
		buf_str(out, "\"*\"");
		return;
	}
	for (unsigned i = 0; policy_method_at(i, &bit); i++)
		if (set & bit) {
			buf_fmt(out, "%s%s", first ? "" : ", ", policy_method_at(i, &bit));
			first = false;
		}
}

static uint32_t known_methods(void)
{
	uint32_t set = 0, bit;

	for (unsigned i = 0; policy_method_at(i, &bit); i++)
		set |= bit;
	return set;
}

/* All cells with these methods and this query, as one rule. */
static void write_rule(struct openshell_cells *c, uint32_t at, uint32_t methods, const char *kind,
		       struct buf *out)
{
	const struct openshell_cell *like = &c->v[at];
	bool first = true;

	buf_fmt(out, "      - {%s, methods: [", kind);
	write_methods(methods, out);
	buf_str(out, "], paths: [");
	for (uint32_t k = at; k < c->n; k++)
		if (c->v[k].deny == like->deny && c->v[k].methods == like->methods &&
		    bytes_eq(c->v[k].query, like->query)) {
			buf_fmt(out, "%s\"%.*s\"", first ? "" : ", ", (int)c->v[k].path.len,
				(const char *)c->v[k].path.p);
			first = false;
		}
	buf_byte(out, ']');
	if (like->query.len)
		buf_fmt(out, ", query: %.*s", (int)like->query.len, (const char *)like->query.p);
	buf_str(out, "}\n");
}

static bool written_before(const struct openshell_cells *c, uint32_t at)
{
	for (uint32_t k = 0; k < at; k++)
		if (c->v[k].deny == c->v[at].deny && c->v[k].methods == c->v[at].methods &&
		    bytes_eq(c->v[k].query, c->v[at].query))
			return true;
	return false;
}

void openshell_write_rules(struct openshell_cells *c, struct buf *out, unsigned *ret_classes)
{
	prune(c);
	drop_idle_denies(c);
	*ret_classes = 0;
	buf_str(out, "    rules:\n");
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t set = c->v[i].methods, reading = set & READING,
			 writing = set & ~(uint32_t)READING;

		if (!set || written_before(c, i))
			continue;
		if (c->v[i].deny) {
			write_rule(c, i, set, "deny: true", out);
			continue;
		}
		if (writing & POLICY_METHOD_OTHER) {
			model_warning(
				c->m, c->v[i].at,
				"any method is written as the list of known ones; add others if they are needed");
			writing &= ~(uint32_t)POLICY_METHOD_OTHER;
		}
		writing &= known_methods();
		if (reading)
			write_rule(c, i, reading, "class: read", out);
		if (writing)
			write_rule(c, i, writing, "class: write", out);
		*ret_classes |= (reading ? 1U : 0U) | (writing ? 2U : 0U);
	}
}
