/* Which rules of an entry have a path: a walk down its trie. Private to policy*.c. */
#ifndef SAW_RULES_POLICY_WALK_H
#define SAW_RULES_POLICY_WALK_H

#include "rules/policy_view.h"

/* A rule has the path; `index` is its place among those of the entry, where the first one decides. */
typedef void policy_walk_fn(void *owner, uint32_t index);

/* Tells each rule whose pattern is the path, in no order; rules from *before on may be left out, and `found` may lower it. `path` starts with '/',
 * else no rule has it. */
void policy_walk(const struct policy *p, const struct blob_entry *e, struct bytes path, const uint32_t *before, policy_walk_fn *found, void *owner);

#endif
