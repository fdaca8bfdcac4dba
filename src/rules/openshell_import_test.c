#include "rules/openshell_import.h"

#include "rules/policy_test_kit.h"

#define TOP "version: 1\nnetwork_policies:\n  web:\n    binaries: [{path: /**}]\n    endpoints:\n"

static const struct openshell_options strict = { false, false };

/* Converts; the result compiles. */
static struct kit import_with(const char *text, struct policy_problems *notes,
			      const struct openshell_options *options)
{
	BUF_AUTO struct buf yaml = { .max = POLICY_TEXT_MAX };
	struct kit k = { 0 };

	if (CHECK(openshell_import(bytes_str(text), options, &yaml, notes)))
		k = kit_compile(buf_cstr(&yaml));
	else
		kit_print(&(struct kit){ .problems = *notes }, text);
	return k;
}

static void refused(const char *text, uint32_t line, const char *word)
{
	BUF_AUTO struct buf yaml = { .max = POLICY_TEXT_MAX };
	struct kit k = { 0 };

	if (!CHECK(!openshell_import(bytes_str(text), &strict, &yaml, &k.problems) &&
		   kit_has(&k, POLICY_ERROR, line, 0, word) && yaml.len == 0)) {
		printf("# wanted %u: %s\n", line, word);
		kit_print(&k, text);
	}
	policy_problems_deinit(&k.problems);
}

/* Converts with such a note. */
static struct kit settled(const char *text, uint32_t line, const char *word)
{
	struct policy_problems notes = { 0 };
	struct kit k = import_with(text, &notes, &strict);
	struct kit seen = { .problems = notes };

	if (!CHECK(kit_has(&seen, POLICY_WARNING, line, 0, word))) {
		printf("# wanted %u: %s\n", line, word);
		kit_print(&seen, text);
	}
	policy_problems_deinit(&notes);
	return k;
}

TEST(a_rest_endpoint_becomes_an_http_entry)
{
	struct kit k = settled(
		TOP
		"      - {host: Web.Example, port: 80, protocol: rest, enforcement: enforce, rules: [\n"
		"          {allow: {method: get, path: '/a/**'}}, {allow: {method: POST, path: /a/**/b}}, {allow: {method: GET, path: /a/x}}],\n"
		"         deny_rules: [{method: '*', path: '/a/secret/*'}]}\n",
		6, "lower case");

	CHECK_INT(kit_ask(&k, "GET", "web.example", 80, "/a/x/y"), REASON_OK);
	CHECK_INT(kit_ask(&k, "HEAD", "web.example", 80, "/a/x/y"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "web.example", 80, "/a/b"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "web.example", 80, "/a/x/b"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "web.example", 80, "/a/x"), REASON_HTTP_METHOD_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "web.example", 80, "/a/secret/x"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "GET", "web.example", 80, "/a/secret/"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "GET", "web.example", 80, "/b"), REASON_HTTP_PATH_UNLISTED);
	kit_free(&k);
}

TEST(presets_keep_their_expansion_there)
{
	struct kit k = settled(
		TOP
		"      - {host: web.example, port: 80, protocol: rest, enforcement: enforce, access: read-write}\n",
		6, "private addresses");

	CHECK_INT(kit_ask(&k, "OPTIONS", "web.example", 80, "/"), REASON_OK);
	CHECK_INT(kit_ask(&k, "PATCH", "web.example", 80, "/"), REASON_OK);
	CHECK_INT(kit_ask(&k, "DELETE", "web.example", 80, "/"), REASON_HTTP_METHOD_UNLISTED);
	kit_free(&k);
}

TEST(bare_endpoints_become_passthrough_or_tcp)
{
	struct kit k = settled(
		TOP
		"      - {host: web.example, port: 443}\n      - {host: db.example, ports: [5432], protocol: tcp}\n",
		6, "passthrough");
	struct policy_entry e;

	CHECK(k.ok && policy_find(&k.policy, bytes_str("web.example"), 443, &e) == REASON_OK &&
	      e.mode == POLICY_PASSTHROUGH);
	CHECK(k.ok && policy_find(&k.policy, bytes_str("db.example"), 5432, &e) == REASON_OK &&
	      e.mode == POLICY_TCP);
	CHECK(k.ok && bytes_is(e.rule, "web-2"));
	kit_free(&k);
}

TEST(traps_are_settled_to_what_their_author_meant_and_listed)
{
	struct kit k;

	k = settled(TOP "      - {host: web.example, port: 80, access: read-only}\n", 6,
		    "without `protocol`");
	CHECK_INT(kit_ask(&k, "POST", "web.example", 80, "/"), REASON_HTTP_METHOD_UNLISTED);
	kit_free(&k);
	k = settled(TOP
		    "      - {host: web.example, port: 80, protocol: rest, access: read-only}\n",
		    6, "only logged there");
	CHECK_INT(kit_ask(&k, "POST", "web.example", 80, "/"), REASON_HTTP_METHOD_UNLISTED);
	kit_free(&k);
	k = settled(
		TOP
		"      - {host: web.example, port: 80, protocol: rest, enforcement: Enforce, access: read-only}\n",
		6, "only logs there");
	kit_free(&k);
	k = settled(
		TOP
		"      - {host: web.example, port: 80, protocol: rest, access: full, deny_rules: [{path: '/admin/**'}]}\n",
		6, "any method");
	CHECK_INT(kit_ask(&k, "DELETE", "web.example", 80, "/admin/x"), REASON_HTTP_DENIED);
	kit_free(&k);
	k = settled(
		TOP
		"      - {host: web.example, port: 80, protocol: rest, access: full, deny_rules: [{method: DELETE}]}\n",
		6, "every path");
	CHECK_INT(kit_ask(&k, "DELETE", "web.example", 80, "/x"), REASON_HTTP_DENIED);
	kit_free(&k);
	k = settled(
		"version: 1\nnetwork_policies:\n  web:\n    endpoints: [{host: web.example, port: 443}]\n",
		4, "grants nothing there");
	CHECK_INT(kit_ask(&k, "GET", "web.example", 443, "/"), REASON_NAME_UNLISTED);
	kit_free(&k);
	k = settled(
		TOP
		"      - {host: web.example, port: 80, protocol: rest, rules: [{allow: {method: GET, path: /a**}}]}\n",
		6, "inside a segment");
	CHECK_INT(kit_ask(&k, "GET", "web.example", 80, "/abc"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "web.example", 80, "/a/c"), REASON_HTTP_PATH_UNLISTED);
	kit_free(&k);
}

TEST(what_has_no_equal_is_refused)
{
	refused("version: 7\n", 1, "version 1");
	refused("version: 1\nfilesystem_policy: {}\n", 2, "--network-only");
	refused("version: 1\nnetwork_middlewares: {x: {middleware: y}}\n", 2, "no equal");
	refused("version: 1\nnetwork_policies:\n  w: {binaries: [{path: /usr/bin/curl}], endpoints: [{host: a.example, port: 443}]}\n",
		3, "--any-process");
	refused(TOP "      - {host: '', ports: [443]}\n", 6, "every host");
	refused(TOP "      - {host: 'api.*', ports: [443]}\n", 6, "first label");
	refused(TOP "      - {host: '*-api.example.com', ports: [443]}\n", 6, "whole label");
	refused(TOP "      - {host: '*.co.uk', ports: [443]}\n", 6, "public suffix");
	refused(TOP "      - {host: a.example, port: 80, ports: [443]}\n", 6, "ignored there");
	refused(TOP "      - {host: a.example, port: 443, protocol: websocket, access: full}\n", 6,
		"websocket: opaque");
	refused(TOP "      - {host: a.example, port: 443, protocol: rest, access: full, credential_binding: {provider: x}}\n", 6,
		"credentials");
	refused(TOP "      - {host: a.example, port: 80, protocol: MCP, access: full}\n", 6,
		"unknown value");
	refused(TOP "      - {host: a.example, port: 80, protocol: graphql, access: full}\n", 6,
		"not available");
	refused(TOP "      - {host: a.example, port: 80, protocol: rest, access: readonly}\n", 6,
		"unknown value");
	refused(TOP
		"      - {host: a.example, port: 80, protocol: rest, enforcement: enfroce, access: read-only}\n",
		6, "unknown enforcement");
	refused(TOP
		"      - {host: a.example, port: 80, protocol: rest, tls: none, access: read-only}\n",
		6, "unknown `tls`");
	refused(TOP
		"      - {host: a.example, port: 80, protocol: rest, tls: skip, access: read-only}\n",
		6, "without effect");
	refused(TOP "      - {host: a.example, port: 443, allowed_ips: [10.0.0.0/8]}\n", 6,
		"by hand");
	refused(TOP
		"      - {host: a.example, port: 80, path: /v1/**, protocol: rest, access: full}\n",
		6, "path selector");
	refused(TOP
		"      - {host: a.example, port: 80, protocol: rest, rules: [{allow: {method: GET}}]}\n",
		6, "matches nothing");
	refused(TOP
		"      - {host: a.example, port: 80, protocol: rest, rules: [{allow: {method: GET, path: '/a?c'}}]}\n",
		6, "no wildcard");
	refused(TOP
		"      - {host: a.example, port: 80, protocol: rest, rules: [{allow: {method: GET, path: /a, query: {x: 'v*'}}}]}\n",
		6, "glob in a query");
	refused(TOP "      - {host: a.example, port: 80, protocol: rest, acces: full}\n", 6,
		"did you mean `access`");
}

TEST(what_was_asked_for_is_left_out_and_listed)
{
	const struct openshell_options wide = { true, true };
	struct policy_problems notes = { 0 };
	struct kit k = import_with(
		"version: 1\nprocess: {}\nnetwork_policies:\n  w: {binaries: [{path: /usr/bin/curl}], endpoints: [{host: a.example, port: 443}]}\n",
		&notes, &wide);
	struct kit seen = { .problems = notes };

	CHECK(kit_has(&seen, POLICY_WARNING, 2, 0, "as asked") &&
	      kit_has(&seen, POLICY_WARNING, 4, 0, "every process"));
	policy_problems_deinit(&notes);
	kit_free(&k);
}

TEST(rules_for_https_become_an_intercepted_entry_and_a_plain_port_one_of_its_own)
{
	struct kit k = settled(TOP "      - {host: web.example, ports: [443, 80, 8080], protocol: rest, enforcement: enforce, access: read-only}\n", 6,
			       "every other port plain http");
	struct policy_entry e;

	if (CHECK(k.ok)) {
		CHECK_INT(policy_find(&k.policy, bytes_str("web.example"), 443, &e), REASON_OK);
		CHECK(e.mode == POLICY_INTERCEPT && e.protocol == POLICY_REST && e.credential == POLICY_NONE && bytes_is(e.rule, "web"));
		CHECK_INT(policy_find(&k.policy, bytes_str("web.example"), 80, &e), REASON_OK);
		CHECK(e.mode == POLICY_HTTP && bytes_is(e.rule, "web-2"));
		CHECK_INT(policy_find(&k.policy, bytes_str("web.example"), 8080, &e), REASON_OK);
		CHECK_INT(e.mode, POLICY_HTTP);
	}
	CHECK_INT(kit_ask(&k, "GET", "web.example", 443, "/x"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "web.example", 443, "/x"), REASON_HTTP_METHOD_UNLISTED);
	CHECK_INT(kit_ask(&k, "POST", "web.example", 80, "/x"), REASON_HTTP_METHOD_UNLISTED);
	kit_free(&k);
}

/* Each is called by its rule's name and the next number, without asking again for those that are taken. */
TEST(a_rule_may_have_thousands_of_endpoints)
{
	struct policy_problems notes = { 0 };
	BUF_AUTO struct buf text = { .max = POLICY_TEXT_MAX };
	BUF_AUTO struct buf yaml = { .max = POLICY_TEXT_MAX };

	buf_str(&text, TOP);
	for (unsigned i = 1; i <= 20000; i++)
		buf_fmt(&text, "      - {host: h%u.example, port: 22, protocol: tcp}\n", i);
	CHECK(openshell_import(buf_view(&text), &strict, &yaml, &notes));
	CHECK(strstr(buf_cstr(&yaml), "  - name: web-20000\n    hosts: [\"h20000.example\"]\n") != NULL);
	policy_problems_deinit(&notes);
}
