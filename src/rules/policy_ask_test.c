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

TEST(the_destination_of_a_move_is_judged_as_the_gateway_does)
{
	static const struct {
		const char *method;
		const char *destination;
		enum reason reason;
	} rows[] = {
		{ "MOVE", "/a/y", REASON_OK },
		{ "MOVE", "https://A.example:443/a/%79?x", REASON_OK },
		{ "MOVE", "/a/no", REASON_HTTP_DENIED },
		{ "PURGE", "/b", REASON_HTTP_PATH_UNLISTED },
		{ "MOVE", "/b", REASON_HTTP_PATH_UNLISTED },
		{ "MOVE", "http://a.example/a/y", REASON_HTTP_AUTHORITY },
		{ "MOVE", "https://b.example/a/y", REASON_HTTP_AUTHORITY },
		{ "MOVE", "/a/../b", REASON_HTTP_DOT_SEGMENT },
		{ "MOVE", "/a%2Fno", REASON_HTTP_ENCODED_SLASH },
		{ "MOVE", "", REASON_HTTP_TARGET },
		{ "MOVE", "/told", REASON_BODY_NEEDED },
		{ "GET", "/a/no", REASON_OK },
	};
	struct kit k = kit_compile("version: 1\nname: t\nverdicts: {write: allow}\nnetwork:\n"
				   "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"
				   "      {class: write, methods: ['*'], paths: ['/a/**']}, {deny: true, methods: [MOVE], paths: [/a/no]},\n"
				   "      {class: write, methods: [MOVE], paths: [/told], json: {/d: [true]}}]}\n");
	const struct bytes yes = bytes_str("{\"d\": true}"), no = bytes_str("{\"d\": false}"), told = bytes_str("/told");
	const struct policy_ask with[] = { { .destination = &told, .body = &yes, .type = bytes_str("application/json") },
					   { .destination = &told, .body = &no, .type = bytes_str("application/json") } };
	enum policy_needs needs;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bytes destination = bytes_str(rows[i].destination);

		if (!CHECK_INT(ask(&k, (struct policy_ask){ .destination = &destination }, rows[i].method, "https://a.example/a/x", &needs), rows[i].reason))
			printf("# %s\n", rows[i].destination);
	}
	CHECK_INT(ask(&k, with[0], "MOVE", "https://a.example/a/x", &needs), REASON_OK);
	CHECK_INT(ask(&k, with[1], "MOVE", "https://a.example/a/x", &needs), REASON_HTTP_CONDITION);
	CHECK_INT(ask(&k, with[0], "MOVE", "https://a.example/b", &needs), REASON_HTTP_PATH_UNLISTED);
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
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &yes, .type = bytes_str("application/json") }, "POST", "https://a.example/p", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &no, .type = bytes_str("application/json") }, "POST", "https://a.example/p", &needs), REASON_HTTP_CONDITION);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "POST", "https://g.example/r/git-receive-pack", &needs), REASON_BODY_NEEDED);
	CHECK_INT(needs, POLICY_NEEDS_GIT);
	CHECK_INT(ask(&k, (struct policy_ask){ .commands = &in, .n_commands = 1 }, "POST", "https://g.example/r/git-receive-pack", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ .commands = &out, .n_commands = 1 }, "POST", "https://g.example/r/git-receive-pack", &needs), REASON_GIT_UNLISTED);
	kit_free(&k);
}

TEST(a_method_hidden_in_a_field_query_or_body_is_refused_as_the_gateway_refuses_it)
{
	static const char *const fields[] = { "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Method" };
	struct kit k = kit_compile(text);
	const struct bytes hidden = bytes_str("{\"d\": true, \"_method\": \"DELETE\"}"), deeper = bytes_str("{\"d\": true, \"x\": {\"_method\": 1}}");
	enum policy_needs needs;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		CHECK(http1_request_field(bytes_str(fields[i])) == HTTP1_OVERRIDE);
		CHECK_INT(ask(&k, (struct policy_ask){ .fields = bytes_str(fields[i]) }, "", "https://a.example/a", &needs), REASON_HTTP_OVERRIDE);
	}
	CHECK_INT(ask(&k, (struct policy_ask){ .fields = bytes_str("X-Other") }, "", "https://a.example/a", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a?_method=DELETE&mode=safe", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a?mode=safe&%5fMethod=DELETE", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/no?_method", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://a.example/a?method=DELETE&x=_method", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ 0 }, "", "https://b.example/a?_method=DELETE", &needs), REASON_NAME_UNLISTED);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &hidden, .type = bytes_str("application/json") }, "POST", "https://a.example/p", &needs), REASON_HTTP_OVERRIDE);
	CHECK_INT(needs, POLICY_NEEDS_NOTHING);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &deeper, .type = bytes_str("application/json") }, "POST", "https://a.example/p", &needs), REASON_OK);
	CHECK_INT(ask(&k, (struct policy_ask){ .body = &hidden, .type = bytes_str("application/json") }, "POST", "https://a.example/no", &needs), REASON_HTTP_PATH_UNLISTED);
	kit_free(&k);
}

/* What the gateway does with these is shown beside it, as below. */
TEST(a_body_is_what_its_sender_says_it_is)
{
	static const struct {
		const char *type, *body, *fields, *url;
		enum reason want;
	} rows[] = {
		{ "application/x-www-form-urlencoded", "a=1&_method=DELETE", "", "https://a.example/p", REASON_HTTP_OVERRIDE },
		{ "", "a=1&_method=DELETE", "", "https://a.example/p", REASON_HTTP_OVERRIDE },
		{ "application/json", "a=1&_method=DELETE", "", "https://a.example/p", REASON_BODY_NOT_PARSABLE },
		{ "text/plain", "{\"d\": true, \"_method\": 1}", "", "https://a.example/p", REASON_OK },
		{ "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nx", "", "https://a.example/p", REASON_HTTP_OVERRIDE },
		{ "multipart/mixed; boundary=x", "{\"d\": true}", "", "https://a.example/p", REASON_BODY_AMBIGUOUS },
		{ "application/json; charset=utf-16", "{\"d\": true}", "", "https://a.example/p", REASON_BODY_AMBIGUOUS },
		{ "application/x-www-form-urlencoded", "{\"d\": true}", "", "https://a.example/p", REASON_OK },
		{ "application/x-www-form-urlencoded", "{\"d\": true, \"x\": \"&\"}", "", "https://a.example/p", REASON_BODY_AMBIGUOUS },
		{ "application/x-www-form-urlencoded; charset=utf-7", "{\"d\": true}", "", "https://a.example/p", REASON_HTTP_FORM_CHARSET },
		{ "application/x-www-form-urlencoded", "{\"d\": true}", "Content-Encoding", "https://a.example/p", REASON_HTTP_FORM_CODED },
		{ "application/json", "{\"d\": true}", "x,content-encoding", "https://a.example/p", REASON_BODY_CODED },
		{ "application/json", "{\"d\": true}", "", "https://a.example/p?kind=a", REASON_OK },
	};
	struct kit k = kit_compile(text);
	enum policy_needs needs;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bytes body = bytes_str(rows[i].body);
		struct policy_ask q = { .body = &body, .type = bytes_str(rows[i].type), .fields = bytes_str(rows[i].fields) };

		if (!CHECK_INT(ask(&k, q, "POST", rows[i].url, &needs), rows[i].want))
			printf("# %s: %s\n", rows[i].type, rows[i].body);
	}
	kit_free(&k);
}

TEST(a_push_with_options_needs_a_rule_that_takes_them)
{
	const struct git_command in = { .kind = GIT_CREATE, .ref = bytes_str("refs/heads/x") };
	struct kit k = kit_compile(text);
	enum policy_needs needs;

	CHECK_INT(ask(&k, (struct policy_ask){ .commands = &in, .n_commands = 1, .push_options = true }, "POST", "https://g.example/r/git-receive-pack", &needs),
		  REASON_GIT_PUSH_OPTIONS);
	kit_free(&k);
}

static const char *const guarded =
	"version: 1\nname: t\nverdicts: {read: allow, write: allow}\nnetwork:\n"
	"  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, credential: c, rules: [\n"
	"      {class: read, methods: [GET], paths: [/q], query: {code: ['*']}}, {class: read, methods: [GET], paths: [/d, /h]},\n"
	"      {deny: true, methods: [GET], paths: [/d], query: {token: ['*']}}, {deny: true, methods: [GET], paths: [/h], headers: [x-kind]}]}\n"
	"  - {name: g, hosts: [g.example], ports: [443], mode: intercept, protocol: git, credential: c, access: read-write}\n"
	"  - {name: o, hosts: [o.example], ports: [80], mode: http, protocol: rest, observe: true, rules: [\n"
	"      {class: read, methods: [GET], paths: [/x], headers: [x-forwarded-for]}, {class: read, methods: [GET], paths: [/y], headers: [host]},\n"
	"      {class: read, methods: [GET], paths: [/live], websocket: opaque}]}\n"
	"credentials:\n  c: {inject: {bearer: true}, hosts: [a.example, g.example], paths: ['/**']}\n";

/* What the gateway does with these is shown beside it: tests/attacks/test_p_asked.py. */
TEST(what_the_gateway_takes_out_is_not_there_and_what_it_refuses_first_is_refused_first)
{
	static const struct {
		const char *method, *url, *fields;
		enum reason want;
	} rows[] = {
		/* the workspace's own credentials go before a rule looks */
		{ "", "https://a.example/q?code=1", "", REASON_HTTP_CONDITION },
		{ "", "https://a.example/d?token=1", "", REASON_OK },
		{ "", "https://g.example/o/r/info/refs?service=git-upload-pack&private_token=x", "", REASON_OK },
		{ "", "https://g.example/o/r/info/refs?service=git-upload-pack&x=y", "", REASON_GIT_NOT },
		/* another spelling of a field */
		{ "", "https://a.example/h", "x-kinds", REASON_OK },
		{ "", "https://a.example/h", "a,X_Kind", REASON_HTTP_DENIED },
		{ "", "https://a.example/h", "x_http_method.override", REASON_HTTP_OVERRIDE },
		{ "", "https://a.example/h", "x,content_length", REASON_HTTP_HEADER },
		{ "", "https://a.example/h", "content_type", REASON_HTTP_HEADER },
		/* what goes with the connection, and what comes by itself */
		{ "", "http://o.example/x", "x-forwarded-for", REASON_HTTP_CONDITION },
		{ "", "http://o.example/y", "", REASON_OK },
		{ "TRACE", "http://o.example/y", "", REASON_HTTP_METHOD_UNLISTED },
		{ "trace", "http://o.example/y", "", REASON_HTTP_METHOD_UNLISTED },
		{ "CONNECT", "http://o.example/y", "", REASON_HTTP_METHOD_UNLISTED },
		{ "", "ws://o.example/live", "", REASON_OK },
		{ "POST", "ws://o.example/live", "", REASON_UPGRADE_REFUSED },
	};
	const struct git_command twice[] = { { .kind = GIT_CREATE, .ref = bytes_str("refs/heads/x") }, { .kind = GIT_UPDATE, .ref = bytes_str("refs/heads/x") } };
	struct kit k = kit_compile(guarded);
	enum policy_needs needs;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!CHECK_INT(ask(&k, (struct policy_ask){ .fields = bytes_str(rows[i].fields) }, rows[i].method, rows[i].url, &needs), rows[i].want))
			printf("# %s %s, %s\n", rows[i].method, rows[i].url, rows[i].fields);
	CHECK_INT(ask(&k, (struct policy_ask){ .commands = twice, .n_commands = 2 }, "POST", "https://g.example/o/r/git-receive-pack", &needs), REASON_BODY_AMBIGUOUS);
	CHECK_INT(ask(&k, (struct policy_ask){ .commands = twice, .n_commands = 1 }, "POST", "https://g.example/o/r/git-receive-pack", &needs), REASON_OK);
	kit_free(&k);
}

TEST(a_connection_that_only_observes_lets_pass_nothing_that_no_policy_allows)
{
	static const char *const methods[] = { "TRACE", "CONNECT", "trace" };
	struct kit k = kit_compile(guarded);

	for (size_t i = 0; i < 3; i++) {
		POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };
		struct policy_ask q = { .body = NULL };

		CHECK(policy_ask_parse(bytes_str(methods[i]), bytes_str("http://o.example/z"), &q));
		policy_ask(&k.policy, &q, &told);
		CHECK(!told.observed);
		CHECK_STR(buf_cstr(&told.change), "no policy allows this: no rule grants CONNECT or TRACE");
	}
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
