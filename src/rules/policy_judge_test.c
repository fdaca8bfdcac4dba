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
