/* HTTP methods as bits of a set, the way rules name them. */
#ifndef SAW_RULES_POLICY_METHOD_H
#define SAW_RULES_POLICY_METHOD_H

#include "base/buf.h"

enum {
	POLICY_METHOD_GET = 1 << 0,
	POLICY_METHOD_HEAD = 1 << 1,
	POLICY_METHOD_OPTIONS = 1 << 2,
	POLICY_METHOD_POST = 1 << 3,
	POLICY_METHOD_PUT = 1 << 4,
	POLICY_METHOD_PATCH = 1 << 5,
	POLICY_METHOD_DELETE = 1 << 6,
	/* GET that opens a WebSocket: a GET to a deny, granted only by a rule that says so */
	POLICY_METHOD_WEBSOCKET = 1 << 29,
	/* every method without a bit of its own */
	POLICY_METHOD_OTHER = 1 << 30,
};
#define POLICY_METHODS_ALL ((uint32_t)(POLICY_METHOD_OTHER | (POLICY_METHOD_OTHER - 1)))

/* The bit of a method as sent, POLICY_METHOD_OTHER for any other token, 0 for what no rule grants: CONNECT and TRACE in any case, and what is one of
 * those with a bit only when case is ignored. Methods have a case (RFC 9110, 9.1), but some servers make it upper, and to them a deny must mean
 * `delete`, too. */
uint32_t policy_method_bit(struct bytes method);
/* It is a known method but for its case. */
bool policy_method_twin(struct bytes method);
/* One that goes to two paths (COPY, MOVE), or may, since nobody knows it: a field names the second. */
bool policy_method_has_destination(struct bytes method);
/* The bit of a method as a rule may write it; 0 when it is unknown. */
uint32_t policy_method_known(struct bytes text);
/* "GET,HEAD", or "any" for all. */
void policy_methods_text(uint32_t set, struct buf *out);
/* Walks the known methods in the order of their bits; NULL past the end. */
const char *policy_method_at(unsigned i, uint32_t *ret_bit);

#endif
