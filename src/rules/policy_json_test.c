/* Values at JSON pointers: how rules write them, and what they match. */
#include "rules/policy_json.h"
#include "rules/policy_test_kit.h"

#define TOP "version: 1\nname: test\nverdicts: {draft: allow, write: deny}\nnetwork:\n"
#define RULES(rules) TOP "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n" rules "]}\n"
#define ONE(condition) RULES("      {class: write, methods: [POST], paths: ['/**']}, {class: draft, methods: [POST], paths: [/x], json: {" condition "}}")

TEST(numbers_of_rules_are_those_that_no_reader_rounds)
{
	static const char *const good[] = { "0", "1", "-1", "12.5", "-0.5", "999999999999999", "0.25" };
	static const char *const bad[] = { "",	  "-",	  "01",	 "-0",	    "1.",  ".5",   "1.0", "1.50", "1e3",
					   "+1", "0x1", "--1", "1.2.3", "1_0", "1 ", "9999999999999999", "0.123456789012345" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(policy_json_number_ok(bytes_str(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(!policy_json_number_ok(bytes_str(bad[i]))))
			printf("# %s\n", bad[i]);
}

TEST(a_value_matches_by_type_and_exactly)
{
	static const struct {
		const char *want;
		enum json_value_kind kind;
		const char *text;
		bool match;
	} rows[] = {
		{ "sgpt-*", JSON_VALUE_STRING, "gpt-9.mini", true }, { "sgpt", JSON_VALUE_STRING, "GPT", false },
		{ "s1", JSON_VALUE_NUMBER, "1", false },	     { "n1", JSON_VALUE_STRING, "1", false },
		{ "n1", JSON_VALUE_NUMBER, "1.0", true },	     { "n100", JSON_VALUE_NUMBER, "1e2", true },
		{ "n1", JSON_VALUE_NUMBER, "1.01", false },	     { "t", JSON_VALUE_TRUE, "", true },
		{ "t", JSON_VALUE_FALSE, "", false },		     { "strue", JSON_VALUE_TRUE, "", false },
		{ "z", JSON_VALUE_NULL, "", true },		     { "z", JSON_VALUE_ABSENT, "", false },
		{ "s*", JSON_VALUE_OBJECT, "", false },		     { "s*", JSON_VALUE_ARRAY, "", false },
		{ "", JSON_VALUE_STRING, "", false },		     { "s", JSON_VALUE_STRING, "", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_value v = { rows[i].kind, bytes_str(rows[i].text) };

		if (!CHECK(policy_json_match(bytes_str(rows[i].want), &v) == rows[i].match))
			printf("# %s against %s\n", rows[i].want, rows[i].text);
	}
}

TEST(p11_values_of_json_are_typed_as_they_are_written)
{
	kit_refused(ONE("/x: [yes]"), 6, 0, "wrong type");
	kit_refused(ONE("/x: [~]"), 6, 0, "wrong type");
	kit_refused(ONE("/x: [2026-01-01]"), 6, 0, "wrong type");
	kit_refused(ONE("/x: [1.0]"), 6, 0, "decimal digits");
	kit_refused(ONE("/x: [0x10]"), 6, 0, "decimal digits");
	kit_refused(ONE("/x: [a, a]"), 6, 0, "twice");
	kit_refused(ONE("/x: a"), 6, 0, "not a list");
	kit_refused(ONE("x: [a]"), 6, 0, "no JSON pointer");
	kit_refused(ONE("/~2: [a]"), 6, 0, "no JSON pointer");
	kit_refused(RULES("      {class: draft, methods: [POST], paths: [/x], json: [a]}"), 6, 0, "not a mapping");
}

TEST(p23_a_body_is_read_only_where_there_is_one)
{
	kit_refused(RULES("      {class: draft, methods: [GET, POST], paths: [/x], json: {/x: [a]}}"), 6, 0, "methods that have one");
	kit_refused(RULES("      {class: draft, methods: [\"*\"], paths: [/x], json: {/x: [a]}}"), 6, 0, "methods that have one");
	kit_refused("version: 1\nnetwork:\n  - {name: a, hosts: [a.example], ports: [443], mode: passthrough, reason: x, rules: [{json: {/x: [1]}}]}\n", 3, 0,
		    "does not apply to mode passthrough");
	kit_refused("version: 1\nverdicts: {read: allow}\nnetwork:\n  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: grpc, rules: [\n"
		    "      {class: read, paths: [/x/y], json: {/x: [a]}}]}\n",
		    5, 0, "read by protocol rest");
}

TEST(p7_an_empty_condition_matches_nothing)
{
	kit_warned(RULES("      {class: write, methods: [POST], paths: ['/**']}, {class: draft, methods: [POST], paths: [/x], json: {/x: []}},"
			 "{class: draft, methods: [PUT], paths: [/y]}"),
		   6, 0, "cannot match");
	kit_warned(RULES("      {class: write, methods: [POST], paths: ['/**']}, {class: draft, methods: [POST], paths: [/x], json: {}},"
			 "{class: draft, methods: [PUT], paths: [/y]}"),
		   6, 0, "cannot match");
}

TEST(the_pointers_of_an_entry_are_few)
{
	char text[2048] = TOP "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"
			      "      {class: write, methods: [POST], paths: ['/**']},\n      {class: draft, methods: [POST], paths: [/x], json: {";

	for (int i = 0; i < POLICY_POINTERS_MAX + 1; i++) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof(text) - len, "%s/p%d: [1]", i ? ", " : "", i);
	}
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "}}]}\n");
	kit_refused(text, 7, 0, "more than 16 JSON pointers");
}

TEST(rules_that_read_bodies_nest_and_disagree_like_others)
{
	kit_refused(RULES("      {class: write, methods: [POST], paths: [/x], json: {/a: [1]}},\n"
			  "      {class: draft, methods: [POST], paths: [/x], json: {/b: [1]}}"),
		    7, 0, "rules disagree");
	kit_refused(RULES("      {class: write, methods: [POST], paths: [/x], json: {/a: ['x*']}},\n"
			  "      {class: draft, methods: [POST], paths: [/x], json: {/a: ['*x']}}"),
		    7, 0, "rules disagree");
	kit_free(&(struct kit[]){ kit_compile(RULES("      {class: write, methods: [POST], paths: [/x], json: {/a: [1, \"1\"]}},\n"
						    "      {class: draft, methods: [POST], paths: [/x], json: {/a: [true, \"2\", 1.5]}}")) }[0]);
	kit_free(&(struct kit[]){ kit_compile(RULES("      {class: write, methods: [POST], paths: [/x], json: {/a: ['x*']}},\n"
						    "      {class: draft, methods: [POST], paths: [/x], json: {/a: [xy], /b: [null]}}")) }[0]);
}

#define MODELS(models, rules)                                                                                                           \
	TOP "  - {name: i, hosts: [inference.internal], ports: [443], mode: intercept, protocol: rest, upstream: {host: m.example}, models: " models \
	    ", rules: [\n" rules "]}\n"

TEST(models_are_a_condition_of_every_rule_that_takes_a_body)
{
	struct kit k = kit_compile(MODELS("[small-1, 'big-*']", "      {class: draft, methods: [POST], paths: [/v1/messages]}, {class: write, methods: [GET], paths: [/v1/models]}"));
	struct kit_answer a = kit_ask_with(&k, "POST", "inference.internal", 443, "/v1/messages", NULL);

	CHECK_INT(a.reason, REASON_BODY_NEEDED);
	CHECK_STR(a.rule, "i: draft POST /v1/messages json /model");
	CHECK_INT(kit_ask(&k, "GET", "inference.internal", 443, "/v1/models"), REASON_VERDICT_DENY);
	kit_free(&k);
	kit_refused(MODELS("[a]", "      {class: draft, methods: [GET, POST], paths: ['/**']}"), 6, 0, "a rule of its own for GET");
	kit_refused(MODELS("[a]", "      {class: draft, methods: [GET], paths: ['/**']}"), 5, 0, "applies to no rule");
	kit_refused(MODELS("[a]", "      {class: draft, methods: [POST], paths: ['/**'], json: {/model: [a]}}"), 6, 0, "in two ways");
	kit_refused(MODELS("a", "      {class: draft, methods: [POST], paths: ['/**']}"), 5, 0, "not a list");
	k = kit_compile(MODELS("[]", "      {class: draft, methods: [POST], paths: ['/**']}, {class: write, methods: [GET], paths: ['/**']}"));
	CHECK_INT(kit_ask(&k, "POST", "inference.internal", 443, "/v1/messages"), REASON_HTTP_METHOD_UNLISTED);
	kit_free(&k);
}

TEST(a_blob_with_a_pointer_that_is_none_is_refused)
{
	struct kit k = kit_compile(ONE("/unusual: [1]"));
	struct policy p = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i + 8 <= k.blob.len; i++)
		if (memcmp(k.blob.p + i, "/unusual", 8) == 0)
			k.blob.p[i] = 'x';
	CHECK(!policy_open(&p, buf_view(&k.blob), &e) && strstr(e.text, "damaged"));
	kit_free(&k);
}
