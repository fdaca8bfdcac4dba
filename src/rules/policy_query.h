/* One key of a query string, for conditions: present once and plain, absent, or not clear enough to decide on. */
#ifndef SAW_RULES_POLICY_QUERY_H
#define SAW_RULES_POLICY_QUERY_H

#include "base/bytes.h"

enum {
	POLICY_QUERY_VALUE_MAX = 512,
	/* Of what comes behind as many pairs as it takes a server may see nothing and say nothing: PHP and qs take 1000, others are set lower. Only
	 * below any such limit what stands here is what the host reads. */
	POLICY_QUERY_PAIRS_MAX = 100,
};

enum policy_query_answer {
	POLICY_QUERY_ABSENT,
	POLICY_QUERY_ONCE,
	/* twice, as `key[...]`, in another case or otherwise like it (" key", "[key]", "key]", "k.ey", "k[ey" and "kEy" for "k_ey"), in a query of more
	 * than POLICY_QUERY_PAIRS_MAX pairs, or in one whose parts servers read differently: ';', '+', a bad or over-long escape */
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
