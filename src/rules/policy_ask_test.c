#include "rules/policy_ask.h"

#include "rules/policy_test_kit.h"
#include "wire/http1_fields.h"

static const char *const text = "version: 1\nname: t\nverdicts: {read: allow, draft: allow}\nnetwork:\n"
				"  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"
				"      {class: read, methods: [GET], paths: [/a]}, {class: draft, methods: [POST], paths: [/p], json: {/d: [true]}}]}\n"
				"  - {name: g, hosts: [g.example], ports: [443], mode: intercept, protocol: git, rules: [\n"
				"      {class: draft, git: push, paths: [/r], refs: [refs/heads/x], change: [create]}]}\n"
				"  - {name: d, hosts: [d.example], ports: [5432], mode: tcp, reason: \"a database\"}\n";

static enum reason ask(const struct kit *k, struct policy_ask q, const char *method, const char *url, enum policy_needs *ret_needs)
{
	POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };

	if (!CHECK(policy_ask_parse(bytes_str(method), bytes_str(url), &q)))
		return REASON_COUNT;
	policy_ask(&k->policy, &q, &told);
	*ret_needs = told.verdict.needs;
	CHECK((told.change.len == 0) == (told.reason == REASON_OK || told.reason == REASON_BODY_NEEDED));
	return told.reason;
}

TEST(questions_are_taken_apart_and_answered_in_the_order_of_the_gateway)
{
	struct kit k = kit_compile(text);
	enum policy_needs needs;

	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "POST", "https://a.example/a", &needs), REASON_HTTP_METHOD_UNLISTED);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example", &needs), REASON_HTTP_PATH_UNLISTED);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a/../b", &needs), REASON_HTTP_DOT_SEGMENT);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://u@a.example/a", &needs), REASON_HTTP_USERINFO);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "http://a.example/a", &needs), REASON_PORT_UNLISTED);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "http://a.example:443/a", &needs), REASON_TLS_NOT);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://b.example/a", &needs), REASON_NAME_UNLISTED);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "wss://a.example/a", &needs), REASON_UPGRADE_REFUSED);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "tcp://d.example:5432", &needs), REASON_OK);
	kit_free(&k);
}

TEST(a_body_that_decides_is_asked_for_and_then_read)
{
	struct kit k = kit_compile(text);
	const struct bytes yes = bytes_str("{\"d\": true}"), no = bytes_str("{\"d\": false}");
	const struct git_command in = { .kind = GIT_CREATE, .ref = bytes_str("refs/heads/x") }, out = { .kind = GIT_DELETE, .ref = bytes_str("refs/heads/x") };
	enum policy_needs needs;

	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "POST", "https://a.example/p", &needs), REASON_BODY_NEEDED);
	CHECK_INT(needs, POLICY_NEEDS_JSON);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &yes }, "POST", "https://a.example/p", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &no }, "POST", "https://a.example/p", &needs), REASON_HTTP_CONDITION);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "POST", "https://g.example/r/git-receive-pack", &needs), REASON_BODY_NEEDED);
	CHECK_INT(needs, POLICY_NEEDS_GIT);
	CHECK_INT(ask(&k, (struct policy_ask){ .commands = &in, .n_commands = 1 }, "POST", "https://g.example/r/git-receive-pack", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ .commands = &out, .n_commands = 1 }, "POST", "https://g.example/r/git-receive-pack", &needs), REASON_GIT_UNLISTED);
	kit_free(&k);
}

static bool has_field(const void *headers, struct bytes name)
{
	return bytes_ieq(name, bytes_str(headers));
}

TEST(a_method_hidden_in_a_field_query_or_body_is_refused_as_the_gateway_refuses_it)
{
	static const char *const fields[] = { "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Method" };
	struct kit k = kit_compile(text);
	const struct bytes hidden = bytes_str("{\"d\": true, \"_method\": \"DELETE\"}"), deeper = bytes_str("{\"d\": true, \"x\": {\"_method\": 1}}");
	enum policy_needs needs;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		CHECK(http1_request_field(bytes_str(fields[i])) == HTTP1_OVERRIDE);
		CHECK_INT(ask(&k, (struct policy_ask){ .has_header = has_field, .headers = fields[i] }, "", "https://a.example/a", &needs), REASON_HTTP_OVERRIDE);
	}
	CHECK_INT(ask(&k, (struct policy_ask){ .has_header = has_field, .headers = "X-Other" }, "", "https://a.example/a", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a?_method=DELETE&mode=safe", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a?mode=safe&%5fMethod=DELETE", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/no?_method", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a?method=DELETE&x=_method", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://b.example/a?_method=DELETE", &needs), REASON_NAME_UNLISTED);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &hidden }, "POST", "https://a.example/p", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(needs, POLICY_NEEDS_NOTHING);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &deeper }, "POST", "https://a.example/p", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &hidden }, "POST", "https://a.example/no", &needs), REASON_HTTP_PATH_UNLISTED);
	kit_free(&k);
}

TEST(what_is_no_question_is_told_apart)
{
	static const char *const urls[] = { "", "a.example", "ftp://a.example/", "https:/a.example", "//a.example/x" };
	struct policy_ask q = { 0 };

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		CHECK(!policy_ask_parse(bytes_str("GET"), bytes_str(urls[i]), &q));
	CHECK(!policy_ask_parse(bytes_str("G T"), bytes_str("https://a.example/"), &q));
}
