/* The part of a comparison that is about one name and port and not about its requests. Private to policy_diff*.c. */
#ifndef SAW_RULES_POLICY_DIFF_SPEND_H
#define SAW_RULES_POLICY_DIFF_SPEND_H

#include "base/buf.h"
#include "rules/policy_diff.h"
#include "rules/policy_view.h"

struct policy_spend_pair {
	const struct policy *from;
	const struct policy *to;
	const struct blob_entry *from_entry; /* NULL: `from` does not list the name and port */
	const struct blob_entry *to_entry;
	struct bytes host; /* as `to` lists it */
	uint16_t port;
	policy_change_fn *tell;
	void *owner;
	bool failed; /* out of memory */
};

/* Tells what `to` spends, where it leads, whom it trusts and what of answers it passes that `from` does not. */
void policy_diff_spend(struct policy_spend_pair *s);

#endif
