/* Rules of a git entry: `git` says fetch or push, `paths` are repositories, and a push says which changes of which refs. */
#include "rules/policy_git.h"
#include "rules/policy_field.h"
#include "rules/policy_rule.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

enum { CHANGES = 4, ANY_PUSH = POLICY_GIT_CREATE | POLICY_GIT_UPDATE | POLICY_GIT_FORCE | POLICY_GIT_DELETE };

static uint32_t read_change(struct model *m, const struct yaml_tree_node *node)
{
	static const struct field_word words[CHANGES] = { { "create", POLICY_GIT_CREATE, NULL },
							  { "update", POLICY_GIT_UPDATE, NULL },
							  { "force", POLICY_GIT_FORCE, NULL },
							  { "delete", POLICY_GIT_DELETE, NULL } };
	uint32_t set = 0;
	int bit;

	if (!field_is_list(m, node, "change"))
		return 0;
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		if (!field_word(m, v, "change", words, CHANGES, &bit))
			continue;
		if (set & (uint32_t)bit)
			model_error(m, place_of(v), "the change `%.*s` stands here twice; keep one", (int)v->text.len, (const char *)v->text.p);
		set |= (uint32_t)bit;
	}
	if (!(set & POLICY_GIT_UPDATE) != !(set & POLICY_GIT_FORCE))
		model_error(m, place_of(node),
			    "a push does not say whether an update is forced, so that one word alone cannot be enforced; write both, [update, force], or neither");
	return set;
}

static void read_refs(struct model *m, struct model_rule *r, const struct yaml_tree_node *node)
{
	struct model_condition *c = arena_alloc(m->arena, 1, sizeof(*c));
	char fault[160], shown[FIELD_SHOW_MAX];
	struct model_text t;

	if (!c || !field_is_list(m, node, "refs"))
		return;
	*c = (struct model_condition){ .kind = POLICY_CONDITION_REF, .key = { bytes_str("refs"), place_of(node->key) } };
	c->values = arena_alloc(m->arena, node->n, sizeof(*c->values));
	for (const struct yaml_tree_node *v = node->first; v && c->values; v = v->next) {
		BUF_AUTO struct buf path = { .max = POLICY_REF_MAX + 1 };

		if (!field_text(m, v, "refs", YAML_TREE_SCALAR_MAX, &t))
			continue;
		if (!policy_ref_ok(t.text, fault)) {
			model_error(m, t.at, "ref `%s`: %s", field_show(t.text, shown), fault);
			continue;
		}
		/* with a slash before it: the pattern language of paths */
		buf_byte(&path, '/');
		buf_bytes(&path, t.text);
		c->values[c->n_values++] = (struct model_text){ arena_copy(m->arena, buf_view(&path)), t.at };
	}
	if (!c->values)
		return;
	field_sort_distinct(m, c->values, &c->n_values, "ref");
	/* all refs are no condition: such a rule decides also what is announced */
	for (uint32_t i = 0; i < c->n_values; i++)
		if (bytes_is(c->values[i].text, "/refs/**"))
			return;
	r->conditions = c;
	r->n_conditions = 1;
	r->dead = r->dead || node->n == 0;
}

static void read_push(struct model *m, struct model_rule *r, const struct policy_git_nodes *v)
{
	bool options = false;

	if (v->change) {
		r->methods_at = place_of(v->change);
		r->methods = read_change(m, v->change);
		r->dead = r->dead || v->change->n == 0;
	} else {
		model_error(m, r->at, "a push rule without `change`; list what it may do: [create, update, force, delete]");
	}
	if (v->refs)
		read_refs(m, r, v->refs);
	else
		model_error(m, r->at, "a push rule without `refs`; list them, or write [\"refs/**\"] for any");
	if (!v->push_options || !field_bool(m, v->push_options, "push_options", &options) || !options)
		return;
	r->flags |= BLOB_PUSH_OPTIONS;
	if (r->effect == POLICY_EFFECT_DENY_RULE)
		model_error(m, place_of(v->push_options->key), "`push_options` in a deny, which forbids the push anyway; remove it");
}

void policy_read_git(struct model *m, struct model_rule *r, const struct policy_git_nodes *v)
{
	static const struct field_word words[] = { { "fetch", 0, NULL }, { "push", 1, NULL } };
	static const char *const push_keys[] = { "refs", "change", "push_options" };
	const struct yaml_tree_node *const nodes[] = { v->refs, v->change, v->push_options };
	int push = 0;

	if (!v->git) {
		model_error(m, r->at, "a rule of protocol git without `git`; write `git: fetch` or `git: push`");
		return;
	}
	if (!field_word(m, v->git, "git", words, ITEMS(words), &push))
		return;
	r->methods_at = place_of(v->git);
	if (push) {
		read_push(m, r, v);
		return;
	}
	r->methods = POLICY_GIT_FETCH;
	for (size_t i = 0; i < ITEMS(nodes); i++)
		if (nodes[i])
			model_error(m, place_of(nodes[i]->key), "`%s` belongs to `git: push`, and a fetch changes no ref; remove it", push_keys[i]);
}

void policy_git_paths(struct model_rule *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n_paths; i++) {
		struct model_text t = r->paths[i];
		bool known = false;

		t.text = policy_git_repository(t.text);
		for (uint32_t k = 0; k < n && !known; k++)
			known = bytes_eq(r->paths[k].text, t.text);
		if (!known)
			r->paths[n++] = t;
	}
	r->n_paths = n;
}
