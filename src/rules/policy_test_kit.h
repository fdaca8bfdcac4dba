/* For tests of the compiler only: compile a text, ask the blob, look for a problem. */
#ifndef SAW_RULES_POLICY_TEST_KIT_H
#define SAW_RULES_POLICY_TEST_KIT_H

#include <stdlib.h>

#include "base/tap.h"
#include "rules/policy_compile.h"

/* Not SHA-256, which this room does not have: any function of the content does here. */
static inline void kit_hash(struct bytes data, uint8_t ret[32])
{
	uint64_t h = 0xcbf29ce484222325U;

	for (size_t i = 0; i < data.len; i++)
		h = (h ^ data.p[i]) * 0x100000001b3U;
	for (size_t i = 0; i < 32; i++)
		ret[i] = (uint8_t)(h >> (i % 8 * 8));
}

struct kit {
	struct buf blob;
	struct policy_problems problems;
	struct policy policy;
	bool ok;
};

static inline void kit_compile_bytes(struct kit *k, struct bytes text, bool production)
{
	const struct policy_options options = { .sha256 = kit_hash, .production = production };
	struct err e = { 0 };

	*k = (struct kit){ 0 };
	buf_init(&k->blob, POLICY_BLOB_MAX);
	k->ok = policy_compile(text, &options, &k->blob, &k->problems);
	if (k->ok && !policy_open(&k->policy, buf_view(&k->blob), &e))
		k->ok = CHECK(false);
}

static inline void kit_free(struct kit *k)
{
	buf_deinit(&k->blob);
	policy_problems_deinit(&k->problems);
}

static inline void kit_print(const struct kit *k, const char *text)
{
	printf("# --- policy\n");
	for (const char *line = text; *line;
	     line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != 0))
		printf("# %.*s\n", (int)strcspn(line, "\n"), line);
	for (size_t i = 0; i < k->problems.n; i++)
		printf("# %u:%u: %s: %s\n", k->problems.v[i].line, k->problems.v[i].column,
		       policy_severity_text(k->problems.v[i].severity), k->problems.v[i].text);
}

/* Compiles, or the test has failed. */
static inline struct kit kit_compile(const char *text)
{
	struct kit k;

	kit_compile_bytes(&k, bytes_str(text), false);
	if (!CHECK(k.ok))
		kit_print(&k, text);
	return k;
}

static inline bool kit_has(const struct kit *k, enum policy_severity s, uint32_t line,
			   uint32_t column, const char *word)
{
	for (size_t i = 0; i < k->problems.n; i++)
		if (k->problems.v[i].severity == s && k->problems.v[i].line == line &&
		    (column == 0 || k->problems.v[i].column == column) &&
		    strstr(k->problems.v[i].text, word))
			return true;
	return false;
}

/* Refused with an error at this place (column 0: any) whose text has this word, and a remedy behind a semicolon or question. */
static inline void kit_refused_in(const char *text, bool production, uint32_t line, uint32_t column,
				  const char *word)
{
	struct kit k;

	kit_compile_bytes(&k, bytes_str(text), production);
	if (!CHECK(!k.ok && kit_has(&k, POLICY_ERROR, line, column, word))) {
		printf("# wanted %u:%u: %s\n", line, column, word);
		kit_print(&k, text);
	}
	for (size_t i = 0; i < k.problems.n; i++)
		if (!CHECK(strpbrk(k.problems.v[i].text, ";?") != NULL))
			kit_print(&k, text);
	kit_free(&k);
}

static inline void kit_refused(const char *text, uint32_t line, uint32_t column, const char *word)
{
	kit_refused_in(text, false, line, column, word);
}

/* Accepted, with such a warning. */
static inline void kit_warned(const char *text, uint32_t line, uint32_t column, const char *word)
{
	struct kit k = kit_compile(text);

	if (!CHECK(kit_has(&k, POLICY_WARNING, line, column, word))) {
		printf("# wanted %u:%u: %s\n", line, column, word);
		kit_print(&k, text);
	}
	kit_free(&k);
}

struct kit_answer {
	enum reason reason;
	const char *class;
	const char *rule;
	bool observed;
};

static inline bool kit_no_header(const void *headers, struct bytes name)
{
	return headers && bytes_is(name, headers);
}

/* "GET", "name", 80, "/path?query"; `header`: the one field that the request has, or NULL. */
static inline struct kit_answer kit_ask_with(const struct kit *k, const char *method,
					     const char *host, uint16_t port, const char *target,
					     const char *header)
{
	static char class[32], rule[512];
	struct policy_verdict v = { 0 };
	struct policy_entry e;
	struct bytes t = bytes_str(target);
	size_t mark = bytes_find(t, '?');
	struct policy_request r = { .method = bytes_str(method),
				    .path = bytes_of(t.p, mark),
				    .has_query = mark < t.len,
				    .has_header = kit_no_header,
				    .headers = header };
	enum reason reason;

	if (!k->ok)
		return (struct kit_answer){ REASON_COUNT, "", "", false };
	reason = policy_find(&k->policy, bytes_str(host), port, &e);
	if (reason != REASON_OK)
		return (struct kit_answer){ reason, "", "", false };
	if (r.has_query)
		r.query = bytes_skip(t, mark + 1);
	policy_judge(&k->policy, &e, &r, &v);
	(void)snprintf(class, sizeof(class), "%.*s", (int)v.class_name.len,
		       (const char *)v.class_name.p);
	(void)snprintf(rule, sizeof(rule), "%.*s", (int)v.rule.len, (const char *)v.rule.p);
	return (struct kit_answer){ v.reason, class, rule, v.observed };
}

static inline enum reason kit_ask(const struct kit *k, const char *method, const char *host,
				  uint16_t port, const char *target)
{
	return kit_ask_with(k, method, host, port, target, NULL).reason;
}

#endif
