/* What a number of JSON (RFC 8259, 6) is worth, without rounding it. */
#ifndef SAW_WIRE_JSON_NUMBER_H
#define SAW_WIRE_JSON_NUMBER_H

#include "wire/json_lex.h"

/* The whole of `s` is one number of at most JSON_NUMBER_MAX bytes. */
bool json_number_valid(struct bytes s);
/* The same number: 1, 1.0 and 10e-1 are; 0 and -0 too. False when one is not valid. */
bool json_number_same(struct bytes a, struct bytes b);

/* For valid ones. Zero, or between 1e-307 and 1e308 without its sign: readers make it neither infinite nor zero. */
bool json_number_is_double(struct bytes s);
/* A reader that takes it for a double may read another number: more than 15 significant digits. Whole numbers within 64 bits are
 * excepted when they are written plainly, as ids are: a double of theirs stays on their side of 2^53. */
bool json_number_rounds(struct bytes s);

#endif
