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

#endif
