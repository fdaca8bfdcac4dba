/* The smallest change of a policy that would allow what it refused, for Security to make; or why no policy can allow it.
 *
 * A change is one line: edits in the order in which they are made, with "; " between them. Each says a place in the policy file, what
 * to do there, and the YAML to write:
 *
 *   network[forge].rules: add {class: write, methods: [POST], paths: ["/repos/o/r/pulls"]}
 *   network[forge].access: write out as rules [...]        only where the entry has `access`, beside which no rule can stand
 *   network[forge].rules["forge: deny any /admin"]: remove, or narrow it so that GET /admin is left out
 *   verdicts: add write: allow
 *
 * Nobody but Security can make it: the text goes to the guest as to everybody else, and says nothing but what the policy already told it. */
#ifndef SAW_RULES_POLICY_CHANGE_H
#define SAW_RULES_POLICY_CHANGE_H

#include "base/buf.h"
#include "rules/policy.h"

enum { POLICY_CHANGE_MAX = 2048 };

enum policy_change_answer {
	POLICY_CHANGE_NONE, /* policy did not refuse it, or allows it: nothing was added */
	POLICY_CHANGE_EDITS,
	POLICY_CHANGE_NEVER, /* "no policy allows this: why" */
};

/* What was refused. All borrowed, all canonical. */
struct policy_refused {
	enum reason reason;
	struct bytes name;
	uint16_t port; /* 0: only the name was asked for */
	enum policy_mode mode; /* in which it was asked for, as far as that is known; else 0 */
	const struct policy_request *request; /* NULL: none was read */
	struct ip address; /* REASON_ADDRESS_FORBIDDEN: the one that the name resolved to. family 0: not known */
	bool own_address; /* it is one of the gateway's own host */
};

/* Appends to `out`, which has room for POLICY_CHANGE_MAX. Whatever does not fit there is NEVER, with that as the reason. */
enum policy_change_answer policy_change(const struct policy *p, const struct policy_refused *r, struct buf *out);

#endif
