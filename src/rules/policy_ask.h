/* The questions that the gateway asks, with the same code and in the same order, about a request that nobody sends. */
#ifndef SAW_RULES_POLICY_ASK_H
#define SAW_RULES_POLICY_ASK_H

#include "base/buf.h"
#include "rules/policy_body.h"
#include "wire/http1_authority.h"

enum policy_scheme { POLICY_SCHEME_HTTP, POLICY_SCHEME_HTTPS, POLICY_SCHEME_TCP };

struct policy_ask {
	enum policy_scheme scheme;
	struct bytes method;
	struct bytes authority;
	struct bytes target; /* from the slash on; empty when there is none */
	bool websocket;
	struct bytes fields; /* names of header fields that it has beside those that every request has, with commas between */
	const struct bytes *destination; /* the Destination that it has; NULL: none */
	const struct bytes *body; /* NULL: not given */
	struct bytes type; /* the body's Content-Type; empty: none is said */
	const struct git_command *commands; /* of a push; NULL: not given */
	size_t n_commands;
	bool push_options; /* the push has some */
};

/* Takes `url` apart: "http://host/path", "https://...", "ws://...", "wss://..." or "tcp://host:port", and fills scheme, authority, target and websocket.
 * `method` empty: GET. False: it is none of these, or the method is no token. */
bool policy_ask_parse(struct bytes method, struct bytes url, struct policy_ask *ret);

struct policy_told {
	enum reason reason;
	bool observed;
	bool has_entry;
	struct http1_authority authority;
	struct policy_entry entry;
	struct policy_verdict verdict;
	struct buf target; /* canonical */
	struct buf destination; /* the same of the second path, where that was judged */
	struct buf change; /* rules/policy_change.h; empty when it is allowed */
};

/* Initialises *ret; verdict.needs says what is missing when the deciding rule reads the body. */
void policy_ask(const struct policy *p, const struct policy_ask *q, struct policy_told *ret);
void policy_told_deinit(struct policy_told *t);
#define POLICY_TOLD_AUTO __attribute__((cleanup(policy_told_deinit)))

/* The same name and port are asked for by http or https: requests are judged. */
bool policy_told_judged(const struct policy_told *t);
/* "allowed", "observed", "denied" */
const char *policy_told_decision(const struct policy_told *t);

#endif
