/* What the readers of rules of each protocol share. Private to policy_read*.c. */
#ifndef SAW_RULES_POLICY_RULE_H
#define SAW_RULES_POLICY_RULE_H

#include "rules/policy_model.h"

struct policy_git_nodes {
	const struct yaml_tree_node *git, *refs, *change, *push_options;
};
/* policy_read_git.c: acts and refs of a rule of protocol git, whose effect is known. */
void policy_read_git(struct model *m, struct model_rule *r, const struct policy_git_nodes *v);
/* A repository has one name, with and without ".git": its patterns lose the ending, and those that become equal are one. */
void policy_git_paths(struct model_rule *r);

struct policy_condition_nodes {
	const struct yaml_tree_node *query, *headers, *json;
};
/* policy_read_condition.c: conditions of a rule whose methods are known. */
void policy_read_conditions(struct model *m, struct model_entry *e, struct model_rule *r, const struct policy_condition_nodes *v);
/* `models` of an entry whose rules are known: a condition on /model for every rule that takes a body. */
void policy_read_models(struct model *m, struct model_entry *e, const struct yaml_tree_node *node);
/* When all conditions were read: numbers the JSON pointers of the entry, in an order that is not the file's. */
void policy_read_pointers(struct model_entry *e);

#endif
