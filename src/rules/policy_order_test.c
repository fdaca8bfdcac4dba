/* What rules and entries mean beside each other. */
#include "rules/policy_test_kit.h"

#define TOP(verdicts) "version: 1\nname: test\nverdicts: {" verdicts "}\nnetwork:\n"
#define ENTRY(name, host)                                                                          \
	"  - name: " name "\n    hosts: [" host                                                    \
	"]\n    ports: [80]\n    mode: http\n    protocol: rest\n"
/* The first rule stands on line 11. */
#define RULES(verdicts) TOP(verdicts) ENTRY("a", "a.example") "    rules:\n"
#define RULE(class, methods, paths)                                                                \
	"      - {class: " class ", methods: [" methods "], paths: [" paths "]}\n"
#define DENY(methods, paths) "      - {deny: true, methods: [" methods "], paths: [" paths "]}\n"

TEST(the_narrower_rule_decides_inside_the_broader_one)
{
	struct kit k = kit_compile(RULES("read: allow, draft: allow, write: review") RULE(
		"read", "GET, HEAD", "/**") RULE("draft", "POST", "/repos/*/*/pulls")
					   RULE("write", "POST, PUT, PATCH, DELETE", "/repos/**")
						   DENY("'*'", "/admin/**"));
	struct kit_answer a;

	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/repos/o/r"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/repos/o/r/pulls"), REASON_OK);
	a = kit_ask_with(&k, "POST", "a.example", 80, "/repos/o/r/pulls", NULL);
	CHECK_STR(a.class, "draft");
	CHECK_STR(a.rule, "a: draft POST /repos/*/*/pulls");
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/repos/o/r/issues"),
		  REASON_REVIEW_UNAVAILABLE);
	CHECK_INT(kit_ask(&k, "PUT", "a.example", 80, "/repos/o/r/pulls"),
		  REASON_REVIEW_UNAVAILABLE);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/admin/x"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "DELETE", "a.example", 80, "/admin/x"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/admin"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/other"), REASON_HTTP_METHOD_UNLISTED);
	CHECK_INT(kit_ask(&k, "OPTIONS", "a.example", 80, "/repos/x"), REASON_HTTP_METHOD_UNLISTED);
	kit_free(&k);
}

TEST(rules_whose_names_are_the_same_are_told_apart_by_their_lines)
{
	struct kit k = kit_compile(RULES("read: allow")
					   "      - {class: read, methods: [GET], paths: [/list], query: {state: [open]}}\n"
					   "      - {class: read, methods: [GET], paths: [/list], query: {state: [closed]}}\n"
					   "      - {class: read, methods: [GET], paths: [/one], query: {state: [closed]}}\n");

	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/list?state=open", NULL).rule, "a: read GET,HEAD /list ?state (line 11)");
	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/list?state=closed", NULL).rule, "a: read GET,HEAD /list ?state (line 12)");
	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/one?state=closed", NULL).rule, "a: read GET,HEAD /one ?state");
	kit_free(&k);
}

TEST(rules_on_one_line_are_told_apart_by_their_columns_and_long_names_are_cut_before_their_place)
{
	struct kit k = kit_compile(TOP("read: allow") ENTRY("a", "a.example")
				   "    rules: [{class: read, methods: [GET], paths: [/a, /b]}, {class: read, methods: [GET], paths: [/a, /c]}]\n");
	BUF_AUTO struct buf text = { .max = POLICY_TEXT_MAX };
	const char *rule;

	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/b", NULL).rule, "a: read GET,HEAD /a (+1) (line 10, column 13)");
	CHECK_STR(kit_ask_with(&k, "GET", "a.example", 80, "/c", NULL).rule, "a: read GET,HEAD /a (+1) (line 10, column 61)");
	kit_free(&k);
	buf_str(&text, RULES("read: allow"));
	for (unsigned i = 0; i < 2; i++) {
		buf_fmt(&text, "      - {class: read, methods: [GET], paths: [/a], query: {state: [s%u], ", i);
		for (unsigned j = 0; j < 2; j++)
			buf_fmt(&text, "%s%c%079d: [x]", j ? ", " : "", 'a' + (int)j, 0);
		buf_str(&text, "}}\n");
	}
	kit_compile_bytes(&k, buf_view(&text), false);
	CHECK(k.ok);
	buf_reset(&text);
	for (unsigned j = 0; j < 2; j++)
		buf_fmt(&text, "%s%c%079d=x", j ? "&" : "/a?state=s1&", 'a' + (int)j, 0);
	rule = kit_ask_with(&k, "GET", "a.example", 80, buf_cstr(&text), NULL).rule;
	CHECK(strlen(rule) < 256 && strstr(rule, " (line 12)"));
	kit_free(&k);
}

TEST(conditions_made_to_take_for_ever_are_refused)
{
	BUF_AUTO struct buf text = { .max = POLICY_TEXT_MAX };
	struct kit k;

	buf_str(&text, RULES("read: allow"));
	for (int r = 0; r < 2000; r++) {
		buf_str(&text, "      - {class: read, methods: [GET], paths: [/**], headers: [");
		for (int h = 0; h < 250; h++)
			buf_fmt(&text, "a%03d, ", h);
		buf_fmt(&text, "z%d]}\n", r);
	}
	kit_compile_bytes(&k, buf_view(&text), false);
	CHECK(!k.ok && k.problems.n > 0 && strstr(k.problems.v[0].text, "too many paths and values of conditions"));
	kit_free(&k);
}

TEST(p19_overlap_that_disagrees_is_refused)
{
	kit_refused(TOP("read: allow, write: allow")
			    ENTRY("exact", "x.wild.example") "    access: read-only\n" ENTRY(
				    "wide", "'*.wild.example'") "    access: full\n",
		    12, 13, "differ in `rules`");
	kit_refused(RULES("read: allow, write: allow") RULE("read", "GET, HEAD", "/admin/**")
			    RULE("write", "'*'", "/**"),
		    11, 0, "on /admin/** stays allowed by the rule on line 12");
	kit_refused(RULES("read: allow, write: allow") RULE("read", "GET", "/a*")
			    RULE("write", "GET", "/*b"),
		    12, 0, "rules disagree");
	kit_refused(RULES("read: allow, write: allow") RULE("read", "GET, POST", "/a/**")
			    RULE("write", "POST, PUT", "/**"),
		    12, 0, "rules disagree");
}

TEST(p19_written_as_a_deny_it_is_accepted_and_the_deny_wins)
{
	struct kit k =
		kit_compile(RULES("read: allow, write: allow") RULE("read", "GET, HEAD", "/**")
				    RULE("write", "POST, PUT, PATCH, DELETE, OPTIONS", "/**")
					    DENY("POST, PUT, PATCH, DELETE, OPTIONS", "/admin/**"));

	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/admin/x"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/admin/x"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/x"), REASON_OK);
	kit_free(&k);
}

TEST(a_rule_that_tightens_covers_all_methods_of_its_paths)
{
	struct kit k;

	kit_refused(RULES("draft: allow, write: deny") RULE("draft", "POST, PUT", "/**")
			    RULE("write", "POST", "/pay/**"),
		    12, 0, "PUT on /pay/** stays allowed by the rule on line 11");
	k = kit_compile(RULES("draft: allow, write: deny") RULE("draft", "POST, PUT", "/**")
				RULE("write", "POST", "/pay/**") DENY("PUT", "/pay/**"));
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/pay/x"), REASON_VERDICT_DENY);
	CHECK_INT(kit_ask(&k, "PUT", "a.example", 80, "/pay/x"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "PUT", "a.example", 80, "/x"), REASON_OK);
	kit_free(&k);
	k = kit_compile(RULES("draft: allow, write: deny") RULE("draft", "POST, PUT", "/**")
				RULE("write", "POST, PUT", "/pay/**"));
	CHECK_INT(kit_ask(&k, "PUT", "a.example", 80, "/pay/x"), REASON_VERDICT_DENY);
	kit_free(&k);
}

TEST(a_rule_that_changes_nothing_is_refused)
{
	kit_refused(RULES("read: allow") RULE("read", "GET", "/a/b") RULE("read", "GET", "/a/**"),
		    11, 9, "changes nothing");
	kit_refused(RULES("read: allow") RULE("read", "GET", "/a") RULE("read", "GET", "/a"), 12, 9,
		    "same requests");
	kit_refused(RULES("read: allow, write: allow") RULE("read", "POST", "/a")
			    RULE("write", "POST", "/a"),
		    12, 9, "same requests");
	kit_refused(RULES("read: allow") RULE("read", "GET", "/**") DENY("GET", "/a/**")
			    DENY("GET", "/a/b"),
		    13, 9, "changes nothing");
}

TEST(a_rule_back_to_the_outer_class_is_no_repetition)
{
	struct kit k = kit_compile(RULES("read: allow, write: deny") RULE(
		"read", "POST", "/**") RULE("write", "POST", "/a/**") RULE("read", "POST", "/a/b"));

	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/a/b"), REASON_OK);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/a/c"), REASON_VERDICT_DENY);
	CHECK_INT(kit_ask(&k, "POST", "a.example", 80, "/b"), REASON_OK);
	kit_free(&k);
}

TEST(p22_a_deny_that_cannot_fire_is_refused)
{
	kit_refused(RULES("read: allow")
			    RULE("read", "GET",
				 "/a/**") "      - {deny: true, methods: [], paths: [/a]}\n",
		    12, 9, "never fire");
	kit_refused(RULES("read: allow")
			    RULE("read", "GET",
				 "/a/**") "      - {deny: true, methods: [GET], paths: []}\n",
		    12, 9, "never fire");
	kit_refused(RULES("read: allow")
			    RULE("read", "GET", "/a/**") "      - {deny: true, paths: [/a/b]}\n",
		    12, 9, "without `methods`");
	kit_refused(RULES("read: allow") RULE("read", "GET", "/a/**") DENY("GET", "/b/**"), 12, 9,
		    "never fire");
	kit_refused(RULES("read: allow") RULE("read", "GET", "/a/**") DENY("POST", "/a/**"), 12, 9,
		    "never fire");
	kit_refused(RULES("read: allow") RULE("read", "GET", "/a/**") DENY("TRACE", "/a/**"), 12, 0,
		    "never let through");
}

TEST(p23_an_allow_that_denies_cover_is_refused)
{
	kit_refused(RULES("read: allow") RULE("read", "GET", "/a/**") RULE("read", "GET", "/b")
			    DENY("GET", "/a/**"),
		    11, 9, "never match");
	kit_refused(RULES("read: allow") RULE("read", "GET, POST", "/a, /b") DENY("GET", "/**")
			    DENY("POST", "/a, /b"),
		    11, 9, "never match");
}

TEST(p25_one_matcher_chooses_and_grants)
{
	struct kit k =
		kit_compile(RULES("read: allow") RULE("read", "GET", "/one/*, /many/**, /lit/x.y"));

	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/one/x"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/one/x/y"), REASON_HTTP_PATH_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/one/"), REASON_HTTP_PATH_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/many/x/y"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/many/"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/many"), REASON_HTTP_PATH_UNLISTED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/lit/x.y"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/lit/xzy"), REASON_HTTP_PATH_UNLISTED);
	kit_free(&k);
	kit_refused(RULES("read: allow") RULE("read", "GET", "/ok, /a**"), 11, 52,
		    "whole segments");
}

TEST(p26_methods_are_exact_and_presets_have_one_expansion)
{
	static const char *const methods[] = { "GET",   "HEAD",   "POST",    "PUT",
					       "PATCH", "DELETE", "OPTIONS", "PROPFIND",
					       "FOO",   "TRACE",  "CONNECT" };
	static const char *const presets[] = { "read-only", "read-write", "full" };
	static const char *const granted[] = { "11000000000", "11111000000", "11111111100" };

	kit_refused(RULES("read: allow") RULE("read", "get", "/a"), 11, 33, "did you mean `GET`");
	kit_refused(RULES("read: allow") RULE("read", "GTE", "/a"), 11, 33, "unknown method");
	kit_refused(RULES("read: allow") RULE("read", "'*'", "/a"), 11, 33, "class read");
	kit_refused(RULES("read: allow") RULE("read", "GET, GET", "/a"), 11, 38, "twice");
	for (size_t i = 0; i < 3; i++) {
		char text[512];
		struct kit k;

		(void)snprintf(text, sizeof(text),
			       TOP("read: allow%s") ENTRY("a", "a.example") "    access: %s\n",
			       i ? ", write: allow" : "", presets[i]);
		k = kit_compile(text);
		for (size_t n = 0; n < sizeof(methods) / sizeof(methods[0]); n++)
			CHECK_INT(kit_ask(&k, methods[n], "a.example", 80, "/x"),
				  granted[i][n] == '1' ? REASON_OK : REASON_HTTP_METHOD_UNLISTED);
		kit_free(&k);
	}
}

TEST(head_goes_where_get_goes)
{
	struct kit k =
		kit_compile(RULES("read: allow") RULE("read", "GET", "/**") DENY("GET", "/x"));

	CHECK_INT(kit_ask(&k, "HEAD", "a.example", 80, "/a"), REASON_OK);
	CHECK_INT(kit_ask(&k, "HEAD", "a.example", 80, "/x"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "OPTIONS", "a.example", 80, "/a"), REASON_HTTP_METHOD_UNLISTED);
	kit_free(&k);
}

TEST(p18_entries_that_share_name_and_port_agree_in_everything)
{
	static const char *const fields[][2] = {
		{ "mode: tcp, reason: x}", "`mode`" },
		{ "mode: http, protocol: rest, access: full}", "`rules`" },
		{ "mode: http, protocol: rest, access: read-only, addresses: [10.0.0.0/8]}",
		  "`addresses`" },
		{ "mode: http, protocol: rest, access: read-only, observe: true}", "`observe`" },
		{ "mode: http, protocol: rest, access: read-only, encoded_slash: true}",
		  "`encoded_slash`" },
	};
	char text[512];
	struct kit k;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		(void)snprintf(
			text, sizeof(text),
			TOP("read: allow%s") "  - {name: b, hosts: [x.example], ports: [79, 80], mode: http, protocol: rest, access: read-only}\n"
					     "  - {name: a, hosts: [y.example, x.example], ports: [80, 81], %s\n",
			i == 1 ? ", write: allow" : "", fields[i][0]);
		kit_refused(text, 6, 34, fields[i][1]);
		kit_refused(text, 6, 34, "line 5) share names on port 80");
	}
	kit_refused(
		TOP("read: allow") "  - {name: a, hosts: ['*.w.example'], ports: [80], mode: http, protocol: rest, access: read-only, budget: 5}\n"
				   "  - {name: b, hosts: ['*.w.example'], ports: [81], mode: http, protocol: rest, access: read-only}\n",
		6, 0, "`budget`");
	k = kit_compile(TOP(
		"read: allow") "  - {name: b, hosts: [x.example], ports: [80], mode: http, protocol: rest, access: read-only}\n"
			       "  - {name: c, hosts: [x.example], ports: [443], mode: passthrough, reason: x}\n"
			       "  - {name: a, hosts: ['**.example.com', x.example], ports: [80, 81], mode: http, protocol: rest, access: read-only}\n");
	CHECK_INT(kit_ask(&k, "GET", "x.example", 80, "/"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "x.example", 81, "/"), REASON_OK);
	CHECK_STR(kit_ask_with(&k, "GET", "x.example", 80, "/", NULL).rule, "a: read GET,HEAD /**");
	kit_free(&k);
}

TEST(k5_p21_a_blind_entry_never_covers_an_inspected_name)
{
	kit_refused(
		TOP("read: allow") ENTRY(
			"a",
			"x.example") "    access: read-only\n"
				     "  - {name: b, hosts: [x.example], ports: [80], mode: passthrough, reason: x}\n",
		11, 23, "void the inspection");
	kit_refused(
		TOP("read: allow") ENTRY(
			"a",
			"'**.d.example'") "    access: read-only\n"
					  "  - {name: b, hosts: [x.y.d.example], ports: [80], mode: tcp, reason: x}\n",
		11, 23, "void the inspection");
}

TEST(wildcards_that_share_names_are_found)
{
	static const char *const pairs[][2] = {
		{ "'*.a.example'", "'**.a.example'" },    { "'*.b.a.example'", "'**.a.example'" },
		{ "'**.b.a.example'", "'**.a.example'" }, { "x.a.example", "'*.a.example'" },
		{ "x.y.a.example", "'**.a.example'" },    { "'*.a.example'", "'*.a.example'" }
	};
	static const char *const apart[][2] = { { "'*.a.example'", "'*.b.a.example'" },
						{ "a.example", "'**.a.example'" },
						{ "x.y.a.example", "'*.a.example'" },
						{ "'*.a.example'", "'*.ba.example'" } };
	char text[512];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		(void)snprintf(text, sizeof(text),
			       TOP("read: allow, write: allow")
				       ENTRY("a", "%s") "    access: read-only\n" ENTRY(
					       "b", "%s") "    access: full\n",
			       pairs[i][0], pairs[i][1]);
		kit_refused(text, 12, 0, "entries disagree");
	}
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		struct kit k;

		(void)snprintf(text, sizeof(text),
			       TOP("read: allow, write: allow")
				       ENTRY("a", "%s") "    access: read-only\n" ENTRY(
					       "b", "%s") "    access: full\n",
			       apart[i][0], apart[i][1]);
		k = kit_compile(text);
		kit_free(&k);
	}
}

TEST(p29_the_order_of_the_file_means_nothing)
{
	struct kit a = kit_compile(
		RULES("read: allow, draft: allow, write: review") RULE(
			"read", "GET, HEAD",
			"/**") RULE("draft", "POST",
				    "/repos/*/*/pulls, /x") RULE("write", "POST, PUT",
								 "/repos/**, /x, /y") DENY("'*'",
											   "/admin/**")
			ENTRY("b",
			      "b.example, '*.c.example'") "    access: read-only\n    addresses: [10.0.0.0/8, 172.16.0.0/12]\n");
	struct kit b = kit_compile(
		"network:\n"
		"  - access: read-only\n    addresses: [172.16.0.0/12, 10.0.0.0/8]\n    protocol: rest\n    mode: http\n    ports: [80]\n"
		"    hosts: ['*.c.example', b.example]\n    name: b\n"
		"  - rules:\n" DENY("'*'", "/admin/**") RULE(
			"write", "PUT, POST", "/y, /x, /repos/**") RULE("draft", "POST",
									"/x, /repos/*/*/pulls")
			RULE("read", "HEAD, GET",
			     "/**") "    protocol: rest\n    mode: http\n    ports: [80]\n    hosts: [a.example]\n    name: a\n"
				    "verdicts: {write: review, draft: allow, read: allow}\nname: test\nversion: 1\n");

	CHECK(bytes_eq(buf_view(&a.blob), buf_view(&b.blob)));
	CHECK(a.ok && b.ok && bytes_eq(policy_sha256(&a.policy), policy_sha256(&b.policy)));
	kit_free(&a);
	kit_free(&b);
}

TEST(p29_one_malformed_pattern_refuses_the_whole_file)
{
	kit_refused(RULES("read: allow") RULE("read", "GET", "/a, /b, /c, '/d[', /e"), 11, 0,
		    "no wildcards");
}

TEST(query_conditions_decide_only_on_clear_queries)
{
	struct kit k = kit_compile(RULES("read: allow, write: deny") RULE(
		"read", "GET",
		"/**") "      - {class: write, methods: [GET], paths: [/hook], query: {action: [delete, 'rm.*']}}\n"
		       "      - {deny: true, methods: [GET], paths: [/d], query: {all: [\"true\"]}}\n");

	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/hook"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/hook?action=show"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/hook?action=delete"), REASON_VERDICT_DENY);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/hook?a=b&action=d%65lete"),
		  REASON_VERDICT_DENY);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/hook?%61ction=rm.x.y"),
		  REASON_VERDICT_DENY);
	CHECK(kit_ask(&k, "GET", "a.example", 80, "/hook?action=show&action=delete") != REASON_OK);
	CHECK(kit_ask(&k, "GET", "a.example", 80, "/hook?x=1;action=delete") != REASON_OK);
	CHECK(kit_ask(&k, "GET", "a.example", 80, "/hook?action[]=delete") != REASON_OK);
	CHECK(kit_ask(&k, "GET", "a.example", 80, "/hook?action=%zz") != REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/other?action=delete"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/d?all=true"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/d?all=false&all=true"), REASON_HTTP_DENIED);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/d?all=no"), REASON_OK);
	CHECK_INT(kit_ask(&k, "GET", "a.example", 80, "/d"), REASON_OK);
	kit_free(&k);
}

TEST(header_conditions_ask_for_presence)
{
	struct kit k = kit_compile(RULES(
		"read: allow") "      - {class: read, methods: [GET], paths: [/h], headers: [x-kind]}\n");

	CHECK_INT(kit_ask_with(&k, "GET", "a.example", 80, "/h", "x-kind").reason, REASON_OK);
	CHECK_INT(kit_ask_with(&k, "GET", "a.example", 80, "/h", NULL).reason,
		  REASON_HTTP_CONDITION);
	kit_free(&k);
	kit_refused(
		RULES("read: allow") "      - {class: read, methods: [GET], paths: [/h], headers: [X-Kind]}\n",
		11, 0, "lower case");
}

TEST(k10_an_observing_entry_says_what_it_would_have_refused)
{
	struct kit k = kit_compile(TOP("read: allow") ENTRY(
		"a", "a.example") "    observe: true\n    access: read-only\n");
	struct kit_answer a = kit_ask_with(&k, "POST", "a.example", 80, "/", NULL);

	CHECK_INT(a.reason, REASON_HTTP_METHOD_UNLISTED);
	CHECK(a.observed && !kit_ask_with(&k, "GET", "a.example", 80, "/", NULL).observed);
	kit_free(&k);
}

TEST(a_file_made_to_take_for_ever_is_refused_at_once)
{
	BUF_AUTO struct buf text = { .max = POLICY_TEXT_MAX };
	struct kit k;

	buf_str(&text, RULES("read: allow"));
	for (int r = 0; r < 1000; r++) {
		buf_fmt(&text, "      - {class: read, methods: [GET], paths: [");
		for (int p = 0; p < 10; p++)
			buf_fmt(&text, "%s\"/*/a*a*a*a*a/*/x%d\"", p ? ", " : "", r * 10 + p);
		buf_str(&text, "]}\n");
	}
	kit_compile_bytes(&k, buf_view(&text), false);
	CHECK(!k.ok && kit_has(&k, POLICY_ERROR, 5, 0, "too many patterns of paths"));
	kit_free(&k);
	buf_reset(&text);
	buf_str(&text, "version: 1\nnetwork:\n");
	for (int e = 0; e < 2000; e++)
		buf_fmt(&text,
			"  - {name: e%d, hosts: [a.example], ports: [443], mode: passthrough, reason: x}\n",
			e);
	kit_compile_bytes(&k, buf_view(&text), false);
	CHECK(!k.ok && k.problems.n > 0 && strstr(k.problems.v[0].text, "more than 64 entries"));
	kit_free(&k);
}

/* Lists of values, and of paths without a star, are compared each with each, too. */
TEST(a_file_of_lists_made_to_take_for_ever_is_refused_at_once)
{
	static const char *const word[] = { "k", "z" };
	BUF_AUTO struct buf text = { .max = POLICY_TEXT_MAX };
	struct kit k;

	buf_str(&text, RULES("read: allow, write: allow"));
	for (int r = 0; r < 2; r++) {
		buf_fmt(&text, "      - {class: %s, methods: [GET], paths: [/a], query: {q: [", r ? "write" : "read");
		for (int v = 0; v < 10000; v++)
			buf_fmt(&text, "%s\"*a*a*a*a*%s%d\"", v ? ", " : "", word[r], v);
		buf_str(&text, "]}}\n");
	}
	kit_compile_bytes(&k, buf_view(&text), false);
	CHECK(!k.ok && kit_has(&k, POLICY_ERROR, 5, 0, "values of conditions"));
	kit_free(&k);
	buf_reset(&text);
	buf_str(&text, RULES("read: allow, write: allow"));
	for (int r = 0; r < 1000; r++) {
		buf_fmt(&text, "      - {class: %s, methods: [GET], paths: [", r % 2 ? "write" : "read");
		for (int p = 0; p < 256; p++)
			buf_fmt(&text, "%s/%d", p ? ", " : "", r * 256 + p);
		buf_str(&text, "]}\n");
	}
	kit_compile_bytes(&k, buf_view(&text), false);
	CHECK(!k.ok && kit_has(&k, POLICY_ERROR, 5, 0, "too many patterns of paths"));
	kit_free(&k);
}

/* What one list is in many rules is no reason to refuse. */
TEST(many_rules_with_one_list_of_models_compile)
{
	BUF_AUTO struct buf text = { .max = POLICY_TEXT_MAX };
	struct kit k;

	buf_str(&text, "version: 1\nverdicts: {draft: allow}\nnetwork:\n"
		       "  - name: a\n    hosts: [a.example]\n    ports: [80]\n    mode: http\n    protocol: rest\n    models: [");
	for (int m = 0; m < 100; m++)
		buf_fmt(&text, "%s\"model-*-%d\"", m ? ", " : "", m);
	buf_str(&text, "]\n    rules:\n");
	for (int r = 0; r < 1000; r++)
		buf_fmt(&text, "      - {class: draft, methods: [POST], paths: [/v1/%d]}\n", r);
	k = kit_compile(buf_cstr(&text));
	kit_free(&k);
}

TEST(a_deny_notes_that_case_counts)
{
	kit_warned(RULES("read: allow") RULE("read", "GET", "/**") DENY("GET", "/admin/**"), 12, 0,
		   "case");
}
