/* For tests only: the answers of a compiled blob beside those of the definition. */
#ifndef SAW_RULES_POLICY_SLOW_KIT_H
#define SAW_RULES_POLICY_SLOW_KIT_H

#include "base/must.h"
#include "rules/policy_body.h"
#include "rules/policy_change.h"
#include "rules/policy_oracle_kit.h"

/* Whatever is refused has a change, or says why there is none. */
static inline void random_change(const struct policy *p, const char *name, unsigned port, const struct policy_request *r, enum reason reason)
{
	const struct policy_refused refused = { .reason = reason, .name = bytes_str(name), .port = (uint16_t)port, .request = r };
	struct buf out BUF_AUTO = { .max = POLICY_CHANGE_MAX };
	static unsigned n;

	if (n++ % 61 != 0) /* writing them costs more than judging */
		return;
	(void)policy_change(p, &refused, &out);
	must(!out.failed && (out.len > 0 || reason == REASON_OK));
}

/* `body` RANDOM_BODIES: one that is no JSON. */
static inline enum reason random_ask_body(const struct policy *p, const char *name, unsigned port, const struct policy_entry *e, struct policy_request *r,
					  unsigned body)
{
	ARENA_AUTO struct arena arena;
	struct policy_body facts;
	struct policy_verdict v;

	arena_init(&arena, JSON_POINTER_ARENA_MAX);
	policy_body_json(p, e, bytes_str(body < RANDOM_BODIES ? random_bodies[body] : "a=1"), &arena, &facts);
	r->body = &facts;
	policy_judge(p, e, r, &v);
	must(v.needs == POLICY_NEEDS_NOTHING);
	random_change(p, name, port, r, v.reason);
	r->body = NULL;
	return v.reason;
}

/* In two steps, as a gateway asks. What needs no body must be the same with any. */
static inline enum reason random_ask(const struct policy *p, const char *name, unsigned port,
				     unsigned method, const char *path, unsigned body)
{
	struct policy_request r = { .method = bytes_str(random_methods[method]),
				    .path = bytes_str(path),
				    .websocket = method == RANDOM_SOCKET };
	struct policy_verdict v;
	struct policy_entry e;
	enum reason reason = policy_find(p, bytes_str(name), (uint16_t)port, &e);

	if (reason != REASON_OK)
		random_change(p, name, port, &r, reason);
	if (reason != REASON_OK || (e.mode != POLICY_HTTP && e.mode != POLICY_INTERCEPT))
		return reason;
	policy_judge(p, &e, &r, &v);
	if (v.needs == POLICY_NEEDS_NOTHING) {
		must(v.reason != REASON_BODY_NEEDED);
		random_change(p, name, port, &r, v.reason);
		return v.reason;
	}
	must(v.needs == POLICY_NEEDS_JSON && v.reason == REASON_BODY_NEEDED && !v.observed);
	must(random_ask_body(p, name, port, &e, &r, RANDOM_BODIES) == REASON_BODY_NOT_PARSABLE);
	return random_ask_body(p, name, port, &e, &r, body);
}

static inline bool random_reads_bodies(const struct random_entry *e)
{
	for (unsigned r = 0; r < e->n_rules; r++)
		if (e->rules[r].json)
			return true;
	return false;
}

/* What a spelling without the slash at the end refuses, it refuses before a body is read that might tell that the other is refused anyway. */
static inline bool random_same(enum reason got, enum reason want, const char *path)
{
	bool got_refused = got != REASON_OK && got != REASON_REVIEW_UNAVAILABLE, refused = want != REASON_OK && want != REASON_REVIEW_UNAVAILABLE;

	return got == want || (got_refused && refused && path[strlen(path) - 1] == '/');
}

static inline void random_compare_request(const struct random_policy *p, const struct random_universe *u, const struct policy *blob,
					  const struct random_entry *e, const char *name, unsigned port, unsigned method)
{
	unsigned bodies = random_reads_bodies(e) ? RANDOM_BODIES : 1;

	for (unsigned i = 0; i < u->n; i++)
		for (unsigned b = 0; b < bodies; b++) {
			enum reason want = random_judge(p, e, method, u->paths[i], b);

			must(want == REASON_COUNT || random_same(random_ask(blob, name, port, method, u->paths[i], b), want, u->paths[i]));
		}
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
				for (unsigned m = 0; m < RANDOM_METHODS && !p->entries[e].blind; m++)
					random_compare_request(p, u, blob, &p->entries[e], random_names[n], port, m);
			}
			if (!owners)
				must(random_ask(blob, random_names[n], port, 0, "/", 0) == none);
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
		random_nest(&p, &universe);
	if (ok)
		random_compare(&p, &universe, &k.policy);
	kit_free(&k);
	return ok;
}

#endif
