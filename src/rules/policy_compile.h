/* The policy compiler: YAML text in, problems and a sealed blob out. Links libyaml, libidn2 and libpsl; no gateway role does. */
#ifndef SAW_RULES_POLICY_COMPILE_H
#define SAW_RULES_POLICY_COMPILE_H

#include "rules/policy.h"
#include "rules/policy_problem.h"

enum { POLICY_TEXT_MAX = 8 * 1024 * 1024 };

struct policy_options {
	/* Required: SHA-256 (crypt/sha256.h), which this room may not call by itself. */
	void (*sha256)(struct bytes data, uint8_t ret[32]);
	/* For a production channel: `lab` and `observe` are errors. */
	bool production;
	/* Where each rule was said, in the order of their numbers (struct policy_verdict), of a policy without an error. NULL: nobody asks. */
	void (*rule_fn)(void *owner, uint32_t line);
	void *owner;
};

/* True when the text has no error: *ret_blob (initialised by the caller with a ceiling of POLICY_BLOB_MAX) then holds a blob that
 * policy_open() accepts. False leaves it as it was. Problems, warnings included, stand in `problems` (zeroed by the caller) either way.
 * The same content in another order of entries, hosts, rules and keys gives the same bytes. */
bool policy_compile(struct bytes text, const struct policy_options *options, struct buf *ret_blob,
		    struct policy_problems *problems);

/* The part of a blob that policy_sha256() covers: for a loader that wants to check the seal. */
struct bytes policy_sealed(const struct policy *p);

#endif
