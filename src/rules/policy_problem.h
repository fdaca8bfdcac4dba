/* What the compiler has to say about a policy file: where, what, and what to write instead. */
#ifndef SAW_RULES_POLICY_PROBLEM_H
#define SAW_RULES_POLICY_PROBLEM_H

#include "base/buf.h"

enum { POLICY_PROBLEMS_MAX = 200, POLICY_PROBLEM_TEXT_MAX = 512 };

enum policy_severity { POLICY_WARNING = 1, POLICY_ERROR };

struct policy_problem {
	enum policy_severity severity;
	uint32_t line; /* from 1 */
	uint32_t column; /* from 1 */
	char *text; /* "what is wrong; remedy", one line, valid UTF-8 without control characters */
};

/* Zero-initialise. Sorted by place once policy_compile() has returned. */
struct policy_problems {
	struct policy_problem *v;
	size_t n;
	size_t n_errors; /* also counts those that found no room */
	bool full; /* more than POLICY_PROBLEMS_MAX, or out of memory: some are not listed */
};

void policy_problem_add(struct policy_problems *p, enum policy_severity severity, uint32_t line,
			uint32_t column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* By line, column, severity, text. */
void policy_problems_sort(struct policy_problems *p);
void policy_problems_deinit(struct policy_problems *p); /* safe twice */
#define POLICY_PROBLEMS_AUTO __attribute__((cleanup(policy_problems_deinit)))

/* "error" or "warning". */
const char *policy_severity_text(enum policy_severity s);

#endif
