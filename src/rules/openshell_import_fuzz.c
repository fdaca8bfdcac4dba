#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "rules/openshell_import.h"
#include "wire/yaml_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What converts is YAML; what does not has a place and leaves nothing behind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct openshell_options options = { .any_process = size & 1,
						   .network_only = size & 2 };
	struct policy_problems problems = { 0 };
	struct yaml_tree_fault fault = { 0 };
	struct yaml_tree *tree;
	struct buf out;

	buf_init(&out, 1 << 22);
	if (openshell_import(bytes_of(data, size), &options, &out, &problems)) {
		tree = yaml_tree_parse(buf_view(&out), &fault);
		must(tree);
		yaml_tree_free(tree);
	} else {
		must(out.failed || (out.len == 0 && problems.n > 0));
	}
	for (size_t i = 0; i < problems.n; i++)
		must(problems.v[i].line > 0 && problems.v[i].column > 0);
	policy_problems_deinit(&problems);
	buf_deinit(&out);
	return 0;
}
