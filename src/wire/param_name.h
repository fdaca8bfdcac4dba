/* Which bytes of what stands in front of `=` servers make the name of a parameter of, in a query or a form. */
#ifndef SAW_WIRE_PARAM_NAME_H
#define SAW_WIRE_PARAM_NAME_H

#include "base/bytes.h"

enum param_name_byte {
	PARAM_NAME_HAS, /* is of the name */
	PARAM_NAME_SKIPS, /* is not, but the name goes on */
	PARAM_NAME_ENDS, /* nor does anything behind it */
};

/* How the byte `c`, decoded, counts behind `n` that the name has. Blanks in front are dropped (PHP); so are brackets, and behind the first
 * other byte a bracket ends the name: to Rack and Rails `[a]`, `]a`, `a]` and `[a` are `a`, and `a[b]` is in `a`; qs reads `[a]` so. A NUL
 * ends it (PHP). */
enum param_name_byte param_name_byte(size_t n, uint8_t c);

/* The other reading, of PHP: an opening bracket that none closes is an underscore, and *c becomes it. False: a bracket closes, so that the
 * name has no such reading. */
bool param_name_unclosed(uint8_t *c);

#endif
