#include "rules/policy_slow_kit.h"

TEST(compiled_verdicts_are_those_of_the_definition)
{
	uint64_t seed = 88172645463325252ULL;
	unsigned accepted = 0;
	uint8_t data[200];

	for (unsigned round = 0; round < 6000; round++) {
		for (size_t i = 0; i < sizeof(data); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			data[i] = (uint8_t)(seed >> 24);
		}
		accepted += random_check(data, sizeof(data));
	}
	printf("# %u of 6000 random policies were accepted and compared\n", accepted);
	CHECK(accepted > 300);
}

TEST(unlisted_methods_paths_and_conditions_have_reasons_of_their_own)
{
	struct kit k = kit_compile(
		"version: 1\nverdicts: {read: allow}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: read, methods: [GET], paths: [/a]}, {class: read, methods: [GET], paths: [/q], query: {x: [\"1\"]}}]}\n");

	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/a"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/a"), REASON_HTTP_METHOD_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/b"), REASON_HTTP_PATH_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/q?x=2"), REASON_HTTP_CONDITION);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/q?x=1"), REASON_OK);
	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/b", NULL).rule, "a");
	kit_free(&k);
}

/* Django, Werkzeug and Cheroot make a method upper case, ASP.NET ignores its case */
TEST(a_method_in_other_letters_is_none_that_a_rule_grants)
{
	static const char *const methods[] = { "delete", "Delete", "get", "pOST", "propfind", "trace", "connect", "Trace" };
	struct kit k = kit_compile(
		"version: 1\nverdicts: {read: allow, write: allow}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: write, methods: ['*'], paths: ['/**']}, {deny: true, methods: [DELETE], paths: ['/**']}]}\n"
		"  - {name: f, hosts: [f.example], ports: [80], mode: http, protocol: rest, access: full}\n");

	CHECK_INT(kit_ask(&k, "DELETE", "a.example", 80, "/"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "purge", "a.example", 80, "/"), REASON_OK);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!CHECK_INT(kit_ask(&k, methods[i], "a.example", 80, "/"), REASON_HTTP_METHOD_UNLISTED) |
		    !CHECK_INT(kit_ask(&k, methods[i], "f.example", 80, "/"), REASON_HTTP_METHOD_UNLISTED))
			printf("# %s\n", methods[i]);
	kit_free(&k);
}

TEST(a_query_in_which_servers_find_a_key_differently_is_clear_to_no_rule)
{
	static const char *const unclear[] = {
		"/q?x_y=1&x_y=1", "/q?x_y=1&X_Y=2", "/q?X_y=1", "/q?x.y=2&x_y=1", "/q?x_y=1&%20x_y=2", "/q?x_y=1&x%20y=2", "/q?x_y=1&x_y[]=2",
		"/q?x_y=1&X.y%5b0%5d=2", "/q?x_y=1&a=1;x_y=2", "/q?x_y=1&a+b", "/q?x_y=1&a%00=1",
	};
	struct kit k = kit_compile(
		"version: 1\nverdicts: {read: allow}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: read, methods: [GET], paths: [/q], query: {x_y: [\"1\"]}}, {class: read, methods: [GET], paths: [/d]},\n"
		"      {deny: true, methods: [GET], paths: [/d], query: {x_y: [\"9\"]}}]}\n");

	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/q?x_y=1&x_yz=2&x=3&xxy=4&x-y=5"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/d?x_y=1"), REASON_OK);
	for (size_t i = 0; i < sizeof(unclear) / sizeof(unclear[0]); i++) {
		char denied[64];

		(void)snprintf(denied, sizeof(denied), "/d%s", unclear[i] + 2);
		if (!CHECK_INT(kit_ask(&k, "GET", "a.example", 80, unclear[i]), REASON_HTTP_CONDITION) |
		    !CHECK_INT(kit_ask(&k, "GET", "a.example", 80, denied), REASON_HTTP_DENIED))
			printf("# %s\n", unclear[i]);
	}
	kit_free(&k);
}

static bool has(const void *headers, struct bytes name)
{
	return bytes_is(name, headers);
}

static bool has_like(const void *headers, struct bytes name)
{
	(void)headers;
	return bytes_is(name, "x-a");
}

TEST(a_field_that_some_server_takes_for_a_rules_is_clear_to_no_rule)
{
	struct kit k = kit_compile(
		"version: 1\nverdicts: {read: allow}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: read, methods: [GET], paths: [/q], headers: [x-a]}, {class: read, methods: [GET], paths: [/d]},\n"
		"      {deny: true, methods: [GET], paths: [/d], headers: [x-a]}]}\n");
	static const struct {
		const char *path;
		const char *header;
		bool like;
		enum reason want;
	} rows[] = {
		{ "/q", "x-a", false, REASON_OK },	       { "/q", "x-a", true, REASON_OK },	  { "/q", "x-b", false, REASON_HTTP_CONDITION },
		{ "/q", "x-b", true, REASON_HTTP_CONDITION }, { "/d", "x-a", false, REASON_HTTP_DENIED }, { "/d", "x-b", false, REASON_OK },
		{ "/d", "x-b", true, REASON_HTTP_DENIED },
	};
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_request r = { .method = bytes_str("GET"), .path = bytes_str(rows[i].path), .has_header = has,
						  .has_like = rows[i].like ? has_like : NULL, .headers = rows[i].header };
		struct policy_verdict v;

		policy_judge(&k.policy, &e, &r, &v);
		if (!CHECK_INT(v.reason, rows[i].want))
			printf("# row %zu\n", i);
	}
	kit_free(&k);
}

TEST(beside_a_form_no_query_is_clear)
{
	struct kit k = kit_compile(
		"version: 1\nverdicts: {write: allow}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: write, methods: [POST], paths: [/q], query: {x: [\"1\"]}}, {class: write, methods: [POST], paths: [/d, /a]},\n"
		"      {deny: true, methods: [POST], paths: [/d], query: {x: [\"9\"]}}]}\n");
	static const struct {
		const char *path;
		bool form;
		enum reason want;
	} rows[] = {
		{ "/q", false, REASON_OK }, { "/q", true, REASON_HTTP_CONDITION }, { "/d", false, REASON_OK },
		{ "/d", true, REASON_HTTP_DENIED }, { "/a", true, REASON_OK },
	};
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_request r = { .method = bytes_str("POST"), .path = bytes_str(rows[i].path), .query = bytes_str("x=1"),
						  .has_query = true, .form = rows[i].form };
		struct policy_verdict v;

		policy_judge(&k.policy, &e, &r, &v);
		if (!CHECK_INT(v.reason, rows[i].want))
			printf("# row %zu\n", i);
	}
	kit_free(&k);
}

/* P29 */
TEST(the_order_of_rules_does_not_number_pointers)
{
#define TWO(a, b) "version: 1\nverdicts: {write: allow}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [" a ", " b "]}\n"
#define ONE(p) "{class: write, methods: [POST], paths: [/" p "], json: {/" p ": [1]}, query: {q" p ": [x]}}"
	struct kit k = kit_compile(TWO(ONE("a"), ONE("b"))), other = kit_compile(TWO(ONE("b"), ONE("a")));

	CHECK(bytes_eq(policy_sha256(&k.policy), policy_sha256(&other.policy)));
	kit_free(&k);
	kit_free(&other);
}

/* Express, Rails, Laravel, and PHP behind most servers find the same. */
TEST(a_slash_at_the_end_leads_past_no_deny_and_past_no_narrower_rule_that_holds_back)
{
	struct kit k = kit_compile(
		"version: 1\nverdicts: {read: allow, draft: review, write: deny}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: write, methods: [GET], paths: ['/**']}, {class: read, methods: [GET], paths: ['/x/**', '/simple/*/']},\n"
		"      {class: draft, methods: [GET], paths: [/x/later]}, {deny: true, methods: [GET], paths: [/x/admin, '/x/o/*/secrets']}]}\n");
	static const struct {
		const char *path;
		enum reason want;
	} rows[] = {
		{ "/x/admin", REASON_HTTP_DENIED }, { "/x/admin/", REASON_HTTP_DENIED }, { "/x/admin/y", REASON_OK }, { "/x/admins/", REASON_OK },
		{ "/x/o/a/secrets/", REASON_HTTP_DENIED }, { "/x/later/", REASON_REVIEW_UNAVAILABLE }, { "/x/", REASON_OK }, { "/x/y/", REASON_OK },
		{ "/simple/p/", REASON_OK }, { "/simple/p", REASON_VERDICT_DENY }, { "/", REASON_VERDICT_DENY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_INT(kit_ask(&k, "GET", "a.example", 80, rows[i].path), rows[i].want))
			printf("# %s\n", rows[i].path);
	kit_free(&k);
}

/* Nor is its body waited for, unless what it says there could let a rule behind it hold back. */
TEST(a_rule_that_allows_has_no_slash_at_the_end_that_it_does_not_list)
{
	struct kit k = kit_compile(
		"version: 1\nverdicts: {all: allow, write: deny}\ncredentials:\n  c: {inject: {bearer: true}, hosts: [a.example], paths: ['/**']}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, credential: c, rules: [\n"
		"      {class: all, methods: [POST], paths: ['/**']}, {class: write, methods: [POST], paths: [/held, /b]},\n"
		"      {class: all, methods: [POST], paths: [/a], json: {/x: [1]}, reflective: true}, {class: all, methods: [POST], paths: [/s, /t], reflective: true},\n"
		"      {class: all, methods: [POST], paths: [/b], json: {/x: [1]}}]}\n");
	static const struct {
		const char *path, *body; /* NULL: none is needed */
		enum reason want;
		bool reflective;
	} rows[] = {
		{ "/a/", NULL, REASON_OK, true }, { "/a", "{\"x\": 1}", REASON_OK, true }, { "/a", "{\"x\": ", REASON_BODY_NOT_PARSABLE, false },
		{ "/s/", NULL, REASON_OK, true }, { "/s", NULL, REASON_OK, true },	       { "/held/", NULL, REASON_VERDICT_DENY, false },
		{ "/b/", "{\"x\": 1}", REASON_OK, false }, { "/b/", "{\"x\": 2}", REASON_VERDICT_DENY, false },
		{ "/b/", "{\"x\": ", REASON_BODY_NOT_PARSABLE, false },
	};
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 443, &e), REASON_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_request r = { .method = bytes_str("POST"), .path = bytes_str(rows[i].path) };
		struct policy_body body;
		struct policy_verdict v;
		ARENA_AUTO struct arena a;

		arena_init(&a, JSON_POINTER_ARENA_MAX);
		policy_judge(&k.policy, &e, &r, &v);
		if (!CHECK_INT(v.needs, rows[i].body ? POLICY_NEEDS_JSON : POLICY_NEEDS_NOTHING))
			printf("# row %zu\n", i);
		if (v.needs == POLICY_NEEDS_JSON) {
			policy_body_json(&k.policy, &e, bytes_str(rows[i].body ? rows[i].body : "{}"), &a, &body);
			r.body = &body;
			policy_judge(&k.policy, &e, &r, &v);
		}
		if (!CHECK_INT(v.reason, rows[i].want) || !CHECK(v.reflective == rows[i].reflective))
			printf("# row %zu\n", i);
	}
	kit_free(&k);
}

TEST(a_field_that_is_taken_out_allows_nothing_and_fires_a_deny)
{
	struct kit k = kit_compile(
		"version: 1\nverdicts: {write: allow}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: write, methods: [POST], paths: [/as], headers: [impersonate-user]}, {class: write, methods: [POST], paths: [/d]},\n"
		"      {class: write, methods: [POST], paths: [/plain], headers: [x-plain]},\n"
		"      {deny: true, methods: [POST], paths: [/d], headers: [impersonate-user]}]}\n");
	static const struct {
		const char *path, *field;
		bool bare;
		enum reason want;
	} rows[] = {
		{ "/as", "impersonate-user", false, REASON_OK },	  { "/as", "impersonate-user", true, REASON_HTTP_CONDITION },
		{ "/d", "impersonate-user", false, REASON_HTTP_DENIED }, { "/d", "impersonate-user", true, REASON_HTTP_DENIED },
		{ "/plain", "x-plain", true, REASON_OK },
	};
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 80, &e), REASON_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_request r = { .method = bytes_str("POST"), .path = bytes_str(rows[i].path), .has_header = has,
						  .headers = rows[i].field, .bare = rows[i].bare };
		struct policy_verdict v;

		policy_judge(&k.policy, &e, &r, &v);
		if (!CHECK_INT(v.reason, rows[i].want))
			printf("# row %zu\n", i);
	}
	kit_free(&k);
}

#define PIECES                                                                                                       \
	"{class: write, methods: [GET], paths: [/piece], headers: [range]}, {class: write, methods: [GET], paths: [/d]}, " \
	"{class: write, methods: [GET], paths: [/plain], headers: [x-plain]}, "                                            \
	"{deny: true, methods: [GET], paths: [/d], headers: [range]}"

TEST(a_field_that_asks_for_pieces_allows_nothing_where_answers_are_read_along)
{
	struct kit k = kit_compile(
		"version: 1\nverdicts: {write: allow}\ncredentials:\n  c: {inject: {bearer: true}, hosts: [scans.example], paths: [/piece, /d, /plain]}\n"
		"  p: {inject: {bearer: true}, hosts: [part.example], paths: [/piece, /d, /plain, /shows]}\nnetwork:\n"
		"  - {name: plain, hosts: [plain.example], ports: [443], mode: intercept, protocol: rest, rules: [" PIECES "]}\n"
		"  - {name: counts, hosts: [counts.example], ports: [443], mode: intercept, protocol: rest, ai: openai, rules: [" PIECES "]}\n"
		"  - {name: scans, hosts: [scans.example], ports: [443], mode: intercept, protocol: rest, credential: c, reflective: true, rules: [" PIECES "]}\n"
		"  - {name: part, hosts: [part.example], ports: [443], mode: intercept, protocol: rest, credential: p, rules: [" PIECES ",\n"
		"      {class: write, methods: [GET], paths: [/shows], reflective: true}]}\n");
	static const struct {
		const char *host, *path;
		enum reason want;
	} rows[] = {
		{ "plain.example", "/plain", REASON_OK }, { "counts.example", "/plain", REASON_OK }, { "scans.example", "/plain", REASON_OK },
		{ "plain.example", "/piece", REASON_OK }, { "plain.example", "/d", REASON_HTTP_DENIED },
		{ "counts.example", "/piece", REASON_HTTP_CONDITION }, { "counts.example", "/d", REASON_HTTP_DENIED },
		{ "scans.example", "/piece", REASON_HTTP_CONDITION }, { "scans.example", "/d", REASON_HTTP_DENIED },
		{ "part.example", "/piece", REASON_HTTP_CONDITION }, { "part.example", "/d", REASON_HTTP_DENIED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_request r = { .method = bytes_str("GET"), .path = bytes_str(rows[i].path), .has_header = has,
						  .headers = strcmp(rows[i].path, "/plain") == 0 ? "x-plain" : "range" };
		struct policy_entry e;
		struct policy_verdict v;

		CHECK_INT(policy_find(&k.policy, bytes_str(rows[i].host), 443, &e), REASON_OK);
		policy_judge(&k.policy, &e, &r, &v);
		if (!CHECK_INT(v.reason, rows[i].want))
			printf("# row %zu\n", i);
	}
	kit_free(&k);
}

TEST(paths_longer_than_any_pattern_are_walked_safely)
{
	char path[8000];
	struct kit k = kit_compile(
		"version: 1\nverdicts: {read: allow}\nnetwork:\n"
		"  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [\n"
		"      {class: read, methods: [GET], paths: ['/*/*/*/*/*/x', '/a/a/a/**/z', '/**/*a*a*a*b']}]}\n");

	for (size_t i = 0; i + 1 < sizeof(path); i += 2)
		memcpy(path + i, "/a", 2);
	path[sizeof(path) - 1] = '\0';
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, path), REASON_HTTP_PATH_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/a/b/c/d/e/x"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/a/a/a/b/z"), REASON_OK);
	kit_free(&k);
}

#define SLASHES(entry) \
	"version: 1\nverdicts: {read: allow, draft: review, write: deny}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, " \
	"encoded_slash: true, rules: [" entry "]}\n"

TEST(an_encoded_slash_leads_past_no_rule_that_holds_back)
{
	struct kit k = kit_compile(SLASHES(
		"{class: read, methods: [GET, POST], paths: ['/**']}, {deny: true, methods: [GET], paths: ['/admin/**', '/w/*/z']}, "
		"{class: draft, methods: [GET, POST], paths: ['/review/**', '/v/*/z']}, {class: write, methods: [GET, POST], paths: ['/held/**']}, "
		"{class: read, methods: [GET], paths: [/held/open]}"));
	static const struct {
		const char *path;
		enum reason want;
	} rows[] = {
		{ "/admin/x", REASON_HTTP_DENIED },
		{ "/admin%2Fx", REASON_HTTP_DENIED },
		{ "/admin%2Fx%2Fy", REASON_HTTP_DENIED },
		{ "/admin%2F", REASON_HTTP_DENIED },
		{ "/review%2Fx", REASON_REVIEW_UNAVAILABLE },
		{ "/held%2Fx", REASON_VERDICT_DENY },
		/* the first and the last one decoded, the one between not */
		{ "/w%2Fa%2Fb%2Fz", REASON_HTTP_DENIED },
		{ "/w/a/b/z", REASON_OK },
		/* nor does a later spelling that all may read lift what an earlier one is held to */
		{ "/v%2Fa%2Fb%2Fz", REASON_REVIEW_UNAVAILABLE },
		{ "/v/a/b/z", REASON_OK },
		{ "/@scope%2Fname", REASON_OK },
		{ "/adminx%2Fy", REASON_OK },
		{ "/held%2Fopen", REASON_OK },
		{ "/a%2Fb%2Fc%2Fd%2Fe%2Ff%2Fg%2Fh%2Fi", REASON_OK },
		{ "/a%2Fb%2Fc%2Fd%2Fe%2Ff%2Fg%2Fh%2Fi%2Fj", REASON_HTTP_SLASHES },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_INT(kit_ask(&k, "GET", "a.example", 80, rows[i].path), rows[i].want))
			printf("# %s\n", rows[i].path);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/admin%2Fx"), REASON_OK);
	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/admin%2Fx", NULL).rule, "a: deny GET,HEAD /admin/** (+1)");
	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/held%2Fx", NULL).class, "write");
	kit_free(&k);
}

TEST(l1_an_encoded_slash_needs_no_rule_for_its_other_spelling)
{
	struct kit k = kit_compile("version: 1\nverdicts: {read: allow}\nnetwork:\n"
				   "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, encoded_slash: true, rules: [\n"
				   "      {class: read, methods: [GET], paths: ['/@scope%2F*']}, {deny: true, methods: [GET], paths: ['/@scope%2Fx']}]}\n"
				   "  - {name: b, hosts: [b.example], ports: [80], mode: http, protocol: rest, encoded_slash: true, access: read-only}\n");

	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/@scope%2Fname"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/@scope/name"), REASON_HTTP_PATH_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/@scope%2Fx"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "GET", "b.example", 80, "/a%2Fb%2Fc%2Fd%2Fe%2Ff%2Fg%2Fh%2Fi%2Fj"), REASON_OK);
	kit_free(&k);
}

TEST(a_plus_is_held_back_in_both_spellings_and_allowed_in_the_one_listed)
{
	struct kit k = kit_compile(SLASHES("{class: read, methods: [GET], paths: ['/all/**', '/one+two', '/one%2Btoo']}, "
					   "{deny: true, methods: [GET], paths: ['/all/c++/**', '/all/d%2B/**', '/all/e+%2B']}, "
					   "{class: draft, methods: [GET], paths: ['/all/r+']}, {class: write, methods: [GET], paths: ['/all/w%2B*']}"));
	static const struct {
		const char *path;
		enum reason want;
	} rows[] = {
		{ "/all/c++/x", REASON_HTTP_DENIED },	{ "/all/c%2B%2B/x", REASON_HTTP_DENIED }, { "/all/c+%2B/x+y", REASON_HTTP_DENIED },
		{ "/all/c%2B+/%2B", REASON_HTTP_DENIED }, { "/all/d+/x", REASON_HTTP_DENIED },	  { "/all/d%2B/x", REASON_HTTP_DENIED },
		{ "/all/e++", REASON_HTTP_DENIED },	{ "/all/e%2B+", REASON_HTTP_DENIED },	  { "/all/r%2B", REASON_REVIEW_UNAVAILABLE },
		{ "/all/w+x", REASON_VERDICT_DENY },	{ "/all/c/x", REASON_OK },		  { "/all/f%2B", REASON_OK },
		{ "/one+two", REASON_OK },		{ "/one%2Btwo", REASON_HTTP_PATH_UNLISTED }, { "/one%2Btoo", REASON_OK },
		{ "/one+too", REASON_HTTP_PATH_UNLISTED }, { "/all%2Fc%2B%2B%2Fx", REASON_HTTP_PATH_UNLISTED }, { "/all/x%2F..%2B", REASON_OK },
		{ "/all/c%2B%2B%2Fx", REASON_HTTP_DENIED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_INT(kit_ask(&k, "GET", "a.example", 80, rows[i].path), rows[i].want))
			printf("# %s\n", rows[i].path);
	kit_free(&k);
}
