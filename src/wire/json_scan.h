/* A strict, bounded JSON reader (RFC 8259) over one complete text: a flat table of nodes that borrow from it.
 *
 * Stricter than the RFC where it leaves a choice: no byte order mark, no duplicate member names (compared as decoded), no
 * unpaired surrogates, no U+0000, valid UTF-8 only, nothing but white space behind the value. */
#ifndef SAW_WIRE_JSON_SCAN_H
#define SAW_WIRE_JSON_SCAN_H

#include "base/buf.h"
#include "wire/json_lex.h"

enum {
	JSON_TEXT_MAX = 16 * 1024 * 1024,
	JSON_DEPTH_MAX = 16,
	JSON_MEMBERS_MAX = 512, /* of one object: bounds the search for duplicates */
};

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Links are indices into the table; 0 is none (the root is nobody's child). */
struct json_node {
	enum json_kind kind;
	struct bytes key; /* member name as written between its quotes; empty outside objects */
	struct bytes raw; /* string: between the quotes, still escaped. number: its text. else empty */
	uint32_t first; /* first child */
	uint32_t next; /* next sibling */
};

/* Fills `nodes` (nodes[0] is the root) and *ret_n. On failure only *ret_at is set: the byte where it went wrong. */
enum json_answer json_scan(struct bytes text, struct json_node *nodes, uint32_t max, uint32_t *ret_n, size_t *ret_at);

/* The member `key` of the object `of`; NULL when `of` is NULL, is no object or has none: look-ups may be chained. */
const struct json_node *json_get(const struct json_node *nodes, const struct json_node *of, const char *key);
/* The `i`th element of the array `of`, or NULL. */
const struct json_node *json_at(const struct json_node *nodes, const struct json_node *of, uint32_t i);

/* Appends the decoded text of a string. False (nothing appended) when `n` is NULL or no string, or `out` failed. */
bool json_text(const struct json_node *n, struct buf *out);
/* `n` is a string whose decoded text equals `text`. */
bool json_is(const struct json_node *n, const char *text);
/* A whole number 0..max without sign, fraction or exponent. */
bool json_u64(const struct json_node *n, uint64_t max, uint64_t *ret);
bool json_bool(const struct json_node *n, bool *ret);

#endif
