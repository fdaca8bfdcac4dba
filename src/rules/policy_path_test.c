#include "rules/policy_path.h"

#include "base/tap.h"

static bool match(const char *pattern, const char *path)
{
	return policy_path_match(bytes_str(pattern), bytes_str(path));
}

static bool contains(const char *outer, const char *inner)
{
	return policy_path_contains(bytes_str(outer), bytes_str(inner));
}

static bool overlaps(const char *a, const char *b)
{
	bool ab = policy_path_overlaps(bytes_str(a), bytes_str(b));

	CHECK(ab == policy_path_overlaps(bytes_str(b), bytes_str(a)));
	return ab;
}

static const char *fault(const char *pattern)
{
	static char f[POLICY_PATH_FAULT_MAX];

	return policy_path_ok(bytes_str(pattern), false, f) ? "" : f;
}

TEST(one_star_is_one_segment_or_a_run_within_one)
{
	CHECK(match("/*", "/x") && !match("/*", "/x/y") && !match("/*", "/"));
	CHECK(match("/a/*/c", "/a/b/c") && !match("/a/*/c", "/a//c") &&
	      !match("/a/*/c", "/a/b/b/c"));
	CHECK(match("/a*", "/a") && match("/a*", "/abc") && !match("/a*", "/a/b") &&
	      !match("/a*", "/b"));
	CHECK(match("/a*b*c", "/axbxbc") && !match("/a*b*c", "/axbx") &&
	      match("/*.tgz", "/x.tgz") && match("/*.tgz", "/.tgz"));
	CHECK(match("/v*/x", "/v1/x") && !match("/v*/x", "/v1/y/x"));
}

TEST(two_stars_are_one_or_more_segments)
{
	CHECK(match("/**", "/") && match("/**", "/x") && match("/**", "/x/y/"));
	CHECK(match("/a/**", "/a/x/y") && match("/a/**", "/a/") && !match("/a/**", "/a") &&
	      !match("/a/**", "/ab/x"));
	CHECK(match("/**/b", "/a/b") && match("/**/b", "/x/y/b") && !match("/**/b", "/b"));
	CHECK(match("/a/**/b", "/a/x/b") && match("/a/**/b", "/a/x/y/b") &&
	      !match("/a/**/b", "/a/b"));
	CHECK(match("/**/a/**/b", "/a/a/b/b") && match("/**/*.git/info", "/o/r.git/info") &&
	      !match("/**/a/**/b", "/a/b"));
	CHECK(match("/**/*", "/x/y") && !match("/**/*", "/x") && !match("/**/*", "/x/"));
}

TEST(letters_match_exactly)
{
	CHECK(match("/A", "/A") && !match("/A", "/a") && !match("/a", "/a/") &&
	      !match("/a/", "/a") && match("/a/", "/a/"));
	CHECK(match("/@scope%2Fname", "/@scope%2Fname") &&
	      !match("/@scope%2Fname", "/@scope/name"));
	CHECK(!match("/a", "") && !match("", "/a") && !match("a", "/a"));
}

TEST(what_never_arrives_is_refused_in_patterns)
{
	char why[POLICY_PATH_FAULT_MAX];

	static const char *const bad[][2] = {
		{ "", "slash" },
		{ "a/b", "slash" },
		{ "**/x", "`/**/`" },
		{ "/a**", "whole segments" },
		{ "/a**b", "whole segments" },
		{ "/***", "whole segments" },
		{ "/a?c", "query" },
		{ "/[", "no wildcards" },
		{ "/{a,b}", "no wildcards" },
		{ "/a/../b", "dot segment" },
		{ "/./b", "dot segment" },
		{ "/a//b", "empty segment" },
		{ "/a?x=1", "query" },
		{ "/%61", "write `/a`" },
		{ "/%2e", "dot segment" },
		{ "/x%2Ey", "write `/x.y`" },
		{ "/%zz", "no request" },
		{ "/%", "no request" },
		{ "/%00", "no request" },
		{ "/%e4%bd%a0", "write `/%E4%BD%A0`" },
		{ "/a|b", "write `/a%7Cb`" },
		{ "/a;x=1", "`;`" },
		{ "/%21", "write `/!`" },
		{ "/a b", "blank" },
		{ "/\xc3\xa4", "non-ASCII" },
		{ "/a#b", "no request" },
		{ "/a%2Fb", "encoded slash" },
		{ "/a\\b", "no wildcards" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(strstr(fault(bad[i][0]), bad[i][1]) != NULL))
			printf("#   %s: %s\n", bad[i][0], fault(bad[i][0]));
	CHECK_STR(fault("/**"), "");
	CHECK_STR(fault("/"), "");
	CHECK_STR(fault("/a/"), "");
	CHECK_STR(fault("/a=1/~b/c.d/%20/%25"), "");
	CHECK_STR(fault("/a*/b*c/**/d"), "");
	CHECK(policy_path_ok(bytes_str("/a%2Fb"), true, why));
}

TEST(containment_is_seen_and_never_wrong)
{
	CHECK(contains("/**", "/") && contains("/**", "/a/*/b") && contains("/**", "/**") &&
	      contains("/**", "/a/**"));
	CHECK(contains("/repos/**", "/repos/*/*/pulls") && contains("/repos/*/*", "/repos/a/*") &&
	      contains("/a*", "/ab*c"));
	CHECK(contains("/a/*/**", "/a/b/**") && contains("/**/c", "/a/*/c"));
	CHECK(!contains("/a/*", "/a/**") && !contains("/a/*/**", "/a/**") &&
	      !contains("/repos/*/*/pulls", "/repos/**"));
	CHECK(!contains("/ab*", "/a*") && !contains("/*", "/") && !contains("/*", "/**") &&
	      !contains("/**/c", "/c"));
	CHECK(!contains("/*a", "/a*") && !contains("/a", "/*") && !contains("/a/**", "/a"));
}

TEST(overlap_is_never_missed)
{
	CHECK(overlaps("/a*", "/*a") && overlaps("/*/b", "/a/*") && overlaps("/**/b", "/a/**") &&
	      overlaps("/a", "/a"));
	CHECK(overlaps("/**", "/") && overlaps("/*x*", "/*y*") && overlaps("/**/a/**", "/**/b/**"));
	CHECK(!overlaps("/a", "/b") && !overlaps("/a/*", "/a") && !overlaps("/a*", "/b*") &&
	      !overlaps("/*/x", "/*/y"));
	CHECK(!overlaps("/*", "/a/b") && !overlaps("/*", "/") && !overlaps("/*a", "/*b"));
}

TEST(a_dot_is_an_ordinary_character_of_values)
{
	CHECK(policy_value_match(bytes_str("fs*"), bytes_str("fs.read.all")) &&
	      policy_value_match(bytes_str("*"), bytes_str("fs.read")));
	CHECK(policy_value_match(bytes_str("1.*"), bytes_str("1.2.3")) &&
	      policy_value_match(bytes_str("a*/c"), bytes_str("a/b/c")));
	CHECK(!policy_value_match(bytes_str("fs"), bytes_str("fs.read")) &&
	      policy_value_match(bytes_str(""), bytes_str("")));
	CHECK(policy_value_contains(bytes_str("fs*"), bytes_str("fs.*")) &&
	      !policy_value_contains(bytes_str("fs.*"), bytes_str("fs*")));
	CHECK(policy_value_overlaps(bytes_str("a*"), bytes_str("*b")) &&
	      !policy_value_overlaps(bytes_str("a*"), bytes_str("b*")));
}
