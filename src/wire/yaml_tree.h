/* A YAML document as a bounded tree with the place of every node: the plain part of the language and nothing that guesses.
 * Refused: anchors, aliases, tags, merge keys, directives, a second document, keys that are not scalars or come twice. */
#ifndef SAW_WIRE_YAML_TREE_H
#define SAW_WIRE_YAML_TREE_H

#include "base/bytes.h"

enum {
	YAML_TREE_TEXT_MAX = 8 * 1024 * 1024,
	YAML_TREE_DEPTH_MAX = 16,
	YAML_TREE_NODES_MAX = 1024 * 1024,
	YAML_TREE_KEYS_MAX = 256, /* of one mapping */
	YAML_TREE_KEY_MAX = 200, /* bytes */
	YAML_TREE_SCALAR_MAX = 64 * 1024,
	YAML_FAULT_TEXT_MAX = 256,
};

enum yaml_tree_kind { YAML_TREE_SCALAR = 1, YAML_TREE_LIST, YAML_TREE_MAP };

struct yaml_tree_node {
	enum yaml_tree_kind kind;
	bool plain; /* scalar without quotes: only such a one can be a number, a boolean or null */
	uint32_t line; /* from 1 */
	uint32_t column; /* from 1, in characters */
	struct bytes text; /* of a scalar: valid UTF-8 */
	uint32_t n; /* children */
	struct yaml_tree_node
		*first; /* elements of a list, values of a map, in the order of the file */
	struct yaml_tree_node *next;
	struct yaml_tree_node *key; /* of a value in a map: a scalar */
};

/* Why a text is refused, and where: "sentence; remedy". */
struct yaml_tree_fault {
	uint32_t line;
	uint32_t column;
	char text[YAML_FAULT_TEXT_MAX];
};

struct yaml_tree;

/* A tree, or NULL with *ret_fault. Borrows nothing. An empty text, or one of comments only, has the root NULL. */
struct yaml_tree *yaml_tree_parse(struct bytes text, struct yaml_tree_fault *ret_fault);
const struct yaml_tree_node *yaml_tree_root(const struct yaml_tree *t);
struct yaml_tree *yaml_tree_free(struct yaml_tree *t); /* gives NULL */

/* The value of a key in a map, or NULL. */
const struct yaml_tree_node *yaml_tree_get(const struct yaml_tree_node *map, const char *key);

/* What a plain scalar could be taken for by a reader that guesses (YAML 1.1 and 1.2 schemas together). */
enum yaml_tree_guess {
	YAML_GUESS_TEXT, /* nothing but text; every quoted scalar */
	YAML_GUESS_NULL,
	YAML_GUESS_BOOL,
	YAML_GUESS_NUMBER,
	YAML_GUESS_TIME,
};
enum yaml_tree_guess yaml_tree_guess(const struct yaml_tree_node *scalar);

#endif
