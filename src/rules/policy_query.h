/* One key of a query string, for conditions: present once and plain, absent, or not clear enough to decide on. */
#ifndef SAW_RULES_POLICY_QUERY_H
#define SAW_RULES_POLICY_QUERY_H

#include "base/bytes.h"

enum { POLICY_QUERY_VALUE_MAX = 512 };

enum policy_query_answer {
	POLICY_QUERY_ABSENT,
	POLICY_QUERY_ONCE,
	/* twice, as `key[...]`, in another case or otherwise like it (" key", "k.ey" for "k_ey"), or in a query whose parts servers read differently: ';', '+', a bad or over-long escape */
	POLICY_QUERY_UNCLEAR,
};

struct policy_query_value {
	size_t len;
	uint8_t p[POLICY_QUERY_VALUE_MAX];
};

/* `query`: without '?'. ONCE: *ret is the value, escapes decoded. */
enum policy_query_answer policy_query_find(struct bytes query, struct bytes key,
					   struct policy_query_value *ret);

#endif
