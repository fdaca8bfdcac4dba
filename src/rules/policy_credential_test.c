/* Interception, and where a credential may be spent. */
#include "rules/policy_test_kit.h"

#define TOP "version: 1\nname: test\nverdicts: {read: allow, write: allow}\n"
#define BIND "credentials:\n  github: {inject: {bearer: true}, hosts: [api.example], paths: ['/**']}\n"
/* The entry starts on line 7. */
#define ENTRY(more) \
	"network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github, access: full" more "}\n"
#define PEM                                                                \
	"      -----BEGIN CERTIFICATE-----\n"                             \
	"      MIIBszCCAVmgAwIBAgIUYx0O3rqfGZ3Kq4Yp0p6xv0eJ0kowCgYIKoZIzj0EAwIw\n" \
	"      LzEtMCsGA1UEAwwkcm9vdAAA\n"                                \
	"      -----END CERTIFICATE-----\n"

static const struct policy_request *to(const char *path)
{
	static struct policy_request r;

	r = (struct policy_request){ .method = bytes_str("GET"), .path = bytes_str(path) };
	return &r;
}

TEST(an_intercepted_entry_tells_all_that_a_gateway_needs)
{
	struct kit k = kit_compile(TOP BIND ENTRY(", reflective: true"));
	struct policy_credential c;
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("api.example"), 443, &e), REASON_OK);
	CHECK(e.mode == POLICY_INTERCEPT && e.protocol == POLICY_REST && e.reflective && e.strip_set_cookie && !e.websocket);
	CHECK(e.ca.len == 0 && e.upstream.len == 0 && e.ai == POLICY_AI_NONE);
	CHECK(policy_credential_at(&k.policy, e.credential, &c) && bytes_is(c.id, "github") && c.inject == POLICY_INJECT_HEADER);
	CHECK(bytes_is(c.header, "Authorization") && bytes_is(c.prefix, "Bearer ") && c.suffix.len == 0);
	CHECK(!policy_credential_at(&k.policy, 1, &c));
	CHECK_STR(policy_mode_text(e.mode), "intercept");
	kit_free(&k);
}

TEST(answers_are_scanned_where_the_deciding_rule_says_so)
{
	struct kit k = kit_compile(TOP BIND "network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github, encoded_slash: true, rules: [\n"
					    "      {class: read, methods: [GET], paths: ['/**']}, {class: read, methods: [GET], paths: [/echo, /in/echo], reflective: true}]}\n"
					    "  - {name: w, hosts: [w.example], ports: [443], mode: intercept, protocol: rest, access: full}\n");
	struct policy_request r = { .method = bytes_str("GET"), .path = bytes_str("/echo") };
	struct policy_verdict v;
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("api.example"), 443, &e), REASON_OK);
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_OK && v.reflective && !e.reflective);
	r.path = bytes_str("/x");
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_OK && !v.reflective);
	r.path = bytes_str("/in%2Fecho");
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_OK && v.reflective);
	r.path = bytes_str("/a%2Fb%2Fc%2Fd%2Fe%2Ff%2Fg%2Fh%2Fi%2Fj");
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_OK && v.reflective);
	r.path = bytes_str("/a%2Fb");
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_OK && !v.reflective);
	r.method = bytes_str("DELETE");
	r.path = bytes_str("/echo");
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason != REASON_OK && !v.reflective);
	kit_free(&k);
}

TEST(answers_are_scanned_wherever_the_secret_stands_in_the_target)
{
#define TWO(more) TOP "credentials:\n  github: {inject: {query: key, allow_query: true}, hosts: [api.example], paths: ['/**']}\n" ENTRY("") \
		"  - {name: also, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github, access: full" more "}\n"
	struct policy_request r = { .method = bytes_str("GET"), .path = bytes_str("/x") };
	struct kit k = kit_compile(TWO(", reflective: true")); /* says no more than the other */
	struct policy_verdict v;
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("api.example"), 443, &e), REASON_OK);
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(e.reflective && v.reason == REASON_OK && v.reflective);
	kit_free(&k);
	k = kit_compile(TWO(", reflective: false"));
	CHECK(policy_find(&k.policy, bytes_str("api.example"), 443, &e) == REASON_OK && e.reflective);
	kit_free(&k);
}

TEST(roots_of_an_entry_are_certificates_and_nothing_else)
{
	struct kit k = kit_compile(TOP "network:\n  - name: api\n    hosts: [api.example]\n    ports: [443]\n    mode: intercept\n"
				       "    protocol: rest\n    access: full\n    ca: |\n" PEM);
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("api.example"), 443, &e), REASON_OK);
	CHECK(bytes_starts(e.ca, bytes_str("-----BEGIN CERTIFICATE-----\nMIIB")) && e.credential == POLICY_NONE && !e.strip_set_cookie);
	kit_free(&k);
	kit_refused(TOP ENTRY(", ca: x"), 5, 0, "outside the certificates");
	kit_refused(TOP ENTRY(", ca: ''"), 5, 0, "no certificate");
	kit_refused(TOP "network:\n  - name: api\n    hosts: [api.example]\n    ports: [443]\n    mode: intercept\n"
			"    protocol: rest\n    access: full\n    ca: |\n      -----BEGIN PRIVATE KEY-----\n",
		    11, 0, "never a private key");
}

TEST(a_name_is_guarded_when_any_of_its_entries_spends_or_reviews)
{
	struct kit k = kit_compile("version: 1\nverdicts: {read: allow, write: review}\n" BIND
				   "network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github,\n"
				   "     rules: [{class: read, methods: [GET], paths: ['/**']}]}\n"
				   "  - {name: also, hosts: [api.example], ports: [8080], mode: http, protocol: rest, access: read-only}\n"
				   "  - {name: wild, hosts: ['**.w.example'], ports: [443], mode: intercept, protocol: rest, access: read-write}\n"
				   "  - {name: sub, hosts: [x.w.example], ports: [80], mode: http, protocol: rest, access: read-only}\n"
				   "  - {name: free, hosts: [free.example], ports: [443], mode: intercept, protocol: rest, access: read-only}\n");
	struct bytes host;
	uint32_t at = 0;

	CHECK(policy_guarded(&k.policy, bytes_str("api.example")));
	CHECK(policy_guarded(&k.policy, bytes_str("x.w.example")) && policy_guarded(&k.policy, bytes_str("a.b.w.example")));
	CHECK(!policy_guarded(&k.policy, bytes_str("free.example")) && !policy_guarded(&k.policy, bytes_str("w.example")));
	CHECK(!policy_guarded(&k.policy, bytes_str("")));
	CHECK(policy_intercepted_next(&k.policy, &at, &host) && bytes_is(host, "**.w.example"));
	CHECK(policy_intercepted_next(&k.policy, &at, &host) && bytes_is(host, "api.example"));
	CHECK(policy_intercepted_next(&k.policy, &at, &host) && bytes_is(host, "free.example"));
	CHECK(!policy_intercepted_next(&k.policy, &at, &host));
	kit_free(&k);
}

TEST(h1_an_encoded_slash_leads_to_no_path_that_is_not_bound)
{
	struct kit k = kit_compile(TOP "credentials:\n  k: {inject: {bearer: true}, hosts: [a.example], paths: ['/v1/*/read', '/p/corp%2F*/issues', '/all/**']}\n"
				       "network:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, encoded_slash: true, credential: k, access: full}\n");
	static const struct {
		const char *path;
		enum reason want;
	} rows[] = {
		{ "/v1/x/read", REASON_OK }, { "/v1/x/y/read", REASON_CREDENTIAL_UNBOUND }, { "/v1/x%2Fy/read", REASON_CREDENTIAL_UNBOUND },
		{ "/v1/%2Fread", REASON_CREDENTIAL_UNBOUND }, { "/p/corp%2Fapp/issues", REASON_OK }, { "/p/corp%2Fapp%2Fsecrets/issues", REASON_CREDENTIAL_UNBOUND },
		{ "/p/corp/app/issues", REASON_CREDENTIAL_UNBOUND }, { "/all/x%2Fy", REASON_OK }, { "/all/@scope%2Fname/-/a%2Fb", REASON_OK },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_INT(kit_ask(&k, "GET", "a.example", 443, rows[i].path), rows[i].want))
			printf("# %s\n", rows[i].path);
	kit_free(&k);
}

TEST(a_path_may_be_bound_as_it_came_by_one_pattern_and_decoded_by_another)
{
	struct kit k = kit_compile(TOP "credentials:\n  k: {inject: {bearer: true}, hosts: [a.example], paths: ['/api/v4/projects/*/issues', '/api/v4/projects/*/*/issues']}\n"
				       "network:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, encoded_slash: true, credential: k, access: full}\n");
	struct kit git = kit_compile("version: 1\nverdicts: {read: allow}\ncredentials:\n  k: {inject: {bearer: true}, hosts: [g.example], paths: ['/*', '/*/o/**']}\n"
				     "network:\n  - {name: g, hosts: [g.example], ports: [443], mode: intercept, protocol: git, encoded_slash: true, credential: k, rules: [\n"
				     "      {class: read, git: fetch, paths: ['/**']}]}\n");
	struct policy_request r = { .method = bytes_str("GET"), .path = bytes_str("/x%2Fo/info/refs"), .query = bytes_str("service=git-upload-pack"), .has_query = true };

	CHECK_INT(kit_ask(&k, "GET", "a.example", 443, "/api/v4/projects/group%2Fapp/issues"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 443, "/api/v4/projects/group%2Fsub%2Fapp/issues"), REASON_CREDENTIAL_UNBOUND);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 443, "/api/v4/projects/a/b%2Fc/issues"), REASON_CREDENTIAL_UNBOUND);
	CHECK(policy_credential_bound(&git.policy, 0, bytes_str("g.example"), 443, POLICY_GIT, &r));
	r.path = bytes_str("/x%2Fp/info/refs");
	CHECK(!policy_credential_bound(&git.policy, 0, bytes_str("g.example"), 443, POLICY_GIT, &r));
	kit_free(&k);
	kit_free(&git);
}

TEST(a_rule_whose_decoded_path_is_not_bound_can_never_match)
{
#define SPENT(bound, path) \
	TOP "credentials:\n  k: {inject: {bearer: true}, hosts: [a.example], paths: ['/c/x', " bound "]}\nnetwork:\n" \
	    "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, encoded_slash: true, credential: k, rules: [\n" \
	    "      {class: read, methods: [GET], paths: ['/c/**', '/p/**']}, {class: write, methods: [POST], paths: ['" path "']}]}\n"
	static const char *const good[] = { SPENT("'/p/*/read', '/p/*/*/*/read'", "/p/*%2F*/read"), SPENT("'/p/*/read', '/p/*/*/*/read'", "/p/a%2Fb%2Fc/read"),
					    SPENT("'/p/*/read'", "/p/*/read"), SPENT("'/p/*/read'", "/**") };

	kit_refused(SPENT("'/p/*/read'", "/p/a%2Fb/read"), 8, 0, "can never match");
	kit_refused(SPENT("'/p/*/read'", "/p/*%2Fb/read"), 8, 0, "can never match");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct kit k = kit_compile(good[i]);

		kit_free(&k);
	}
}

TEST(h1_a_credential_is_bound_to_name_port_and_path)
{
	struct kit k = kit_compile(TOP "credentials:\n  k: {inject: {header: x-api-key, format: '{}'}, hosts: ['*.w.example'], paths: ['/v1/**']}\n"
				       "network:\n  - {name: a, hosts: ['*.w.example'], ports: [443, 8443], mode: intercept, protocol: rest, credential: k, access: full}\n");
	struct policy *p = &k.policy;

	CHECK(policy_credential_bound(p, 0, bytes_str("a.w.example"), 443, POLICY_REST, to("/v1/x")));
	CHECK(policy_credential_bound(p, 0, bytes_str("a.w.example"), 8443, POLICY_REST, to("/v1/")));
	CHECK(!policy_credential_bound(p, 0, bytes_str("a.w.example"), 80, POLICY_REST, to("/v1/x")));
	CHECK(!policy_credential_bound(p, 0, bytes_str("a.b.w.example"), 443, POLICY_REST, to("/v1/x")));
	CHECK(!policy_credential_bound(p, 0, bytes_str("w.example"), 443, POLICY_REST, to("/v1/x")));
	CHECK(!policy_credential_bound(p, 0, bytes_str(".w.example"), 443, POLICY_REST, to("/v1/x")));
	CHECK(!policy_credential_bound(p, 0, bytes_str("a.w.example"), 443, POLICY_REST, to("/v2/x")));
	CHECK(!policy_credential_bound(p, 0, bytes_str("a.w.example"), 443, POLICY_REST, to("")));
	CHECK(!policy_credential_bound(p, 1, bytes_str("a.w.example"), 443, POLICY_REST, to("/v1/x")));
	CHECK_INT(kit_ask(&k, "GET", "a.w.example", 443, "/v1/x"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.w.example", 443, "/v2/x"), REASON_CREDENTIAL_UNBOUND);
	kit_free(&k);
}

TEST(h1_a_credential_of_many_names_is_bound_to_none_beside_them)
{
	struct kit k = kit_compile(TOP "credentials:\n  k: {inject: {bearer: true}, hosts: ['*.w.example', '**.v.example'], paths: ['/**']}\n"
				       "network:\n  - {name: a, hosts: ['*.w.example', '**.v.example'], ports: [443], mode: intercept, protocol: rest, credential: k, access: full}\n");
	static const struct {
		const char *name;
		bool bound;
	} rows[] = {
		{ "a.w.example", true }, { "a.x.example", false }, { "a.w.examplf", false }, { "a.b.w.example", false }, { "a-w.example", false },
		{ "a.v.example", true }, { "a.b.v.example", true }, { "a.b.u.example", false }, { "a-v.example", false }, { "v.example", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_INT(policy_credential_bound(&k.policy, 0, bytes_str(rows[i].name), 443, POLICY_REST, to("/")), rows[i].bound))
			printf("# %s\n", rows[i].name);
	kit_free(&k);
}

TEST(p28_a_credential_goes_only_into_intercepted_https)
{
	kit_refused(TOP BIND "network:\n  - {name: a, hosts: [api.example], ports: [80], mode: http, protocol: rest, access: full, credential: github}\n", 7, 0,
		    "only added to intercepted https");
	kit_refused(TOP BIND "network:\n  - {name: a, hosts: [api.example], ports: [443], mode: passthrough, reason: x, credential: github}\n", 7, 0,
		    "does not apply to mode passthrough");
	kit_refused(TOP BIND "network:\n  - {name: a, hosts: [api.example], ports: [443], mode: tcp, reason: x, credential: github}\n", 7, 0,
		    "does not apply to mode tcp");
	kit_refused(TOP ENTRY(""), 5, 0, "no credential `github`");
	kit_refused(TOP BIND ENTRY(", observe: true"), 7, 0, "would send the secret");
	kit_refused(TOP "network:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, access: full, reflective: true}\n", 5, 0,
		    "no secret that an answer could show");
}

TEST(p28_a_binding_and_its_entries_say_the_same)
{
#define WITH(binding) TOP "credentials:\n  github: {inject: {bearer: true}, " binding "}\n" ENTRY("")
	kit_refused(WITH("hosts: [api.example, other.example], paths: ['/**']"), 5, 57, "wider than its entries");
	kit_refused(WITH("hosts: ['*.example.com'], paths: ['/**']"), 7, 0, "not bound to `api.example`");
	kit_refused(WITH("hosts: [api.example], ports: [443, 80], paths: ['/**']"), 5, 0, "wider than its entries");
	kit_refused(WITH("hosts: [api.example], ports: [80], paths: ['/**']"), 7, 0, "not bound to port 443");
	kit_refused(WITH("hosts: [api.example]"), 5, 3, "without `paths`");
	kit_refused(WITH("hosts: [api.example], paths: []"), 5, 0, "none or more");
	kit_refused(TOP BIND "network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github,\n"
			     "     rules: [{class: read, methods: [GET], paths: ['/a/**']}, {class: write, methods: [POST], paths: ['/b']}]}\n",
		    5, 0, "wider than its entries");
	kit_refused(TOP "credentials:\n  github: {inject: {bearer: true}, hosts: [api.example], paths: ['/a/**']}\n"
			"network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github,\n"
			"     rules: [{class: read, methods: [GET], paths: ['/a/**']}, {class: write, methods: [POST], paths: ['/b']}]}\n",
		    8, 0, "can never match");
	kit_refused(TOP BIND "network:\n  - {name: a, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, access: full}\n", 5, 3,
		    "no entry uses");
	kit_refused(TOP "credentials:\n  b: {inject: {bearer: true}, hosts: [api.example], paths: ['/**']}\n  b: {}\n", 6, 3, "twice");
}

/* A repository is the same with and without its `.git`, on both sides. */
TEST(a_git_credential_is_bound_to_a_repository_or_to_the_paths_below_it)
{
	static const char *const bound[] = { "/r.git", "/r", "/r.git/**", "/r/**" };
	static const char *const granted[] = { "/r.git", "/r" };
	char text[600];

#define GIT                                                                                                                            \
	TOP "credentials:\n  github: {inject: {bearer: true}, hosts: [api.example], paths: ['%s']}\n"                                 \
	    "network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: git, credential: github, rules: [\n" \
	    "      {class: read, git: fetch, paths: ['%s']}, {class: write, git: push, paths: ['/r.git'], change: [create], refs: ['refs/**']}]}\n"
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < 2; k++) {
			struct kit good;

			(void)snprintf(text, sizeof(text), GIT, bound[i], granted[k]);
			good = kit_compile(text);
			kit_free(&good);
		}
		(void)snprintf(text, sizeof(text), GIT, bound[i], "/other");
		kit_refused(text, 8, 0, "is not bound to it");
	}
}

TEST(a_repository_is_one_only_where_git_is_spoken)
{
	struct kit k = kit_compile("version: 1\nverdicts: {read: allow}\ncredentials:\n  k: {inject: {bearer: true}, hosts: [api.example], paths: ['/r.git']}\n"
				   "network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: git, credential: k, rules: [\n"
				   "      {class: read, git: fetch, paths: ['/r.git']}]}\n");
	struct policy_request r = { .method = bytes_str("GET"), .path = bytes_str("/r.git/info/refs"), .query = bytes_str("service=git-upload-pack"),
				    .has_query = true };

	CHECK(policy_credential_bound(&k.policy, 0, bytes_str("api.example"), 443, POLICY_GIT, &r));
	CHECK(!policy_credential_bound(&k.policy, 0, bytes_str("api.example"), 443, POLICY_REST, &r));
	r.path = bytes_str("/s.git/info/refs");
	CHECK(!policy_credential_bound(&k.policy, 0, bytes_str("api.example"), 443, POLICY_GIT, &r));
	kit_free(&k);
}

TEST(p28_no_value_stands_in_a_policy)
{
#define INJECT(how) TOP "credentials:\n  github: {inject: {" how "}, hosts: [api.example], paths: ['/**']}\n" ENTRY("")
	kit_refused(TOP "credentials:\n  github: {value: x, inject: {bearer: true}, hosts: [api.example], paths: ['/**']}\n" ENTRY(""), 5, 12,
		    "values never stand in a policy");
	kit_refused(INJECT("header: Authorization, format: 'token'"), 5, 0, "`{}` exactly once");
	kit_refused(INJECT("header: Authorization, format: '{} {}'"), 5, 0, "`{}` exactly once");
	kit_refused(INJECT("header: Authorization, format: 'x0123456789abcdefghij{}'"), 5, 0, "looks like a secret");
	kit_refused(INJECT("header: Authorization"), 5, 0, "without `format`");
	kit_refused(INJECT("header: Content-Length, format: '{}'"), 5, 0, "may carry a credential");
	kit_refused(INJECT("header: 'x y', format: '{}'"), 5, 0, "may carry a credential");
	kit_refused(INJECT("bearer: false"), 5, 0, "says nothing");
	kit_refused(INJECT("bearer: true, basic: {user: x}"), 5, 0, "in one way");
	kit_refused(INJECT("bearer: true, format: '{}'"), 5, 0, "belongs to `header`");
	kit_refused(INJECT("basic: {user: 'a:b'}"), 5, 0, "colon");
	kit_refused(INJECT("basic: {user: a, password: b}"), 5, 0, "values never stand");
	kit_refused(INJECT("query: key"), 5, 0, "ends up in logs");
	kit_refused(INJECT("query: 'a&b', allow_query: true"), 5, 0, "no plain key");
	kit_refused(INJECT(""), 5, 0, "no way to add");
	kit_refused(INJECT("bearr: true"), 5, 0, "did you mean `bearer`");
}

TEST(a_name_that_spends_a_credential_has_no_port_that_outlet_cannot_read)
{
#define BESIDE(entry) TOP BIND ENTRY("") "  - " entry "\n"
	struct kit k;

	kit_refused(BESIDE("{name: ssh, hosts: [api.example], ports: [22], mode: tcp, reason: x}"), 8, 25, "on all its ports");
	kit_refused(BESIDE("{name: raw, hosts: [api.example], ports: [8443], mode: passthrough, reason: x}"), 8, 25, "take the name out of one");
	kit_refused("version: 1\nverdicts: {read: allow, write: review}\n"
		    "network:\n  - {name: ssh, hosts: [x.w.example], ports: [22], mode: tcp, reason: x}\n"
		    "  - {name: wild, hosts: ['**.w.example'], ports: [443], mode: intercept, protocol: rest, access: read-write}\n",
		    5, 26, "asks for a review");
	k = kit_compile(BESIDE("{name: plain, hosts: [api.example], ports: [80], mode: http, protocol: rest, access: full}"));
	kit_free(&k);
	k = kit_compile(BESIDE("{name: ssh, hosts: [git.example], ports: [22], mode: tcp, reason: x}"));
	kit_free(&k);
}

TEST(every_form_of_injection_is_told_apart)
{
	static const char *const how[] = { "basic: {user: x-access-token}", "query: key, allow_query: true", "header: x-api-key, format: 'k={};'" };
	struct policy_credential c;

	for (size_t i = 0; i < 3; i++) {
		char text[1024];
		struct kit k;

		(void)snprintf(text, sizeof(text), TOP "credentials:\n  github: {inject: {%s}, hosts: [api.example], paths: ['/**']}\n" ENTRY(""), how[i]);
		k = kit_compile(text);
		CHECK(policy_credential_at(&k.policy, 0, &c));
		CHECK(i != 0 || (c.inject == POLICY_INJECT_BASIC && bytes_is(c.user, "x-access-token") && bytes_is(c.header, "Authorization")));
		CHECK(i != 1 || (c.inject == POLICY_INJECT_QUERY && bytes_is(c.header, "key")));
		CHECK(i != 2 || (c.inject == POLICY_INJECT_HEADER && bytes_is(c.prefix, "k=") && bytes_is(c.suffix, ";")));
		kit_free(&k);
	}
}

TEST(a_name_of_the_gateway_leads_to_the_endpoint_behind_it)
{
	struct kit k = kit_compile(TOP "credentials:\n  model: {inject: {bearer: true}, hosts: [api.model.example], paths: ['/v1/**']}\n"
				       "network:\n  - {name: inference, hosts: [inference.internal], ports: [443], mode: intercept, protocol: rest, credential: model,\n"
				       "     upstream: {host: api.model.example, port: 8443}, ai: anthropic,\n"
				       "     rules: [{class: read, methods: [GET, POST], paths: ['/v1/**']}]}\n  - {name: w, hosts: [w.example], ports: [443], mode: intercept, protocol: rest, access: full}\n");
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("inference.internal"), 443, &e), REASON_OK);
	CHECK(bytes_is(e.upstream, "api.model.example") && e.upstream_port == 8443 && e.ai == POLICY_AI_ANTHROPIC);
	CHECK(policy_credential_bound(&k.policy, e.credential, e.upstream, e.upstream_port, POLICY_REST, to("/v1/messages")));
	CHECK(!policy_credential_bound(&k.policy, e.credential, bytes_str("inference.internal"), 443, POLICY_REST, to("/v1/messages")));
	CHECK(policy_guarded(&k.policy, bytes_str("inference.internal")));
	kit_free(&k);
#define UP(host, up) TOP "network:\n  - {name: i, hosts: [" host "], ports: [443], mode: intercept, protocol: rest, access: full, upstream: " up "}\n"
	kit_refused(UP("api.example", "{host: b.example}"), 5, 0, "the gateway's own");
	kit_refused(UP("saw.internal", "{host: b.example}"), 5, 0, "the gateway itself");
	kit_refused(UP("i.internal", "{host: '*.b.example'}"), 5, 0, "no single host");
	kit_refused(UP("i.internal", "{port: 443}"), 5, 0, "without `host`");
	kit_refused(UP("i.internal", "{host: b.example, port: 0}"), 5, 0, "whole number");
}

TEST(f7_a_websocket_is_granted_by_itself_and_never_with_a_credential)
{
#define SOCKET(more) TOP "network:\n  - {name: s, hosts: [s.example], ports: [443], mode: intercept, protocol: rest, rules: [\n" more "]}\n"
	struct kit k = kit_compile(SOCKET("      {class: read, methods: [GET], paths: ['/**']}, {class: write, methods: [GET], paths: [/live, /no], websocket: opaque},\n"
					  "      {deny: true, methods: [GET], paths: [/no]}"));
	struct policy_request r = { .method = bytes_str("GET"), .path = bytes_str("/live"), .websocket = true };
	struct policy_verdict v;
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("s.example"), 443, &e), REASON_OK);
	CHECK(e.websocket);
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_OK && v.websocket && bytes_is(v.class_name, "write") && bytes_is(v.rule, "s: write websocket /live (+1)"));
	r.websocket = false;
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_OK && !v.websocket && bytes_is(v.class_name, "read"));
	r.websocket = true;
	r.path = bytes_str("/other");
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_UPGRADE_REFUSED && !v.websocket);
	r.path = bytes_str("/no");
	policy_judge(&k.policy, &e, &r, &v);
	CHECK_INT(v.reason, REASON_HTTP_DENIED);
	kit_free(&k);
	k = kit_compile(TOP "network:\n  - {name: s, hosts: [s.example], ports: [443], mode: intercept, protocol: rest, access: full}\n");
	CHECK_INT(policy_find(&k.policy, bytes_str("s.example"), 443, &e), REASON_OK);
	policy_judge(&k.policy, &e, &r, &v);
	CHECK(v.reason == REASON_UPGRADE_REFUSED && !e.websocket);
	kit_free(&k);
	kit_refused(TOP BIND "network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github, rules: [\n"
			     "      {class: write, methods: [GET], paths: ['/**'], websocket: opaque}]}\n",
		    8, 0, "would spend it on what nobody reads");
	kit_refused(SOCKET("      {class: read, methods: [GET], paths: ['/**']}, {class: write, methods: [POST], paths: [/x], websocket: opaque}"), 6, 0,
		    "opened by GET");
	kit_refused(SOCKET("      {class: read, methods: [GET], paths: ['/**']}, {class: write, methods: [GET], paths: [/x], websocket: text}"), 6, 0,
		    "unknown value");
}

TEST(classes_of_the_policys_own_need_a_verdict)
{
	struct kit k = kit_compile("version: 1\nverdicts: {publish: deny, draft: allow}\nnetwork:\n"
				   "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"
				   "      {class: draft, methods: [POST], paths: ['/**']}, {class: publish, methods: [POST], paths: [/publish]}]}\n");
	struct kit_answer a = kit_ask_with(&k, "POST", "a.example", 443, "/publish", NULL);

	CHECK_INT(a.reason, REASON_VERDICT_DENY);
	CHECK_STR(a.class, "publish");
	CHECK_STR(a.rule, "a: publish POST /publish");
	CHECK_INT(kit_ask(&k, "POST", "a.example", 443, "/x"), REASON_OK);
	kit_free(&k);
	kit_refused("version: 1\nverdicts: {publish: deny}\n", 2, 12, "no rule has class `publish`");
	kit_refused("version: 1\nverdicts: {Publish: deny}\n", 2, 12, "no name");
	kit_refused("version: 1\nverdicts: {deny: deny}\n", 2, 12, "choose another");
	kit_refused("version: 1\nverdicts: {publish: deny}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"
		    "      {class: publsh, methods: [POST], paths: [/publish]}]}\n",
		    5, 15, "did you mean `publish`");
}

TEST(p23_a_condition_on_what_is_taken_out_where_a_credential_is_spent_is_noted)
{
#define COND(more) TOP BIND "network:\n  - {name: api, hosts: [api.example], ports: [443], mode: intercept, protocol: rest, credential: github, rules: [\n" \
		       "      {class: read, methods: [GET], paths: ['/**']}, {class: write, methods: [POST], paths: ['/1']}, {" more "}]}\n"
	struct kit k;

	kit_warned(COND("class: write, methods: [GET], paths: [/x], query: {access_token: [a]}"), 8, 0, "query key `access_token` is taken out");
	kit_warned(COND("deny: true, methods: [GET], paths: [/x], query: {access_token: [a]}"), 8, 0, "query key `access_token` is taken out");
	kit_warned(COND("class: write, methods: [GET], paths: [/x], headers: [x-api-key]"), 8, 0, "header `x-api-key` is taken out");
	k = kit_compile(COND("deny: true, methods: [GET], paths: ['/1'], headers: [x-api-key]"));
	CHECK_INT(k.problems.n, 0);
	kit_free(&k);
}

TEST(g16_c17_a_preset_on_a_host_that_acts_or_that_many_own_is_warned_about)
{
#define PRESET(host) "version: 1\nverdicts: {read: allow}\nnetwork:\n  - {name: a, hosts: [" host "], ports: [443], mode: intercept, protocol: rest, access: read-only}\n"
	struct kit k;

	kit_warned(PRESET("hooks.corp.example"), 4, 23, "cannot tell reading from acting");
	kit_warned(PRESET("discord.com"), 4, 23, "cannot tell reading from acting");
	kit_warned(PRESET("github.com"), 4, 23, "shared by many owners");
	kit_warned("version: 1\nverdicts: {read: allow}\nnetwork:\n  - {name: a, hosts: [github.com], ports: [443], mode: intercept, protocol: git, access: read-only}\n",
		   4, 23, "shared by many owners");
	k = kit_compile("version: 1\nverdicts: {read: allow}\nnetwork:\n  - {name: a, hosts: [github.com], ports: [443], mode: intercept, protocol: git, rules: [\n"
			"      {class: read, git: fetch, paths: ['/corp/**']}]}\n");
	CHECK_INT(k.problems.n, 0);
	kit_free(&k);
	k = kit_compile(PRESET("webhookish.example"));
	CHECK_INT(k.problems.n, 0);
	kit_free(&k);
}
