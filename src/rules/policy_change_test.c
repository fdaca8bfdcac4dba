#include "rules/policy_change.h"

#include <stdio.h>

#include "rules/policy_ask.h"
#include "rules/policy_test_kit.h"

/* That each change, once made, allows what was refused and nothing beside it is shown on policy files: tests/flows/test_policy_change.py. */

static const char *const text =
	"version: 1\nname: t\nverdicts: {read: allow, draft: allow, write: review, secret: deny, held: deny}\nnetwork:\n"
	"  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, credential: c, rules: [\n"
	"      {class: read, methods: [GET], paths: ['/a/**']}, {class: write, methods: [POST], paths: ['/a/**']},\n"
	"      {class: secret, methods: [PUT], paths: [/a/only]}, {class: held, methods: [PUT], paths: [/a/h]}, {class: held, methods: [PUT], paths: [/a/k]}, {class: draft, methods: [PATCH], paths: [/a/q], query: {x: [\"1\"]}, json: {/d: [true]}},\n"
	"      {deny: true, methods: [GET], paths: [/a/shut]}]}\n"
	"  - {name: p, hosts: [p.example], ports: [80], mode: http, protocol: rest, access: read-only}\n"
	"  - {name: w, hosts: ['*.w.example'], ports: [80], mode: http, protocol: rest, access: read-only, budget: 2}\n"
	"credentials:\n  c: {inject: {bearer: true}, hosts: [a.example], paths: ['/a/**']}\n";

static void wants_of(const struct kit *k, const char *method, const char *url, const char *content, const char *want)
{
	POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };
	const struct bytes body = bytes_str(content);
	struct policy_ask q = { .body = &body, .type = bytes_str("application/json") };

	if (CHECK(policy_ask_parse(bytes_str(method), bytes_str(url), &q)))
		policy_ask(&k->policy, &q, &told);
	CHECK_STR(buf_cstr(&told.change), want);
}

static void wants(const struct kit *k, const char *method, const char *url, const char *want)
{
	wants_of(k, method, url, "{\"d\": \"\\u00e9\\\"\"}", want);
}

static void wants_body(const struct kit *k, const char *url, const char *content, const char *want)
{
	wants_of(k, "POST", url, content, want);
}

TEST(a_change_names_entry_rule_class_and_the_least_that_must_be_written)
{
	struct kit k = kit_compile(text);

	wants(&k, "GET", "https://a.example/a/x", "");
	wants(&k, "DELETE", "https://a.example/a/x", "verdicts: add allowed: allow; network[a].rules: add {class: allowed, methods: [DELETE], paths: [\"/a/x\"]}");
	wants(&k, "GET", "https://a.example/b", "network[a].rules: add {class: read, methods: [GET], paths: [\"/b\"]}; credentials[c].paths: add \"/b\"");
	wants(&k, "POST", "https://a.example/a/x", "verdicts: add allowed: allow; network[a].rules: add {class: allowed, methods: [POST], paths: [\"/a/x\"]}");
	wants(&k, "PUT", "https://a.example/a/only", "verdicts: set secret: allow");
	wants(&k, "PUT", "https://a.example/a/h", "verdicts: add allowed: allow; network[a].rules[\"a: held PUT /a/h\"].class: set allowed");
	wants(&k, "PATCH", "https://a.example/a/q?x=2",
	      "network[a].rules[\"a: draft PATCH /a/q ?x json /d\"].query[\"x\"]: add \"2\"; "
	      "network[a].rules[\"a: draft PATCH /a/q ?x json /d\"].json[\"/d\"]: add \"\xc3\xa9\\\"\"");
	wants(&k, "GET", "https://a.example/a/shut", "network[a].rules[\"a: deny GET,HEAD /a/shut\"]: remove, or narrow it so that GET /a/shut is left out");
	wants(&k, "GET", "https://a.example:8443/a/x", "network[a].ports: add 8443; credentials[c].ports: where it has them, add 8443");
	wants(&k, "GET", "http://a.example/a/x",
	      "network: add {name: a-example, hosts: [a.example], ports: [80], mode: http, protocol: rest, rules: [{class: read, methods: [GET], paths: [\"/a/x\"]}]}");
	wants(&k, "POST", "http://p.example/x",
	      "verdicts: add allowed: allow; network[p].access: write out as rules [{class: read, methods: [GET, HEAD], paths: [\"/**\"]}]; "
	      "network[p].rules: add {class: allowed, methods: [POST], paths: [\"/x\"]}");
	wants(&k, "GET", "tcp://db.example:5432", "network: add {name: db-example, hosts: [db.example], ports: [5432], mode: tcp, reason: \"why it cannot be inspected\"}");
	wants(&k, "GET", "http://p.example/a%2Fb", "network[p].encoded_slash: set true");
	kit_free(&k);
}

TEST(what_no_policy_allows_says_so_and_why)
{
	static const char *const never[][2] = {
		{ "GET", "https://metadata.google.internal/computeMetadata/v1/" },
		{ "GET", "https://169.254.169.254/latest" },
		{ "GET", "https://a.example/a/../b" },
		{ "GET", "https://a.example/a//b" },
		{ "CONNECT", "https://a.example/" },
		{ "TRACE", "https://a.example/a/x" },
		{ "BREW", "https://a.example/pot" },
		{ "GET", "http://a.example:443/a/x" },
		{ "GET", "wss://a.example/a/x" },
		{ "PATCH", "https://a.example/a/q?x=2&x=1" },
		{ "PATCH", "https://a.example/a/q" },
		{ "GET", "https://x@a.example/" },
	};
	struct kit k = kit_compile(text);

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };
		struct policy_ask q = { 0 };
		struct bytes body = bytes_str("{\"d\":true}");

		q.body = &body;
		q.type = bytes_str("application/json");
		if (CHECK(policy_ask_parse(bytes_str(never[i][0]), bytes_str(never[i][1]), &q)))
			policy_ask(&k.policy, &q, &told);
		if (!CHECK(bytes_starts(buf_view(&told.change), bytes_str("no policy allows this: "))))
			printf("# %s %s: %s\n", never[i][0], never[i][1], buf_cstr(&told.change));
	}
	kit_free(&k);
}

static enum policy_change_answer change(const struct kit *k, const struct policy_refused *r, const char *want)
{
	struct buf out BUF_AUTO = { .max = POLICY_CHANGE_MAX };
	enum policy_change_answer a = policy_change(&k->policy, r, &out);

	CHECK_STR(buf_cstr(&out), want);
	return a;
}

static struct ip address(const char *spelt)
{
	struct ip ip = { 0 };

	CHECK(ip_parse(bytes_str(spelt), &ip));
	return ip;
}

/* An event of a connection: nothing was read of it. */
static void wants_port(const struct kit *k, const char *name, uint16_t port, const char *want)
{
	const struct policy_refused r = { .reason = REASON_PORT_UNLISTED, .name = bytes_str(name), .port = port };
	struct buf out BUF_AUTO = { .max = POLICY_CHANGE_MAX };

	CHECK_INT(policy_change(&k->policy, &r, &out), POLICY_CHANGE_EDITS);
	CHECK_STR(buf_cstr(&out), want);
}

TEST(a_port_is_added_to_an_entry_only_if_that_one_carries_what_the_port_is_for)
{
	struct kit k = kit_compile(text);

	wants_port(&k, "a.example", 80, "network: add {name: a-example, hosts: [a.example], ports: [80], mode: http, protocol: rest, "
					"rules: [{class: read, methods: [GET, HEAD], paths: [\"/**\"]}]}");
	wants_port(&k, "p.example", 443, "network: add {name: p-example, hosts: [p.example], ports: [443], mode: intercept, protocol: rest, "
					 "rules: [{class: read, methods: [GET, HEAD], paths: [\"/**\"]}]}");
	wants_port(&k, "p.example", 8080, "network[p].ports: add 8080");
	wants_port(&k, "a.example", 8443, "network[a].ports: add 8443; credentials[c].ports: where it has them, add 8443");
	kit_free(&k);
}

TEST(a_value_that_is_not_there_is_named)
{
	struct kit k = kit_compile("version: 1\nname: t\nverdicts: {read: allow, draft: allow, write: deny}\nnetwork:\n"
				   "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"
				   "      {class: read, methods: [GET], paths: [/q], query: {kind: [x]}}, {class: read, methods: [GET], paths: [/h], headers: [x-why]},\n"
				   "      {class: draft, methods: [POST], paths: [/j], json: {/a/b: [1]}}, {class: draft, methods: [POST], paths: [/m], json: {/model: [x]}},\n"
				   "      {class: write, methods: [POST], paths: [/n], json: {/model: [z]}}]}\n"
				   "  - {name: i, hosts: [i.example], ports: [443], mode: intercept, protocol: rest, models: [x], rules: [\n"
				   "      {class: draft, methods: [POST], paths: [/m]}, {class: draft, methods: [POST, PUT], paths: [/n]}, {class: read, methods: [GET], paths: [/m]}]}\n");

	wants(&k, "GET", "https://a.example/q", "no policy allows this: the rule wants the query parameter kind once; send it with a value that it lists");
	wants(&k, "GET", "https://a.example/q?kind=x&kind=x", "no policy allows this: a rule reads a query parameter or a header field that comes twice, in a form "
							      "that servers read in different ways, or is taken out of requests to this host");
	wants(&k, "GET", "https://a.example/h", "no policy allows this: the rule wants the header field x-why, which the request has not; send it");
	wants(&k, "POST", "https://a.example/j", "no policy allows this: the rule wants one value at /a/b of the body, where there is none; send one that it lists");
	wants_body(&k, "https://a.example/m", "{\"model\": \"y\"}", "network[a].rules[\"a: draft POST /m json /model\"].json[\"/model\"]: add \"y\"");
	wants_body(&k, "https://i.example/n", "{\"model\": \"y\"}", "network[i].models (or rules[\"i: draft POST,PUT /n json /model\"].json[\"/model\"]): add \"y\"");
	kit_free(&k);
}

TEST(addresses_names_and_budgets_change_by_one_element_each)
{
	struct kit k = kit_compile(text);
	struct policy_refused r = { .reason = REASON_ADDRESS_FORBIDDEN, .name = bytes_str("a.example"), .port = 443 };

	r.address = address("10.1.2.3");
	CHECK_INT(change(&k, &r, "network[a].addresses: add \"10.1.2.3/32\""), POLICY_CHANGE_EDITS);
	r.address = address("fd00::1");
	CHECK_INT(change(&k, &r, "network[a].addresses: add \"fd00::1/128\""), POLICY_CHANGE_EDITS);
	r.address = address("169.254.169.254");
	CHECK_INT(change(&k, &r, "no policy allows this: link-local, metadata, multicast and unspecified addresses are never dialled"), POLICY_CHANGE_NEVER);
	r.address = address("127.0.0.1");
	CHECK_INT(change(&k, &r, "no policy allows this: loopback addresses are for policies marked `lab: true`, which no production channel takes"),
		  POLICY_CHANGE_NEVER);
	r.own_address = true;
	r.address = address("8.8.8.8");
	CHECK_INT(change(&k, &r, "no policy allows this: the gateway host's own addresses are for policies marked `lab: true`, which no production channel takes"),
		  POLICY_CHANGE_NEVER);
	r = (struct policy_refused){ .reason = REASON_NAME_BUDGET, .name = bytes_str("x.w.example") };
	CHECK_INT(change(&k, &r, "network[w].hosts: add x.w.example"), POLICY_CHANGE_EDITS);
	r = (struct policy_refused){ .reason = REASON_NAME_UNLISTED, .name = bytes_str("new.example") };
	CHECK_INT(change(&k, &r,
			 "network: add {name: new-example, hosts: [new.example], ports: [443], mode: intercept, protocol: rest, "
			 "rules: [{class: read, methods: [GET, HEAD], paths: [\"/**\"]}]}"),
		  POLICY_CHANGE_EDITS);
	kit_free(&k);
}

TEST(what_policy_has_no_part_in_has_no_change)
{
	static const enum reason reasons[] = { REASON_OK, REASON_CONNECT_FAILED, REASON_AUDIT_UNWRITABLE, REASON_UPSTREAM_TIMEOUT, REASON_GUEST_CLOSED };
	struct kit k = kit_compile(text);

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const struct policy_refused r = { .reason = reasons[i], .name = bytes_str("a.example"), .port = 443 };

		CHECK_INT(change(&k, &r, ""), POLICY_CHANGE_NONE);
	}
	kit_free(&k);
}

/* Whoever asks would else choose how much Security is told to open. */
TEST(no_change_is_told_for_what_a_policy_would_read_as_a_wildcard)
{
	static const char *const asked[][3] = {
		{ "GET", "https://a.example/**", "" },
		{ "PUT", "https://a.example/a/on*", "" },
		{ "GET", "http://a.example/**", "" },
		{ "PATCH", "https://a.example/a/q?x=*", "{\"d\":true}" },
		{ "PATCH", "https://a.example/a/q?x=1", "{\"d\":\"*\"}" },
		{ "POST", "https://a.example/a/**", "" },
		{ "GET", "https://g.example/*/info/refs?service=git-upload-pack", "" },
		{ "GET", "https://g.example/team/*/info/refs?service=git-receive-pack", "" },
	};
	struct buf with_git BUF_AUTO = { .max = 4096 };
	struct kit k;

	buf_str(&with_git, text);
	with_git.len = (size_t)(strstr(buf_cstr(&with_git), "credentials:") - buf_cstr(&with_git));
	buf_str(&with_git, "  - {name: g, hosts: [g.example], ports: [443], mode: intercept, protocol: git, rules: [{class: secret, git: push, paths: ['/team/*'], refs: ['refs/**'], "
			   "change: [create]}]}\n");
	buf_str(&with_git, strstr(text, "credentials:"));
	k = kit_compile(buf_cstr(&with_git));
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };
		struct bytes body = bytes_str(asked[i][2]);
		struct policy_ask q = { .body = &body, .type = bytes_str("application/json") };

		if (CHECK(policy_ask_parse(bytes_str(asked[i][0]), bytes_str(asked[i][1]), &q)))
			policy_ask(&k.policy, &q, &told);
		if (!CHECK(bytes_starts(buf_view(&told.change), bytes_str("no policy allows this: it has an asterisk"))))
			printf("# %s %s: %s\n", asked[i][0], asked[i][1], buf_cstr(&told.change));
	}
	kit_free(&k);
}

TEST(a_change_that_does_not_fit_is_told_as_none)
{
	char path[1200] = "https://a.example/";
	struct kit k = kit_compile(text);
	POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };
	struct policy_ask q = { 0 };

	memset(path + strlen(path), 'x', sizeof(path) - strlen(path) - 1);
	path[sizeof(path) - 1] = '\0';
	if (CHECK(policy_ask_parse(bytes_str("GET"), bytes_str(path), &q)))
		policy_ask(&k.policy, &q, &told);
	CHECK_STR(buf_cstr(&told.change), "no policy allows this: the path is too long or too odd for a rule of its own");
	kit_free(&k);
}

TEST(a_rule_that_is_added_beside_models_says_that_they_are_asked_too)
{
	struct kit k = kit_compile("version: 1\nname: t\nverdicts: {read: allow, write: allow}\nnetwork:\n"
				   "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, models: ['small-*'], rules: [\n"
				   "      {class: read, methods: [GET], paths: ['/a']}, {class: write, methods: [POST], paths: ['/a']}]}\n");
	static const char rule[] = "network[a].rules: add {class: write, methods: [POST], paths: [\"/b\"]}";
	char want[256];

	wants_body(&k, "https://a.example/b", "{\"model\": \"small-1\"}", rule);
	(void)snprintf(want, sizeof(want), "%s; network[a].models: where it has them, add \"big\"", rule);
	wants_body(&k, "https://a.example/b", "{\"model\": \"big\"}", want);
	(void)snprintf(want, sizeof(want), "%s (where the entry has `models`, the request's must be one of them, too)", rule);
	wants_body(&k, "https://a.example/b", "{}", want);
	wants_body(&k, "https://a.example/b", "no JSON", want);
	wants(&k, "GET", "https://a.example/b", "network[a].rules: add {class: read, methods: [GET], paths: [\"/b\"]}");
	kit_free(&k);
}
