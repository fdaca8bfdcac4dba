/* What a body says, for the rules that read it: the answer to POLICY_NEEDS_JSON and POLICY_NEEDS_GIT. */
#ifndef SAW_RULES_POLICY_BODY_H
#define SAW_RULES_POLICY_BODY_H

#include "base/arena.h"
#include "rules/policy.h"
#include "wire/git_push.h"
#include "wire/http1_form.h"
#include "wire/json_pointer.h"

enum { POLICY_BODY_JSON_MAX = JSON_POINTER_BODY_MAX }; /* a longer one is TOO_LARGE */

enum policy_body_state {
	POLICY_BODY_READ, /* the facts below are the body's */
	POLICY_BODY_TOO_LARGE, /* over the limit: a prefix is never judged */
	POLICY_BODY_IS_CODED, /* a Content-Encoding that nobody took off */
	POLICY_BODY_UNPARSABLE, /* not in the grammar that the rule names */
	POLICY_BODY_UNCLEAR, /* in its grammar, but servers read it in different ways */
};

/* Zeroed, with another state than READ: a body that no rule can judge. Borrows what it points to. */
struct policy_body {
	enum policy_body_state state;
	struct json_value values[POLICY_POINTERS_MAX]; /* JSON: of the entry's pointers, in its order */
	size_t n_values;
	const struct git_command *commands; /* GIT: all of them; none at all is what a client sends to see whether it may push */
	size_t n_commands;
	bool is_push; /* false: the facts are not those of a push */
	bool push_options;
};

/* What the rules of `e` ask of a JSON body; whatever it is, *ret then has its state. `a`: a fresh arena, for as long as *ret is used; it takes at most
 * JSON_POINTER_ARENA_MAX and is the caller's to charge. */
void policy_body_json(const struct policy *p, const struct policy_entry *e, struct bytes body, struct arena *a, struct policy_body *ret);
/* How a body that is read as JSON may be read, by what its sender says it is. READ: as JSON, unless it is pairs, too. UNCLEAR: a server may go by the label
 * and read something else. */
enum policy_body_state policy_body_labelled(enum http1_form_kind kind, struct bytes content_type);
/* A server that goes by the label finds more than one pair in it. */
bool policy_body_is_pairs(enum http1_form_kind kind, struct bytes body);
/* What git_push_read() found; `commands` must outlive *ret. */
void policy_body_push(const struct git_push *push, const struct git_command *commands, struct policy_body *ret);
/* What it could not read. */
enum policy_body_state policy_body_git_fault(enum git_fault fault);

#endif
