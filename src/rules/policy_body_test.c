/* Two steps: a verdict that depends on the body says so, and with the body there is one. */
#include "rules/policy_body.h"
#include "rules/policy_test_kit.h"

#define TOP "version: 1\nname: test\nverdicts: {read: allow, draft: allow, write: deny}\nnetwork:\n"
#define ENTRY                                                                                                                        \
	"  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, rules: [\n"                                    \
	"      {class: read, methods: [GET], paths: ['/**']}, {class: write, methods: [POST], paths: ['/repos/**']},\n"                   \
	"      {class: draft, methods: [POST], paths: ['/repos/*/pulls'], json: {/draft: [true], /base/ref: ['dev*', null]}},\n"          \
	"      {deny: true, methods: [POST], paths: ['/repos/**'], json: {/admin: [true, 1]}}, {class: draft, methods: [PUT], paths: [/free]}]}\n"

static struct policy_verdict judge(const struct kit *k, const char *method, const char *path, const char *body, enum policy_body_state state)
{
	ARENA_AUTO struct arena arena;
	struct policy_request r = { .method = bytes_str(method), .path = bytes_str(path) };
	struct policy_verdict v = { .reason = REASON_COUNT };
	struct policy_body facts = { .state = state };
	struct policy_entry e;

	arena_init(&arena, JSON_POINTER_ARENA_MAX);
	if (!CHECK(k->ok) || !CHECK_INT(policy_find(&k->policy, bytes_str("a.example"), 443, &e), REASON_OK))
		return v;
	if (body)
		policy_body_json(&k->policy, &e, bytes_str(body), &arena, &facts);
	if (body || state != POLICY_BODY_READ)
		r.body = &facts;
	policy_judge(&k->policy, &e, &r, &v);
	return v;
}

TEST(only_a_verdict_that_depends_on_the_body_asks_for_it)
{
	struct kit k = kit_compile(TOP ENTRY);
	struct policy_verdict v = judge(&k, "POST", "/repos/o/pulls", NULL, POLICY_BODY_READ);

	CHECK(v.reason == REASON_BODY_NEEDED && v.needs == POLICY_NEEDS_JSON && !v.observed);
	CHECK(judge(&k, "POST", "/repos/o/issues", NULL, POLICY_BODY_READ).needs == POLICY_NEEDS_JSON); /* the deny might fire */
	v = judge(&k, "GET", "/repos/o/pulls", NULL, POLICY_BODY_READ);
	CHECK(v.reason == REASON_OK && v.needs == POLICY_NEEDS_NOTHING);
	v = judge(&k, "PUT", "/free", NULL, POLICY_BODY_READ);
	CHECK(v.reason == REASON_OK && v.needs == POLICY_NEEDS_NOTHING);
	kit_free(&k);
}

TEST(with_the_body_the_first_rule_that_it_meets_decides)
{
	static const struct {
		const char *body;
		enum reason reason;
		const char *class;
	} rows[] = {
		{ "{\"draft\": true, \"base\": {\"ref\": \"develop\"}}", REASON_OK, "draft" },
		{ "{\"draft\": true, \"base\": {\"ref\": null}}", REASON_OK, "draft" },
		{ "{\"dr\\u0061ft\": true, \"base\": {\"ref\": \"dev\"}}", REASON_OK, "draft" },
		{ "{\"draft\": true, \"base\": {\"ref\": \"main\"}}", REASON_VERDICT_DENY, "write" },
		{ "{\"draft\": \"true\", \"base\": {\"ref\": \"dev\"}}", REASON_VERDICT_DENY, "write" },
		{ "{\"draft\": true}", REASON_VERDICT_DENY, "write" },
		{ "{\"draft\": true, \"base\": [\"ref\"]}", REASON_VERDICT_DENY, "write" },
		{ "[]", REASON_VERDICT_DENY, "write" },
		{ "{\"draft\": true, \"base\": {\"ref\": \"dev\"}, \"admin\": true}", REASON_HTTP_DENIED, "" },
		{ "{\"admin\": 1.0}", REASON_HTTP_DENIED, "" },
		{ "{\"admin\": false, \"draft\": true, \"base\": {\"ref\": \"dev\"}}", REASON_OK, "draft" },
	};
	struct kit k = kit_compile(TOP ENTRY);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_verdict v = judge(&k, "POST", "/repos/o/pulls", rows[i].body, POLICY_BODY_READ);

		if (!CHECK(v.reason == rows[i].reason && bytes_is(v.class_name, rows[i].class) && v.needs == POLICY_NEEDS_NOTHING))
			printf("# %s: %s\n", rows[i].body, reason_code(v.reason));
	}
	kit_free(&k);
}

TEST(i1_i2_i3_i5_a_body_that_cannot_be_judged_is_refused_for_what_it_is)
{
	static const struct {
		const char *body;
		enum reason reason;
	} rows[] = {
		{ "", REASON_BODY_NOT_PARSABLE },
		{ "draft=true", REASON_BODY_NOT_PARSABLE },
		{ "{\"draft\": NaN}", REASON_BODY_NOT_PARSABLE },
		{ "{\"draft\": true} {}", REASON_BODY_NOT_PARSABLE },
		{ "\xef\xbb\xbf{}", REASON_BODY_NOT_PARSABLE },
		{ "{\"draft\": true, \"draft\": false}", REASON_BODY_AMBIGUOUS },
		{ "{\"draft\": true, \"dr\\u0061ft\": false}", REASON_BODY_AMBIGUOUS },
		{ "{\"draft\": true, \"Draft\": false}", REASON_BODY_AMBIGUOUS },
		{ "{\"x\": {\"a\": 1, \"a\": 2}}", REASON_BODY_AMBIGUOUS },
	};
	struct kit k = kit_compile(TOP ENTRY);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_verdict v = judge(&k, "POST", "/repos/o/pulls", rows[i].body, POLICY_BODY_READ);

		if (!CHECK(v.reason == rows[i].reason && v.needs == POLICY_NEEDS_NOTHING))
			printf("# %s: %s\n", rows[i].body, reason_code(v.reason));
	}
	CHECK_INT(judge(&k, "POST", "/repos/o/pulls", NULL, POLICY_BODY_TOO_LARGE).reason, REASON_BODY_TOO_LARGE);
	CHECK_INT(judge(&k, "POST", "/repos/o/pulls", NULL, POLICY_BODY_IS_CODED).reason, REASON_BODY_CODED);
	CHECK_INT(judge(&k, "POST", "/repos/o/pulls", NULL, POLICY_BODY_UNPARSABLE).reason, REASON_BODY_NOT_PARSABLE);
	CHECK_INT(judge(&k, "PUT", "/free", NULL, POLICY_BODY_TOO_LARGE).reason, REASON_OK); /* no rule reads this one */
	kit_free(&k);
}

TEST(great_depth_is_no_way_around_a_rule)
{
	struct kit k = kit_compile(TOP ENTRY);
	char body[400];

	memset(body, '[', 199);
	memset(body + 199, ']', 199);
	body[398] = '\0';
	CHECK_INT(judge(&k, "POST", "/repos/o/pulls", body, POLICY_BODY_READ).reason, REASON_BODY_AMBIGUOUS);
	kit_free(&k);
}

TEST(facts_of_a_push_are_no_facts_of_json)
{
	struct kit k = kit_compile(TOP ENTRY);
	struct policy_body push = { .state = POLICY_BODY_READ, .is_push = true };
	struct policy_request r = { .method = bytes_str("POST"), .path = bytes_str("/repos/o/pulls"), .body = &push };
	struct policy_verdict v;
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("a.example"), 443, &e), REASON_OK);
	policy_judge(&k.policy, &e, &r, &v);
	CHECK_INT(v.reason, REASON_BODY_NOT_PARSABLE);
	kit_free(&k);
}

TEST(a_body_is_read_for_a_rule_of_another_spelling)
{
	struct kit k = kit_compile("version: 1\nverdicts: {draft: allow}\nnetwork:\n"
				   "  - {name: a, hosts: [a.example], ports: [443], mode: intercept, protocol: rest, encoded_slash: true, rules: [\n"
				   "      {class: draft, methods: [POST], paths: ['/**']}, {deny: true, methods: [POST], paths: ['/j/**'], json: {/a: [1]}},\n"
				   "      {deny: true, methods: [POST], paths: ['/j%2Fx/**']}]}\n");

	CHECK_INT(judge(&k, "POST", "/j%2Fy", NULL, POLICY_BODY_READ).needs, POLICY_NEEDS_JSON);
	CHECK_INT(judge(&k, "POST", "/j%2Fy", "{\"a\": 1}", POLICY_BODY_READ).reason, REASON_HTTP_DENIED);
	CHECK_INT(judge(&k, "POST", "/j%2Fy", "{\"a\": 2}", POLICY_BODY_READ).reason, REASON_OK);
	CHECK_INT(judge(&k, "POST", "/j%2Fx%2Fy", NULL, POLICY_BODY_READ).reason, REASON_HTTP_DENIED);
	CHECK_INT(judge(&k, "POST", "/k%2Fx", NULL, POLICY_BODY_READ).reason, REASON_OK);
	kit_free(&k);
}
