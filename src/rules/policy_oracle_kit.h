/* For tests only: a slow reading of random policies, straight from the definition. */
#ifndef SAW_RULES_POLICY_ORACLE_KIT_H
#define SAW_RULES_POLICY_ORACLE_KIT_H

#include "rules/policy_random_kit.h"

/* Without a thought about speed. Recursion is bounded by the tiny patterns. */
static inline bool random_glob(const char *p, size_t p_len, const char *s, size_t s_len)
{
	if (p_len == 0)
		return s_len == 0;
	if (*p == '*') {
		for (size_t n = 0; n <= s_len; n++)
			if (random_glob(p + 1, p_len - 1, s + n, s_len - n))
				return true;
		return false;
	}
	return s_len > 0 && *p == *s && random_glob(p + 1, p_len - 1, s + 1, s_len - 1);
}

/* Both point behind a slash; NULL: no more segments. */
static inline bool random_path(const char *p, const char *s)
{
	size_t p_len, s_len;
	const char *p_next, *s_next;

	if (!p || !s)
		return !p && !s;
	p_len = strcspn(p, "/");
	s_len = strcspn(s, "/");
	p_next = p[p_len] ? p + p_len + 1 : NULL;
	s_next = s[s_len] ? s + s_len + 1 : NULL;
	if (p_len == 2 && p[0] == '*' && p[1] == '*')
		return random_path(p_next, s_next) || (s_next && random_path(p, s_next));
	if (p_len == 1 && p[0] == '*')
		return s_len > 0 && random_path(p_next, s_next);
	return random_glob(p, p_len, s, s_len) && random_path(p_next, s_next);
}

static inline bool random_host(const char *pattern, const char *name)
{
	size_t len = strlen(name);
	const char *suffix = pattern + strspn(pattern, "*");
	size_t suffix_len = strlen(suffix);
	const char *dot = strchr(name, '.');

	if (suffix == pattern)
		return strcmp(pattern, name) == 0;
	if (len <= suffix_len || strcmp(name + len - suffix_len, suffix) != 0)
		return false;
	return suffix - pattern == 2 || dot == name + len - suffix_len;
}

/* RANDOM_BODIES: whatever the body says. */
static inline bool random_rule_matches(const struct random_rule *r, unsigned method,
				       const char *path, bool any_method, unsigned body)
{
	bool listed = r->methods >> method & 1;

	if (method == RANDOM_SOCKET && r->kind == 3)
		listed = r->methods & 1; /* a deny of GET */
	if (!any_method && !listed)
		return false;
	if (body < RANDOM_BODIES && !(random_wants[r->json].bodies >> body & 1))
		return false;
	for (unsigned k = 0; k < r->n_paths; k++)
		if (random_path(r->paths[k] + 1, path + 1))
			return true;
	return false;
}

struct random_universe {
	char paths[RANDOM_UNIVERSE][16];
	unsigned n;
};

static inline void random_universe_fill(struct random_universe *u)
{
	u->n = 0;
	(void)snprintf(u->paths[u->n++], 16, "/");
	for (unsigned i = 0; i < 4 + 16 + 64; i++) {
		unsigned depth = i < 4 ? 1 : i < 20 ? 2 : 3;
		unsigned code = depth == 1 ? i : depth == 2 ? i - 4 : i - 20;
		char path[16] = "";

		for (unsigned d = 0; d < depth; d++, code /= 4) {
			size_t len = strlen(path);

			(void)snprintf(path + len, sizeof(path) - len, "/%s",
				       random_parts[code % 4]);
		}
		memcpy(u->paths[u->n++], path, sizeof(path));
		if (strlen(path) < 14)
			(void)snprintf(u->paths[u->n++], 16, "%.14s/", path);
	}
}

/* As far as the universe shows. */
static inline bool random_inside(const struct random_universe *u, const struct random_rule *in,
				 const struct random_rule *out)
{
	for (unsigned m = 0; m < RANDOM_METHODS; m++)
		for (unsigned i = 0; i < u->n; i++)
			for (unsigned b = 0; b < RANDOM_BODIES; b++)
				if (random_rule_matches(in, m, u->paths[i], false, b) &&
				    !random_rule_matches(out, m, u->paths[i], false, b))
					return false;
	return true;
}

static inline void random_nest(struct random_policy *p, const struct random_universe *u)
{
	for (unsigned e = 0; e < p->n_entries; e++)
		for (unsigned i = 0; i < p->entries[e].n_rules; i++)
			for (unsigned k = 0; k < p->entries[e].n_rules; k++)
				p->entries[e].inside[i][k] = random_inside(u, &p->entries[e].rules[i], &p->entries[e].rules[k]);
}

/* The reason that the definition gives to one spelling, or REASON_COUNT when the universe is too small to tell which of two rules is the narrower.
 * *ret_rule decides, or NULL. */
static inline enum reason random_judge_one(const struct random_policy *p, const struct random_entry *e, unsigned method, const char *path, unsigned body,
					   const struct random_rule **ret_rule)
{
	static const enum reason reasons[] = { REASON_OK, REASON_REVIEW_UNAVAILABLE,
					       REASON_VERDICT_DENY };
	const struct random_rule *best = NULL;
	unsigned at = 0;
	bool path_listed = false, method_listed = false;

	*ret_rule = NULL;
	for (unsigned r = 0; r < e->n_rules; r++) {
		const struct random_rule *rule = &e->rules[r];

		if (rule->kind == 3) {
			*ret_rule = rule;
			if (random_rule_matches(rule, method, path, false, body))
				return REASON_HTTP_DENIED;
			continue;
		}
		path_listed = path_listed || random_rule_matches(rule, method, path, true, RANDOM_BODIES);
		method_listed = method_listed || random_rule_matches(rule, method, path, false, RANDOM_BODIES);
		if (!random_rule_matches(rule, method, path, false, body))
			continue;
		if (best && best->kind != rule->kind && e->inside[at][r] && e->inside[r][at])
			return REASON_COUNT;
		if (!best || e->inside[r][at]) {
			best = rule;
			at = r;
		}
	}
	*ret_rule = best;
	if (best)
		return reasons[p->verdicts[best->kind]];
	if (method_listed)
		return REASON_HTTP_CONDITION;
	if (path_listed && method == RANDOM_SOCKET)
		return REASON_UPGRADE_REFUSED;
	return path_listed ? REASON_HTTP_METHOD_UNLISTED : REASON_HTTP_PATH_UNLISTED;
}

/* A slash at the end may be none to the host: then what only a rule without it says counts, where it is stricter. */
static inline enum reason random_judge(const struct random_policy *p, const struct random_entry *e, unsigned method, const char *path, unsigned body)
{
	const struct random_rule *rule;
	enum reason as_it_came = random_judge_one(p, e, method, path, body, &rule), other;
	size_t len = strlen(path);
	char without[16];

	if (len < 2 || path[len - 1] != '/' || (as_it_came != REASON_OK && as_it_came != REASON_REVIEW_UNAVAILABLE))
		return as_it_came;
	(void)snprintf(without, sizeof(without), "%.*s", (int)len - 1, path);
	other = random_judge_one(p, e, method, without, body, &rule);
	if (other == REASON_COUNT)
		return other;
	return rule && other != REASON_OK && !random_rule_matches(rule, method, path, false, body) ? other : as_it_came;
}

#endif
