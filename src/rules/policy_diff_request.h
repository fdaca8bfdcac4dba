/* The part of a comparison that is about the requests of two entries. Private to policy_diff*.c. */
#ifndef SAW_RULES_POLICY_DIFF_REQUEST_H
#define SAW_RULES_POLICY_DIFF_REQUEST_H

#include "rules/policy_diff.h"
#include "rules/policy_view.h"

struct policy_request_pair {
	const struct policy *from;
	const struct policy *to;
	const struct blob_entry *from_entry; /* root BLOB_NONE: it allows none */
	const struct blob_entry *to_entry;
	policy_change_fn *tell;
	void *owner;
	bool failed; /* out of memory */
};

/* Tells which requests `to` allows, or allows with push options or without a scan of the answer, that `from` does not. */
void policy_diff_requests(struct policy_request_pair *s);

#endif
