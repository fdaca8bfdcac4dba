/* What a decision costs with 10,000 names and 1,000 path rules, and what a reload costs. Prints one figure a line. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/must.h"
#include "crypt/sha256.h"
#include "rules/policy_compile.h"

enum { NAMES = 10000, RULES = 1000, ROUNDS = 2000000, RELOADS = 50 };

struct shape {
	const char *name;
	const char *path[2]; /* of rule n: what stands before and behind the number */
	const char *asked[2]; /* a path of rule n */
};

static const struct shape shapes[] = {
	{ "literal prefix", { "/org", "/**" }, { "/org", "/repo/file" } },
	{ "shared prefix, star before", { "/repos/*/thing", "" }, { "/repos/someone/thing", "" } },
	{ "deep, stars between", { "/v1/*/x", "/*/y" }, { "/v1/acme/x", "/9/y" } },
};

static double now(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_policy(struct buf *out, const struct shape *s)
{
	buf_str(out,
		"version: 1\nname: bench\nverdicts: {read: allow, write: allow}\nnetwork:\n  - name: ruled\n    hosts: [");
	for (int i = 0; i < NAMES; i++)
		buf_fmt(out, "%shost%d.zone%d.example", i ? ", " : "", i, i % 97);
	buf_str(out,
		", '*.wild.example', '**.deep.example']\n    ports: [80, 8080]\n    mode: http\n    protocol: rest\n    rules:\n");
	for (int i = 0; i < RULES; i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s%d%s", s->path[0], i, s->path[1]);
		buf_fmt(out, "      - {class: %s, methods: [%s], paths: [\"%s\"]}\n",
			i % 2 ? "read" : "write", i % 2 ? "GET" : "POST, PUT", path);
	}
}

static void decide(const struct policy *p, const struct shape *s)
{
	static struct name names[4096];
	static char paths[4096][64];
	double start, took;
	unsigned allowed = 0;

	for (int i = 0; i < 4096; i++) {
		int n = (i * 7919) % NAMES;

		names[i].len = (uint8_t)snprintf(names[i].text, sizeof(names[i].text),
						 "host%d.%s%d.%s", n, i % 8 ? "zone" : "y", n % 97,
						 i % 8 ? "example" : "deep.example");
		(void)snprintf(paths[i], sizeof(paths[i]), "%s%d%s", s->asked[0], (i * 31) % RULES,
			       s->asked[1]);
	}
	start = now();
	for (int i = 0; i < ROUNDS; i++) {
		int k = i & 4095;
		struct policy_request r = { .method =
						    bytes_str((k * 31) % RULES % 2 ? "GET" : "PUT"),
					    .path = bytes_str(paths[k]) };
		struct policy_verdict v;
		struct policy_entry e;

		if (policy_find(p, name_bytes(&names[k]), 80, &e) != REASON_OK)
			continue;
		policy_judge(p, &e, &r, &v);
		allowed += v.reason == REASON_OK;
	}
	took = now() - start;
	must(allowed == ROUNDS);
	printf("policy decision (%s): %.0f ns\n", s->name, took / ROUNDS * 1e9);
}

static void reload(struct bytes blob)
{
	uint8_t digest[SHA256_LEN];
	double open_took = 0, seal_took = 0;

	for (int i = 0; i < RELOADS; i++) {
		struct policy p = { 0 };
		struct err e = { 0 };
		double start = now(), opened;

		must(policy_open(&p, blob, &e));
		opened = now();
		sha256(policy_sealed(&p), digest);
		must(bytes_eq(policy_sha256(&p), bytes_of(digest, SHA256_LEN)));
		open_took += opened - start;
		seal_took += now() - opened;
	}
	printf("policy reload: open %.2f ms, seal %.2f ms, %zu bytes\n", open_took / RELOADS * 1e3,
	       seal_took / RELOADS * 1e3, blob.len);
}

int main(void)
{
	const struct policy_options options = { .sha256 = sha256, .production = true };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
		BUF_AUTO struct buf text, blob;
		struct policy p = { 0 };
		struct err e = { 0 };
		double start;

		buf_init(&text, POLICY_TEXT_MAX);
		buf_init(&blob, POLICY_BLOB_MAX);
		write_policy(&text, &shapes[i]);
		start = now();
		if (!policy_compile(buf_view(&text), &options, &blob, &problems)) {
			for (size_t n = 0; n < problems.n && n < 5; n++)
				(void)fprintf(stderr, "%u:%u: %s\n", problems.v[n].line,
					      problems.v[n].column, problems.v[n].text);
			return 1;
		}
		printf("policy compile (%s): %.0f ms from %zu bytes of YAML\n", shapes[i].name,
		       (now() - start) * 1e3, text.len);
		must(policy_open(&p, buf_view(&blob), &e));
		decide(&p, &shapes[i]);
		reload(buf_view(&blob));
	}
	return 0;
}
