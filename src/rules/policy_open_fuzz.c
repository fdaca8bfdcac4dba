#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "rules/policy_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool no_header(const void *headers, struct bytes name)
{
	return headers && name.len > 3;
}

/* What a gateway does when a verdict needs the body. */
static void judge_body(const struct policy *p, const struct policy_entry *e, struct policy_request *r)
{
	static const char json[] = "{\"a\": {\"b\": [1, \"x\", true]}, \"draft\": true, \"model\": \"small\", \"\": null}";
	static const struct git_command commands[] = { { .kind = GIT_CREATE, .ref = { (const uint8_t *)"refs/heads/a", 12 } },
						       { .kind = GIT_DELETE, .ref = { (const uint8_t *)"", 0 } } };
	struct policy_body push = { .commands = commands, .n_commands = 2, .is_push = true }, body;
	ARENA_AUTO struct arena arena;
	struct policy_verdict v;

	arena_init(&arena, JSON_POINTER_ARENA_MAX);
	policy_body_json(p, e, bytes_str(json), &arena, &body);
	r->body = &body;
	policy_judge(p, e, r, &v);
	must(v.reason < REASON_COUNT && v.needs == POLICY_NEEDS_NOTHING);
	r->body = &push;
	policy_judge(p, e, r, &v);
	must(v.reason < REASON_COUNT && v.needs == POLICY_NEEDS_NOTHING);
	push.state = POLICY_BODY_TOO_LARGE;
	policy_judge(p, e, r, &v);
	must(v.needs == POLICY_NEEDS_NOTHING);
}

static void judge(const struct policy *p, const struct policy_entry *e)
{
	static const char *const paths[] = { "/",   "/a", "/a/b/c/d", "/repos/o/r/pulls",
					     "/x/git-receive-pack", "",   "no slash" };
	static const char *const methods[] = { "GET", "POST", "FOO", "TRACE" };
	struct policy_verdict v;

	for (size_t i = 0; i < 7; i++)
		for (size_t m = 0; m < 4; m++) {
			struct policy_request r = { .method = bytes_str(methods[m]),
							  .path = bytes_str(paths[i]),
							  .has_query = i % 3 == 1,
							  .query = bytes_str("a=1&action=x;b"),
							  .has_header = no_header,
							  .headers = p,
							  .websocket = i == 1 && m == 0 };

			policy_judge(p, e, &r, &v);
			must(v.reason < REASON_COUNT);
			must((v.needs != POLICY_NEEDS_NOTHING) == (v.reason == REASON_BODY_NEEDED));
			if (v.needs != POLICY_NEEDS_NOTHING)
				judge_body(p, e, &r);
		}
	(void)policy_address_ok(p, e, ip_v4(0x0a000001));
	(void)policy_address_ok(p, e, ip_v4(0x7f000001));
	must(policy_protocol_text(e->protocol) && e->ca.len <= POLICY_CA_MAX);
	must(e->credential == POLICY_NONE || e->mode == POLICY_INTERCEPT);
}

static void ask_credentials(const struct policy *p)
{
	struct policy_credential c;
	struct bytes host;
	uint32_t at = 0;

	for (uint32_t i = 0; policy_credential_at(p, i, &c); i++) {
		must(i < POLICY_CREDENTIALS_MAX && c.header.len);
		(void)policy_credential_bound(p, i, bytes_str("x.a.example"), 443, POLICY_GIT, &(struct policy_request){ .path = bytes_str("/a/b") });
		(void)policy_credential_bound(p, i, bytes_str(""), 443, POLICY_GIT, &(struct policy_request){ .path = bytes_str("/") });
	}
	while (policy_intercepted_next(p, &at, &host))
		(void)policy_guarded(p, host);
}

/* A blob that opens answers every question. */
static void ask(const struct policy *p)
{
	static const char *const names[] = { "a.example",     "x.a.example", "x.y.a.example",
					     "plain.example", "com",         "" };
	uint16_t ports[POLICY_PORTS_MAX];
	struct policy_reach reach;
	struct policy_reach_rule rule;
	struct policy_host host;
	struct policy_entry e;
	size_t n = policy_ports(p, ports);

	must(n <= POLICY_PORTS_MAX && policy_sha256(p).len == 32);
	(void)policy_label(p);
	ask_credentials(p);
	for (uint32_t i = 0; policy_reach_at(p, i, &reach) && i < 64; i++) {
		must(reach.n_ports <= POLICY_PORTS_MAX && policy_mode_text(reach.mode));
		(void)policy_find_host(p, reach.host, &host);
		for (size_t k = 0; k < reach.n_ports; k++)
			if (policy_find(p, reach.host, reach.ports[k], &e) == REASON_OK)
				judge(p, &e);
	}
	for (uint32_t i = 0; policy_reach_rule_at(p, i, &rule); i++)
		must(rule.decision && (rule.rule.p || rule.rule.len == 0));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)policy_find_host(p, bytes_str(names[i]), &host);
		for (size_t k = 0; k < n; k++)
			if (policy_find(p, bytes_str(names[i]), ports[k], &e) == REASON_OK)
				judge(p, &e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1); /* aligned, and at its end the sanitizer looks on */
	struct policy p = { 0 };
	struct err e = { 0 };

	must(copy);
	if (size)
		memcpy(copy, data, size);
	if (policy_open(&p, bytes_of(copy, size), &e))
		ask(&p);
	else
		must(e.text[0]);
	free(copy);
	return 0;
}
