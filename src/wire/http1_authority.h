/* The authority of a request: host and port, as Host and an absolute-form target carry them. */
#ifndef SAW_WIRE_HTTP1_AUTHORITY_H
#define SAW_WIRE_HTTP1_AUTHORITY_H

#include "wire/http1.h"
#include "wire/name.h"

struct http1_authority {
	struct name name;
	uint16_t port; /* 0: not said */
};

/* HTTP1_FAULT_NONE with *ret, or HOST (empty, a list, with a path, a malformed port), AUTHORITY (another byte that does not belong
 * there), NAME, NAME_ADDRESS. */
enum http1_fault http1_authority_parse(struct bytes text, struct http1_authority *ret);

#endif
