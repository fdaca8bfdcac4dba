#include "rules/word_near.h"

#include "base/tap.h"

static const char *near(const char *text)
{
	static const char *const words[] = { "protocol", "ports",     "paths",        "hosts",
					     "mode",     "read-only", "encoded_slash" };

	return word_near(bytes_str(text), words, sizeof(words) / sizeof(words[0]));
}

TEST(the_word_that_was_meant_is_found)
{
	CHECK_STR(near("protocl"), "protocol");
	CHECK_STR(near("port"), "ports");
	CHECK_STR(near("pathes"), "paths");
	CHECK_STR(near("host"), "hosts");
	CHECK_STR(near("MODE"), "mode");
	CHECK_STR(near("mdoe"), "mode");
	CHECK_STR(near("readonly"), "read-only");
	CHECK_STR(near("encoded-slash"), "encoded_slash");
}

TEST(nothing_is_guessed_from_far_away)
{
	CHECK(!near("zebra") && !near("") && !near("x") &&
	      !near("a-very-long-word-that-is-longer-than-any-of-them"));
}
