/* Values that a rule wants at a JSON pointer, as they stand in a compiled policy: one letter for the type and the value behind it. */
// "s" and a pattern in which `*` is any run of characters; "n" and a number; "t", "f" and "z" for true, false and null.
#ifndef SAW_RULES_POLICY_JSON_H
#define SAW_RULES_POLICY_JSON_H

#include "wire/json_pointer.h"

enum { POLICY_JSON_DIGITS_MAX = 15 };

/* What `models` of an entry is about. */
#define POLICY_JSON_MODEL "/model"

/* The number as a rule may write it: decimal, no exponent, no zero that says nothing, at most POLICY_JSON_DIGITS_MAX digits, so that no reader
 * rounds another number to it. */
bool policy_json_number_ok(struct bytes text);

/* Any `want` is safe. Absent values, objects and arrays match nothing. */
bool policy_json_match(struct bytes want, const struct json_value *value);

#endif
