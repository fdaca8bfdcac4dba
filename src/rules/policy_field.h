/* Typed reading of the values of a policy file: nothing is guessed, everything refused has its place and remedy. Private to the compiler. */
#ifndef SAW_RULES_POLICY_FIELD_H
#define SAW_RULES_POLICY_FIELD_H

#include "rules/policy_model.h"

enum { FIELD_SHOW_MAX = 84 };

/* A key that a mapping may have. */
struct field_key {
	const char *key;
	const char *
		refused; /* a key of another place or version: why it cannot stand here; NULL: it may */
};

/* Looks at every key of a mapping; values[i] becomes the value of keys[i] or NULL. False when `node` is no mapping. Every unknown or
 * refused key is a problem, and the rest is read all the same. */
bool field_map(struct model *m, const struct yaml_tree_node *node, const char *what,
	       const struct field_key *keys, size_t n, const struct yaml_tree_node **values);

struct field_word {
	const char *word;
	int value;
	const char *refused; /* as in field_key */
};
/* One of a list of words, exactly. */
bool field_word(struct model *m, const struct yaml_tree_node *node, const char *key,
		const struct field_word *words, size_t n, int *ret);

/* Text that no reader of YAML would take for anything else, on one line, 1 to `max` bytes. */
bool field_text(struct model *m, const struct yaml_tree_node *node, const char *key, size_t max,
		struct model_text *ret);
/* [a-z0-9][a-z0-9._-]*, at most 63. */
bool field_name(struct model *m, const struct yaml_tree_node *node, const char *key,
		struct model_text *ret);
bool field_bool(struct model *m, const struct yaml_tree_node *node, const char *key, bool *ret);
/* Decimal, without quotes, sign or leading zeros. */
bool field_number(struct model *m, const struct yaml_tree_node *node, const char *key, uint64_t min,
		  uint64_t max, uint64_t *ret);
bool field_is_list(struct model *m, const struct yaml_tree_node *node, const char *key);

/* At most 80 bytes of a text for a message, cut with "..." at a character. */
const char *field_show(struct bytes text, char ret[FIELD_SHOW_MAX]);

/* A text for a list of distinct texts: duplicates are problems. `list` has room; sorted insertion is up to the caller afterwards. */
void field_sort_distinct(struct model *m, struct model_text *list, uint32_t *n, const char *what);

#endif
