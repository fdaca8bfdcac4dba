/* The hosts of a policy file: a canonical name, or a wildcard over one. Links libidn2 and libpsl. */
#ifndef SAW_RULES_HOST_PATTERN_H
#define SAW_RULES_HOST_PATTERN_H

#include "base/bytes.h"

enum { HOST_PATTERN_FAULT_MAX = 400 };

/* True when a policy may list this text as it stands: "name", "*.name" or "**.name", canonical, a wildcard only below a domain
 * that has one owner. Else "what is wrong; what to write instead". */
bool host_pattern_ok(struct bytes text, char ret_fault[HOST_PATTERN_FAULT_MAX]);

/* The host serves many owners, so that a rule without a path lets data out to any of them. */
bool host_pattern_shared(struct bytes text);

/* The host does something when it is asked, by GET too: webhooks and the like. A preset cannot tell reading from acting there. */
bool host_pattern_acts(struct bytes text);

#endif
