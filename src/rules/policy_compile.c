/* Read, judge each entry, judge entries beside each other, write. A blob comes out only when nothing at all is wrong. */
#include "rules/policy_compile.h"

#include "base/must.h"
#include "rules/policy_model.h"

enum { ARENA_MAX = 512 * 1024 * 1024 };

static void check_ports(struct model *m)
{
	uint16_t seen[POLICY_PORTS_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n_entries; i++)
		for (uint32_t k = 0; k < m->entries[i]->ports.n; k++) {
			uint32_t at = 0;

			while (at < n && seen[at] != m->entries[i]->ports.v[k])
				at++;
			if (at < n)
				continue;
			if (n == POLICY_PORTS_MAX) {
				model_error(
					m, m->entries[i]->ports.at[k],
					"the policy has more than %d distinct ports; list fewer",
					POLICY_PORTS_MAX);
				return;
			}
			seen[n++] = m->entries[i]->ports.v[k];
		}
}

static bool compile(struct model *m, const struct yaml_tree_node *root, struct buf *out)
{
	const struct place start = { 1, 1 };
	struct policy p = { 0 };
	struct err e = { 0 };

	if (!policy_read(m, root))
		return false;
	for (uint32_t i = 0; i < m->n_entries; i++)
		if (!m->entries[i]->broken)
			policy_order(m, m->entries[i]);
	policy_spend(m);
	policy_overlap(m);
	check_ports(m);
	if (m->arena->failed)
		model_error(m, start, "the policy needs too much memory; split it");
	if (m->problems->n_errors)
		return false;
	if (!policy_write(m, out)) {
		if (!m->problems->n_errors)
			model_error(m, start, "the compiled policy would be too large; split it");
		return false;
	}
	must(policy_open(&p, buf_view(out), &e));
	return true;
}

bool policy_compile(struct bytes text, const struct policy_options *options, struct buf *ret_blob,
		    struct policy_problems *problems)
{
	ARENA_AUTO struct arena arena;
	BUF_AUTO struct buf blob;
	struct yaml_tree_fault fault = { 0 };
	struct model m = { .arena = &arena, .problems = problems, .options = options };
	struct yaml_tree *tree;
	bool ok = false;

	must(options->sha256);
	arena_init(&arena, ARENA_MAX);
	buf_init(&blob, POLICY_BLOB_MAX);
	tree = yaml_tree_parse(text, &fault);
	if (tree)
		ok = compile(&m, yaml_tree_root(tree), &blob);
	else
		policy_problem_add(problems, POLICY_ERROR, fault.line, fault.column, "%s",
				   fault.text);
	policy_problems_sort(problems);
	if (ok)
		ok = buf_bytes(ret_blob, buf_view(&blob));
	yaml_tree_free(tree);
	return ok;
}
