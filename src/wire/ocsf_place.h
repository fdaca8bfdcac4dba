/* Where a line stands in its log (wire/ocsf.h). */
#ifndef SAW_WIRE_OCSF_PLACE_H
#define SAW_WIRE_OCSF_PLACE_H

#include <stdbool.h>

#include "base/bytes.h"

enum { OCSF_HEX_MAX = 65 /* a hash as 64 lower-case hex digits and a NUL */ };

struct ocsf_place {
	uint64_t sequence;
	char prev[OCSF_HEX_MAX];
};

/* Reads a line's place back; false when it is not a line of ours. */
bool ocsf_place_read(struct bytes line, struct ocsf_place *ret);

#endif
