/* For tests only: a slow reading of random policies, straight from the definition, beside the answers of the compiled blob. */
#ifndef SAW_RULES_POLICY_SLOW_KIT_H
#define SAW_RULES_POLICY_SLOW_KIT_H

#include "base/must.h"
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

static inline bool random_rule_matches(const struct random_rule *r, unsigned method,
				       const char *path, bool any_method)
{
	if (!any_method && !(r->methods >> method & 1))
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
	for (unsigned m = 0; m < 5; m++)
		for (unsigned i = 0; i < u->n; i++)
			if (random_rule_matches(in, m, u->paths[i], false) &&
			    !random_rule_matches(out, m, u->paths[i], false))
				return false;
	return true;
}

/* The reason that the definition gives, or REASON_COUNT when the universe is too small to tell which of two rules is the narrower. */
static inline enum reason random_judge(const struct random_policy *p,
				       const struct random_universe *u,
				       const struct random_entry *e, unsigned method,
				       const char *path)
{
	static const enum reason reasons[] = { REASON_OK, REASON_REVIEW_UNAVAILABLE,
					       REASON_VERDICT_DENY };
	const struct random_rule *best = NULL;
	bool path_listed = false;

	for (unsigned r = 0; r < e->n_rules; r++) {
		const struct random_rule *rule = &e->rules[r];

		if (rule->kind == 3) {
			if (random_rule_matches(rule, method, path, false))
				return REASON_HTTP_DENIED;
			continue;
		}
		path_listed = path_listed || random_rule_matches(rule, method, path, true);
		if (!random_rule_matches(rule, method, path, false))
			continue;
		if (best && best->kind != rule->kind && random_inside(u, best, rule) &&
		    random_inside(u, rule, best))
			return REASON_COUNT;
		if (!best || random_inside(u, rule, best))
			best = rule;
	}
	if (best)
		return reasons[p->verdicts[best->kind]];
	return path_listed ? REASON_HTTP_METHOD_UNLISTED : REASON_HTTP_PATH_UNLISTED;
}

static inline enum reason random_ask(const struct policy *p, const char *name, unsigned port,
				     unsigned method, const char *path)
{
	struct policy_request r = { .method = bytes_str(random_methods[method]),
				    .path = bytes_str(path) };
	struct policy_verdict v;
	struct policy_entry e;
	enum reason reason = policy_find(p, bytes_str(name), (uint16_t)port, &e);

	if (reason != REASON_OK || e.mode != POLICY_HTTP)
		return reason;
	policy_judge(p, &e, &r, &v);
	return v.reason;
}

static inline void random_compare(const struct random_policy *p, const struct random_universe *u,
				  const struct policy *blob)
{
	for (unsigned n = 0; n < sizeof(random_names) / sizeof(random_names[0]); n++)
		for (unsigned port = 80; port < 83; port++) {
			enum reason none = REASON_NAME_UNLISTED;
			unsigned owners = 0;

			for (unsigned e = 0; e < p->n_entries; e++) {
				if (!random_host(p->entries[e].host, random_names[n]))
					continue;
				none = REASON_PORT_UNLISTED;
				if (p->entries[e].port != port)
					continue;
				owners++;
				for (unsigned m = 0; m < 5 && !p->entries[e].blind; m++)
					for (unsigned i = 0; i < u->n; i++) {
						enum reason want = random_judge(
							p, u, &p->entries[e], m, u->paths[i]);

						must(want == REASON_COUNT ||
						     random_ask(blob, random_names[n], port, m,
								u->paths[i]) == want);
					}
			}
			if (!owners)
				must(random_ask(blob, random_names[n], port, 0, "/") == none);
		}
}

/* True when the policy that these bytes describe was accepted, and then every request of the universe has the defined answer. */
static inline bool random_check(const uint8_t *data, size_t size)
{
	static struct random_universe universe;
	struct random_policy p = { .data = data, .size = size };
	BUF_AUTO struct buf text;
	struct kit k;
	bool ok;

	if (!universe.n)
		random_universe_fill(&universe);
	random_fill(&p);
	buf_init(&text, 64 * 1024);
	random_print(&p, &text);
	kit_compile_bytes(&k, buf_view(&text), false);
	ok = k.ok;
	if (ok)
		random_compare(&p, &universe, &k.policy);
	kit_free(&k);
	return ok;
}

#endif
