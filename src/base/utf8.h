/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef SAW_BASE_UTF8_H
#define SAW_BASE_UTF8_H

#include "base/bytes.h"

enum { UTF8_MAX = 4 }; /* bytes of one character */

/* Length of the first character and its code point, or 0 (ret_c untouched) when there is none. */
size_t utf8_next(struct bytes s, uint32_t *ret_c);
/* The whole run is valid. */
bool utf8_valid(struct bytes s);
/* Writes the code point (a scalar value) and gives its length. */
size_t utf8_put(uint32_t c, uint8_t ret[UTF8_MAX]);

/* The same for text that comes in pieces: zero-initialise, feed byte by byte. The text may end where `left` is 0. Private but for that. */
struct utf8_run {
	uint8_t left; /* bytes that the present character still wants */
	uint8_t low, high; /* between which the next one must be */
};
/* False for a byte that no valid text has here; the run is of no further use. */
bool utf8_run_byte(struct utf8_run *r, uint8_t c);

#endif
