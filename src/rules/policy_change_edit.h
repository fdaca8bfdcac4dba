/* How edits are written. Private to policy_change*.c. */
#ifndef SAW_RULES_POLICY_CHANGE_EDIT_H
#define SAW_RULES_POLICY_CHANGE_EDIT_H

#include "rules/policy_change.h"
#include "rules/policy_view.h"

enum { CHANGE_CLASS_MAX = 64, CHANGE_WHY_MAX = 256 };

struct change {
	const struct policy *p;
	const struct policy_refused *r;
	const struct blob_entry *e; /* that owns the name and port; NULL: none */
	struct buf text; /* of the edits so far */
	const char *never; /* why there is no change */
	char why[CHANGE_WHY_MAX]; /* where `never` names something of the policy */
};

/* Writes "; " where an edit stands before, and the format. */
void change_edit(struct change *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends to the last edit: `text` as a quoted scalar of YAML. */
void change_quoted(struct change *c, struct bytes text);
/* Appends to the last edit: the pattern that matches exactly `text`, quoted. Sets c->never when there is no such pattern. */
void change_pattern(struct change *c, struct bytes text);
/* Begins an edit with its place in the entry: "network[forge]" and then `inside`. */
void change_place(struct change *c, const char *inside);
/* Begins an edit with its place in a rule: `network[forge].rules["forge: read GET /"]` and then `inside`. */
void change_rule_place(struct change *c, struct bytes rule, const char *inside);

/* There is no change, and this is why. */
void change_never(struct change *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A class that policy allows: read or write, as what was asked for does, unless policy holds that one back; then one of the policy's own. Where the class
 * has no verdict yet that is the first edit. */
void change_class(struct change *c, bool reads, char ret[CHANGE_CLASS_MAX]);
/* The rule, of this class, is to be allowed: it gets another class, or its own one another verdict where no other rule has it. */
void change_lift(struct change *c, struct bytes rule, struct bytes class, bool reads);
/* Before a rule is added to the entry: presets are written out. */
void change_write_out(struct change *c);

/* policy_change_rule.c: a request of rest or gRPC that the entry refuses. */
void change_request(struct change *c);
/* "{class: read, methods: [GET], paths: ["/x"]}" for exactly this request. False: no rule says that, and c->never why. */
bool change_put_rule(struct change *c, const char *class);
bool change_reads(const struct policy_request *r);
/* Where the entry's credential is not bound to `path`: the edit that adds it. */
void change_bind(struct change *c, struct bytes path);

/* policy_change_git.c: a request that a git entry refuses. */
void change_git(struct change *c);

#endif
