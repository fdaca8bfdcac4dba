/* Punycode (RFC 3492) as host names use it: only enough to know that a label is the canonical spelling of what it stands for. */
#ifndef SAW_WIRE_PUNYCODE_H
#define SAW_WIRE_PUNYCODE_H

#include "base/bytes.h"

enum { PUNYCODE_MAX = 59 }; /* bytes behind xn-- in a label of 63 */

/* `text`: what follows "xn--", lower case letters, digits, hyphens. True when it decodes, to at least one character beyond ASCII
 * and to none that would itself end a label, and encodes back to exactly `text`. Bounded work: at most PUNYCODE_MAX characters. */
bool punycode_canonical(struct bytes text);

#endif
