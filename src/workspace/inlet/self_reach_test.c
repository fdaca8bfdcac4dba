#include "workspace/inlet/self_reach.h"

#include "rules/policy_test_kit.h"

static const char *const text = "version: 1\nname: t\nverdicts: {read: allow, draft: allow, ask: review}\nnetwork:\n"
				"  - {name: a, hosts: [a.example], ports: [80, 443], mode: http, protocol: rest, rules: [\n"
				"      {class: read, methods: [GET], paths: [/a]}, {class: draft, methods: [POST], paths: [/p], json: {/d: [true]}},\n"
				"      {class: ask, methods: [POST], paths: [/w]}, {deny: true, methods: [HEAD], paths: [/a]}]}\n";

static void says(const struct kit *k, const char *query, const char *want)
{
	struct buf out BUF_AUTO = { .max = 8192 };

	CHECK(self_reach(&k->policy, bytes_str(query), &out));
	CHECK_STR(buf_cstr(&out), want);
}

TEST(all_of_the_reach_is_told)
{
	struct kit k = kit_compile(text);

	says(&k, "", "{\"reach\":[{\"host\":\"a.example\",\"mode\":\"http\",\"ports\":[80,443],\"rule\":\"a\"}],"
		    "\"rules\":[{\"rule\":\"a: deny HEAD /a\",\"decision\":\"deny\"},{\"rule\":\"a: read GET,HEAD /a\",\"class\":\"read\",\"decision\":\"allow\"},"
		    "{\"rule\":\"a: draft POST /p json /d\",\"class\":\"draft\",\"decision\":\"allow\"},"
		    "{\"rule\":\"a: ask POST /w\",\"class\":\"ask\",\"decision\":\"review\"}]}");
	kit_free(&k);
}

TEST(one_request_is_told_with_rule_class_reason_and_change)
{
	struct kit k = kit_compile(text);

	says(&k, "url=http://a.example/a", "{\"decision\":\"allowed\",\"reason\":\"ok\",\"detail\":\"allowed by policy\",\"host\":\"a.example\",\"port\":80,"
					   "\"mode\":\"http\",\"rule\":\"a: read GET,HEAD /a\",\"class\":\"read\"}");
	says(&k, "method=PUT&url=http%3A%2F%2Fa.example%2Fa",
	     "{\"decision\":\"denied\",\"reason\":\"method_not_listed\",\"detail\":\"policy lists no rule with this method here\",\"host\":\"a.example\",\"port\":80,"
	     "\"mode\":\"http\",\"rule\":\"a\",\"remedy\":\"ask Security for a rule\",\"policy_change\":\"verdicts: add write: allow; "
	     "network[a].rules: add {class: write, methods: [PUT], paths: [\\\"/a\\\"]}\"}");
	says(&k, "url=http://a.example/p&method=POST",
	     "{\"decision\":\"depends on the body\",\"reason\":\"body_needed\",\"detail\":\"the deciding rule reads the body, which was not given\","
	     "\"host\":\"a.example\",\"port\":80,\"mode\":\"http\",\"rule\":\"a: draft POST /p json /d\",\"class\":\"draft\","
	     "\"remedy\":\"give the body with the request\"}");
	says(&k, "url=http://127.0.0.1/", "{\"decision\":\"denied\",\"reason\":\"not_a_host_name\",\"detail\":\"an address is not a host name\","
					  "\"remedy\":\"reach hosts by a listed name\",\"policy_change\":\"no policy allows this: an address is not a host name\"}");
	kit_free(&k);
}

TEST(an_entry_that_only_observes_is_told_as_such)
{
	struct kit k = kit_compile("version: 1\nname: t\nverdicts: {read: allow}\nnetwork:\n"
				   "  - {name: a, hosts: [a.example], ports: [80], mode: http, protocol: rest, observe: true, access: read-only}\n"
				   "  - {name: b, hosts: [b.example], ports: [80], mode: http, protocol: rest, access: read-only}\n");
	struct buf out BUF_AUTO = { .max = 8192 };

	CHECK(self_reach(&k.policy, bytes_str(""), &out));
	CHECK(strstr(buf_cstr(&out), "{\"reach\":[{\"host\":\"a.example\",\"mode\":\"http\",\"ports\":[80],\"rule\":\"a\",\"observe\":true},"
				     "{\"host\":\"b.example\",\"mode\":\"http\",\"ports\":[80],\"rule\":\"b\"}]"));
	buf_reset(&out);
	CHECK(self_reach(&k.policy, bytes_str("url=http://a.example/x&method=PUT"), &out));
	CHECK(strstr(buf_cstr(&out), "\"decision\":\"observed\"") && strstr(buf_cstr(&out), "\"observe\":true"));
	buf_reset(&out);
	CHECK(self_reach(&k.policy, bytes_str("url=http://b.example/x&method=PUT"), &out));
	CHECK(!strstr(buf_cstr(&out), "observe"));
	kit_free(&k);
}

TEST(what_is_no_question_is_told_apart)
{
	static const char *const queries[] = { "url", "x=1", "url=a.example", "url=http://a.example/&url=http://b.example/", "url=http://a.example/&method=G%20T",
					       "url=http://a.example/&method=GET&method=PUT", "url=http://a.example/;x" };
	struct kit k = kit_compile(text);
	struct buf out BUF_AUTO = { .max = 8192 };

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		CHECK(!self_reach(&k.policy, bytes_str(queries[i]), &out));
	CHECK_INT(out.len, 0);
	kit_free(&k);
}
