/* A policy file after reading, before writing: what the compiler's units hand to each other. Private to them. */
#ifndef SAW_RULES_POLICY_MODEL_H
#define SAW_RULES_POLICY_MODEL_H

#include "base/arena.h"
#include "rules/policy_blob.h"
#include "rules/policy_compile.h"
#include "wire/yaml_tree.h"

enum {
	POLICY_RULES_MAX = 2048, /* of one entry */
	POLICY_LIST_MAX = 20000, /* elements of any list of texts */
	POLICY_BUDGET_MAX = 10000,
};
/* Comparing rules costs at most about two nanoseconds for each pair of bytes of their patterns: some ten seconds for a whole policy. */
#define POLICY_WORK_MAX 5000000000ULL

struct place {
	uint32_t line;
	uint32_t column;
};

struct model_text {
	struct bytes text;
	struct place at;
};

struct model_condition {
	enum policy_condition_kind kind;
	struct model_text key;
	struct model_text *values; /* sorted */
	uint32_t n_values;
};

struct model_rule {
	struct place at;
	struct place methods_at;
	bool dead; /* matches nothing, as said in a warning */
	enum policy_class class;
	enum policy_effect effect;
	uint32_t methods;
	struct model_text *paths; /* sorted */
	uint32_t n_paths;
	struct model_condition *conditions; /* sorted by kind and key */
	uint32_t n_conditions;
	struct bytes name;
};

enum model_field {
	FIELD_MODE,
	FIELD_RULES,
	FIELD_ADDRESSES,
	FIELD_OBSERVE,
	FIELD_ENCODED_SLASH,
	FIELD_BUDGET,
	FIELD_END
};

struct model_entry {
	struct place at;
	struct model_text name;
	bool broken; /* already refused: only its hosts and name are looked at any more */
	struct model_text *hosts;
	uint32_t n_hosts;
	uint16_t ports[POLICY_PORTS_MAX]; /* ascending */
	struct place ports_at[POLICY_PORTS_MAX];
	uint32_t n_ports;
	enum policy_mode mode;
	bool observe;
	bool encoded_slash;
	uint32_t budget;
	struct ip_prefix *prefixes; /* sorted */
	uint32_t n_prefixes;
	struct model_rule *rules; /* after policy_order(): in the order in which they decide */
	uint32_t n_rules;
	struct place
		field[FIELD_END]; /* where each was said; the entry's own place when it was not */
	uint32_t index; /* in the blob: by name */
};

struct model {
	struct arena *arena;
	struct policy_problems *problems;
	const struct policy_options *options;
	struct bytes label;
	bool lab;
	struct {
		bool said;
		bool used;
		enum policy_effect effect;
		struct place at;
	} verdicts[POLICY_CLASS_END];
	uint64_t work; /* spent on comparing rules */
	struct model_entry **entries; /* after reading: sorted by name */
	uint32_t n_entries;
};

static inline struct place place_of(const struct yaml_tree_node *n)
{
	return (struct place){ n->line, n->column };
}

#define model_error(m, at, ...)                                                                    \
	policy_problem_add((m)->problems, POLICY_ERROR, (at).line, (at).column, __VA_ARGS__)
#define model_warning(m, at, ...)                                                                  \
	policy_problem_add((m)->problems, POLICY_WARNING, (at).line, (at).column, __VA_ARGS__)

/* policy_read.c: the whole file; false when nothing of it makes sense. */
bool policy_read(struct model *m, const struct yaml_tree_node *root);
/* policy_read_rule.c: rules or the expansion of an access preset, into e->rules. */
void policy_read_rules(struct model *m, struct model_entry *e, const struct yaml_tree_node *rules);
void policy_read_access(struct model *m, struct model_entry *e,
			const struct yaml_tree_node *access);
/* policy_order.c: what rules of one entry mean beside each other; sorts them. */
void policy_order(struct model *m, struct model_entry *e);
/* policy_overlap.c: entries that share a name and a port. */
void policy_overlap(struct model *m);
/* policy_write.c: the blob. False: over the limits of a blob, or out of memory. */
bool policy_write(struct model *m, struct buf *out);

/* Total orders over content, places aside. */
int model_text_cmp(const void *a, const void *b); /* of struct model_text */
int model_rule_cmp(const struct model_rule *a, const struct model_rule *b);

#endif
