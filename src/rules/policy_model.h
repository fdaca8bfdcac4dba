/* A policy file after reading, before writing: what the compiler's units hand to each other. Private to them. */
#ifndef SAW_RULES_POLICY_MODEL_H
#define SAW_RULES_POLICY_MODEL_H

#include "base/arena.h"
#include "rules/policy_compile.h"
#include "rules/policy_view.h"
#include "wire/yaml_tree.h"

enum {
	POLICY_RULES_MAX = 2048, /* of one entry */
	POLICY_LIST_MAX = 20000, /* elements of any list of texts */
	POLICY_BUDGET_MAX = 10000,
	POLICY_OWN_CLASSES_MAX = 32, /* names of classes beside read, draft and write */
	POLICY_BOUND_MAX = 256, /* hosts or paths of one credential */
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

struct model_ports {
	uint16_t v[POLICY_PORTS_MAX]; /* ascending */
	struct place at[POLICY_PORTS_MAX];
	uint32_t n;
};

/* Classes are numbers: 1 to 3 for the words that every policy has, behind them its own, sorted. */
enum {
	POLICY_CLASS_NONE,
	POLICY_CLASS_READ,
	POLICY_CLASS_DRAFT,
	POLICY_CLASS_WRITE,
	POLICY_CLASS_OWN,
	POLICY_CLASSES_MAX = POLICY_CLASS_OWN + POLICY_OWN_CLASSES_MAX
};

struct model_class {
	const char *name;
	bool said; /* has a verdict */
	bool used;
	enum policy_effect effect;
	struct place at;
};

struct model_condition {
	enum policy_condition_kind kind;
	struct model_text key;
	struct model_text *values; /* sorted */
	uint32_t n_values;
	uint32_t slot; /* JSON: its pointer among those of the entry */
};

struct model_rule {
	struct place at;
	struct place methods_at;
	bool dead; /* matches nothing, as said in a warning */
	uint32_t class;
	enum policy_effect effect;
	uint32_t flags; /* BLOB_PUSH_OPTIONS, BLOB_REFLECTIVE */
	uint32_t methods;
	struct model_text *paths; /* sorted */
	uint32_t n_paths;
	struct model_condition *conditions; /* sorted by kind and key */
	uint32_t n_conditions;
	struct bytes name;
};

enum model_field {
	FIELD_MODE,
	FIELD_PROTOCOL,
	FIELD_CREDENTIAL,
	FIELD_RULES,
	FIELD_ADDRESSES,
	FIELD_OBSERVE,
	FIELD_ENCODED_SLASH,
	FIELD_REFLECTIVE,
	FIELD_SET_COOKIE,
	FIELD_CA,
	FIELD_UPSTREAM,
	FIELD_AI,
	FIELD_BUDGET,
	FIELD_END
};

struct model_entry {
	struct place at;
	struct model_text name;
	bool broken; /* already refused: only its hosts and name are looked at any more */
	struct model_text *hosts;
	uint32_t n_hosts;
	struct model_ports ports;
	enum policy_mode mode;
	enum policy_protocol protocol;
	bool observe;
	bool encoded_slash;
	bool reflective;
	bool strip_set_cookie;
	enum policy_ai ai;
	struct model_text credential; /* its id, empty for none */
	uint32_t credential_index; /* after policy_spend(); else BLOB_NONE */
	struct bytes ca;
	struct model_text upstream;
	uint16_t upstream_port;
	struct model_text *pointers; /* distinct JSON pointers of its conditions */
	uint32_t n_pointers;
	uint32_t budget;
	struct ip_prefix *prefixes; /* sorted */
	uint32_t n_prefixes;
	struct model_rule *rules; /* after policy_order(): in the order in which they decide */
	uint32_t n_rules;
	struct place
		field[FIELD_END]; /* where each was said; the entry's own place when it was not */
	uint32_t index; /* in the blob: by name */
};

struct model_credential {
	struct place at;
	struct model_text id;
	bool broken;
	bool used;
	enum policy_inject inject;
	struct bytes header;
	struct bytes prefix;
	struct bytes suffix;
	struct bytes user;
	struct model_text *hosts;
	uint32_t n_hosts;
	struct model_ports ports; /* not said: those of the entries that use it */
	bool ports_said;
	struct model_text *paths;
	uint32_t n_paths;
};

struct model {
	struct arena *arena;
	struct policy_problems *problems;
	const struct policy_options *options;
	struct bytes label;
	bool lab;
	struct model_class classes[POLICY_CLASSES_MAX];
	uint32_t n_classes;
	uint64_t work; /* spent on comparing rules */
	struct model_entry **entries; /* after reading: sorted by name */
	uint32_t n_entries;
	struct model_credential *credentials; /* after reading: sorted by id */
	uint32_t n_credentials;
};

static inline struct place place_of(const struct yaml_tree_node *n)
{
	return (struct place){ n->line, n->column };
}

static inline bool model_judged(const struct model_entry *e)
{
	return e->mode == POLICY_HTTP || e->mode == POLICY_INTERCEPT;
}

#define model_error(m, at, ...)                                                                    \
	policy_problem_add((m)->problems, POLICY_ERROR, (at).line, (at).column, __VA_ARGS__)
#define model_warning(m, at, ...)                                                                  \
	policy_problem_add((m)->problems, POLICY_WARNING, (at).line, (at).column, __VA_ARGS__)

struct policy_option_nodes {
	const struct yaml_tree_node *credential, *reflective, *set_cookie, *ca, *upstream, *ai;
};

/* policy_read.c: the whole file; false when nothing of it makes sense. */
bool policy_read(struct model *m, const struct yaml_tree_node *root);
/* policy_read_entry.c: one entry of `network`. */
void policy_read_entry(struct model *m, struct model_entry *e, const struct yaml_tree_node *node);
void policy_read_hosts(struct model *m, const struct yaml_tree_node *node, const char *what, struct model_text **ret, uint32_t *ret_n);
void policy_read_ports(struct model *m, struct model_ports *ret, const struct yaml_tree_node *node);
/* policy_read_option.c: what only an intercepted entry may have. */
void policy_read_options(struct model *m, struct model_entry *e, const struct policy_option_nodes *v);
/* policy_read_rule.c: rules or the expansion of an access preset, into e->rules. */
void policy_read_rules(struct model *m, struct model_entry *e, const struct yaml_tree_node *rules);
void policy_read_access(struct model *m, struct model_entry *e,
			const struct yaml_tree_node *access);
/* policy_read_credential.c: the section `credentials`. */
void policy_read_credentials(struct model *m, const struct yaml_tree_node *node);
/* policy_spend.c: which entry may use which credential, and whether bindings fit. */
void policy_spend(struct model *m);
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
