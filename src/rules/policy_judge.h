/* What the judges of the protocols share with those who tell of their verdicts. Private to policy*.c. */
#ifndef SAW_RULES_POLICY_JUDGE_H
#define SAW_RULES_POLICY_JUDGE_H

#include "rules/policy_body.h"
#include "rules/policy_spelling.h"
#include "rules/policy_view.h"

/* What a condition says of a request. PENDING: it reads the body, which is not there yet. */
enum policy_met { POLICY_UNMET, POLICY_MET, POLICY_UNCLEAR, POLICY_PENDING };
enum policy_met policy_condition_met(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, const struct blob_condition *c);
/* A header field of this name never arrives: it goes with the connection, or is taken out of every request before rules look. */
bool policy_field_dropped(struct bytes name);
/* A header field of this name is taken out before the request goes, or may be: with a credential's name, or where answers are read along. */
bool policy_field_taken(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, struct bytes name);

/* What a rule with this effect says to a request that it decides. */
enum reason policy_effect_reason(enum policy_effect effect);
/* Why a rule that reads the body cannot judge one in this state. A body without the facts that the rule needs is not parsable. */
enum reason policy_body_reason(enum policy_body_state state);

/* The spelling of the path, other than that of `r`, to which the answer is the strictest. False: none is held back by a rule. *ret lies in *s. */
bool policy_judge_other(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, struct policy_spelling *s, struct bytes *ret);

/* *ret_best: the rule that decided, or BLOB_NONE. */
enum reason policy_judge_git(const struct policy *p, const struct blob_entry *e, const struct policy_request *r, uint32_t *ret_best,
			     enum policy_needs *ret_needs);

#endif
