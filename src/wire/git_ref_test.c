#include "wire/git_ref.h"

#include "base/tap.h"

TEST(names_that_git_makes_are_valid)
{
	static const char *const good[] = { "refs/heads/main", "refs/tags/v1.0", "refs/for/main", "refs/heads/a/b/c",
					    "refs/heads/@",    "refs/heads/a@b", "refs/heads/a.b", "refs/heads/-x",
					    "refs/heads/\xc3\xa9", "refs/stash",  "refs/heads/x.locks", "refs/heads/{a}" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!CHECK(git_ref_valid(bytes_str(good[i]))))
			printf("# %s\n", good[i]);
}

TEST(names_that_git_refuses_are_not)
{
	static const char *const bad[] = {
		"",		     "HEAD",		   "refs",		 "refs/",	       "refs//main",	    "refs/heads/",
		"heads/main",	     "/refs/heads/main",   "refs/heads//main",	 "refs/heads/.a",      "refs/.a/b",	    "refs/heads/a.lock",
		"refs/a.lock/b",     "refs/heads/a..b",	   "refs/heads/a.",	 "refs/heads/a@{b",    "refs/heads/a b",    "refs/heads/a~1",
		"refs/heads/a^",     "refs/heads/a:b",	   "refs/heads/a?",	 "refs/heads/*",       "refs/heads/[a",	    "refs/heads/a\\b",
		"refs/heads/a\x7f",  "refs/heads/a\tb",	   "refs/heads/a\n",	 "refs/heads/a\xff",   "Refs/heads/main",   "refs/heads/../x",
		"refs/heads/./x",    "refs/heads/..",	     "refs/heads/a../b",   "refs/heads/a@{",
	};
	char longest[GIT_REF_LEN_MAX + 1];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(!git_ref_valid(bytes_str(bad[i]))))
			printf("# %s\n", bad[i]);
	CHECK(!git_ref_valid(bytes_of("refs/heads/a\0b", 14)));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "refs/", 5);
	CHECK(git_ref_valid(bytes_of(longest, GIT_REF_LEN_MAX)));
	CHECK(!git_ref_valid(bytes_of(longest, GIT_REF_LEN_MAX + 1)));
}
