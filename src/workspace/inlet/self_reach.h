/* What the guest is told of its reach, at http://saw.internal/v1/reach. */
#ifndef SAW_INLET_SELF_REACH_H
#define SAW_INLET_SELF_REACH_H

#include "base/buf.h"
#include "rules/policy.h"

/* Appends a JSON object to `out`. `query` empty: all that policy lists, and what its rules say of requests. "url=https://host/path&method=POST": what the gateway would say to this one
 * request, which nobody sends, and what Security would have to change (rules/policy_change.h). False: `query` is no such question. */
bool self_reach(const struct policy *p, struct bytes query, struct buf *out);

#endif
