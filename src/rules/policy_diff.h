/* What one policy allows that another does not: for people who approve a change. */
#ifndef SAW_RULES_POLICY_DIFF_H
#define SAW_RULES_POLICY_DIFF_H

#include "rules/policy.h"

/* `text`: one line. What becomes reachable begins with a mode ("passthrough wiki.example:443 (entry wiki)"), "requests", "addresses", "leads" or
 * "trusts"; what becomes spendable with "spends", "credentials", "answers" or "cookies"; what becomes writable (a class other than read) with "writes". */
typedef void policy_change_fn(void *owner, const char *text);

/* Tells what `to` allows and `from` does not: hosts and ports, modes, requests (also with %2F, with push options, with answers that
 * nobody scans), address ranges, observing, credentials and where they are bound, the workspace's own where they are not taken out any more, hosts
 * behind names, roots. Never silent about something newly allowed; a request that is allowed by another way of saying it may be told as well. Called
 * with exchanged policies it tells what is no longer allowed. Keys of a line are any text. False when out of memory. */
bool policy_diff(const struct policy *from, const struct policy *to, policy_change_fn *tell,
		 void *owner);

#endif
