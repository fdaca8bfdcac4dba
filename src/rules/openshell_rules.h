/* Method and path rules of an OpenShell endpoint, as cells that our rules are made of. Private to the importer. */
#ifndef SAW_RULES_OPENSHELL_RULES_H
#define SAW_RULES_OPENSHELL_RULES_H

#include "rules/policy_model.h"

enum { OPENSHELL_CELLS_MAX = 2048 };

/* One path with methods; `query` is our YAML for its conditions, empty without any. */
struct openshell_cell {
	struct place at;
	bool deny;
	uint32_t methods;
	struct bytes path;
	struct bytes query;
};

struct openshell_cells {
	struct model *m;
	bool encoded_slash;
	struct openshell_cell *v; /* room for OPENSHELL_CELLS_MAX */
	uint32_t n;
};

/* Each adds cells, or problems of the model. */
void openshell_add_rules(struct openshell_cells *c, const struct yaml_tree_node *rules);
void openshell_add_denies(struct openshell_cells *c, const struct yaml_tree_node *deny_rules);
void openshell_add_preset(struct openshell_cells *c, const struct yaml_tree_node *access);

/* Drops what other cells cover, and writes the rest as the rules of an entry. *ret_classes: bit 0 read, bit 1 write. */
void openshell_write_rules(struct openshell_cells *c, struct buf *out, unsigned *ret_classes);

#endif
