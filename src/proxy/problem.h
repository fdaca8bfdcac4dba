/* The problem document of RFC 9457 that a refused request is answered with; agents read it and act on it. */
#ifndef SAW_PROXY_PROBLEM_H
#define SAW_PROXY_PROBLEM_H

#include "base/buf.h"
#include "rules/reason.h"

enum { PROBLEM_MAX = 32 * 1024 };

/* Texts are borrowed; the empty ones are left out. */
struct problem {
	unsigned status;
	enum reason reason; /* REASON_OK: the status says it all */
	struct bytes host;
	struct bytes rule;
	struct bytes change; /* rules/policy_change.h */
	struct bytes credential; /* the id of the one that is missing */
};

/* Appends the JSON document. */
void problem_put(const struct problem *p, struct buf *out);
/* Appends a whole answer of HTTP/1.1 with it. `last`: the connection ends with it. `to_head`: without its content. */
void problem_answer(const struct problem *p, bool last, bool to_head, struct buf *out);

#endif
