/* Values at JSON pointers (RFC 6901) of one request body, read so strictly that no server reads other values out of it.
 *
 * The body is one text of RFC 8259 in valid UTF-8: no byte order mark, nothing but white space around the value, no unpaired
 * surrogates, no number outside the range of a double. Whatever parsers are known to disagree about is a refusal:
 *  - a member name twice in one object, anywhere in the text, names compared as decoded;
 *  - U+0000 in a member name, or in a text that a pointer leads to (readers with C strings end it there);
 *  - on the way of a pointer, a name that equals its token only when case and underscores within are ignored, whether the exact name is there or
 *    not: some readers ignore case, and those of Protocol Buffers take dryRun and dry_run for one field. K and S have the foreign twins of Unicode's
 *    folding, I those with and without a dot; other characters beyond ASCII all count as equal;
 *  - a number that a pointer leads to and that a double would round: over 15 significant digits, but for whole numbers within
 *    64 bits. Rules must not name whole numbers beyond 2^53, which rounding could produce. */
#ifndef SAW_WIRE_JSON_POINTER_H
#define SAW_WIRE_JSON_POINTER_H

#include "base/arena.h"
#include "wire/json_lex.h"

enum {
	JSON_POINTER_BODY_MAX = 1024 * 1024,
	JSON_POINTER_DEPTH_MAX = 64, /* of the text and of a pointer */
	JSON_POINTER_LEN_MAX = 256,
	JSON_POINTERS_MAX = 16, /* read in one pass */
	JSON_POINTER_MEMBERS_MAX = 64 * 1024, /* names of the objects that are open at one place */
	/* what the arena gives at most: names to compare, and strings that had to be unescaped */
	JSON_POINTER_ARENA_MAX = JSON_POINTER_MEMBERS_MAX * 8 + JSON_POINTERS_MAX * JSON_POINTER_BODY_MAX,
};

enum json_value_kind {
	JSON_VALUE_ABSENT,
	JSON_VALUE_NULL,
	JSON_VALUE_FALSE,
	JSON_VALUE_TRUE,
	JSON_VALUE_NUMBER,
	JSON_VALUE_STRING,
	JSON_VALUE_OBJECT,
	JSON_VALUE_ARRAY,
};

struct json_value {
	enum json_value_kind kind;
	struct bytes text; /* string: decoded. number: as written. Borrows from the body or the arena. else empty */
};

enum json_pointer_answer {
	JSON_POINTER_DONE,
	JSON_POINTER_NOT_PARSABLE, /* no JSON text as above; an empty body */
	JSON_POINTER_AMBIGUOUS, /* a name twice, a twin in another case, U+0000, a looked-at number that rounds */
	JSON_POINTER_TOO_DEEP,
	JSON_POINTER_TOO_LARGE, /* the body, its names, or the arena's ceiling */
};

/* "" (the whole text) or tokens that begin with '/', in valid UTF-8, ~ only as ~0 and ~1, within the limits. The token of an array's
 * element is its index without leading zeros; "-" is no element, so absent. */
bool json_pointer_valid(struct bytes pointer);

/* Fills ret[i] for pointers[i], `n` <= JSON_POINTERS_MAX, each valid (must). On failure only *ret_at: the byte where it went wrong. */
enum json_pointer_answer json_pointer_read(struct bytes body, const struct bytes *pointers, size_t n, struct arena *a,
					   struct json_value *ret, size_t *ret_at);

#endif
