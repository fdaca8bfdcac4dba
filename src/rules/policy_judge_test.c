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
