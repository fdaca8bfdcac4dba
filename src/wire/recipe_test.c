#include "wire/recipe.h"

#include "base/tap.h"

static struct recipe_reader r;
static struct recipe_line line;

TEST(every_directive_is_read_with_its_words)
{
	recipe_open(&r, bytes_str("# a comment\n\nsaw-recipe 1\n  package git  curl # two\nfile /etc/motd 0644 files/motd\n"
				  "kernel amd64 linux-image-cloud-amd64\nmask getty@.service\n"));
	CHECK_INT(recipe_next(&r, &line), RECIPE_LINE);
	CHECK_INT(line.kind, RECIPE_PACKAGE);
	CHECK_INT(line.at, 4);
	CHECK_INT(line.n_words, 2);
	CHECK(bytes_is(line.word[1], "curl"));
	CHECK_INT(recipe_next(&r, &line), RECIPE_LINE);
	CHECK_INT(line.kind, RECIPE_FILE);
	CHECK(bytes_is(line.word[2], "files/motd"));
	CHECK_INT(recipe_next(&r, &line), RECIPE_LINE);
	CHECK_INT(line.kind, RECIPE_KERNEL);
	CHECK_INT(recipe_next(&r, &line), RECIPE_LINE);
	CHECK_INT(line.kind, RECIPE_MASK);
	CHECK_INT(recipe_next(&r, &line), RECIPE_END);
}

TEST(what_a_recipe_may_not_say_is_refused_with_its_line)
{
	static const char *const lines[] = {
		"package --force-yes",		 "package a;b",		   "package Git",
		"package $(id)",		 "package",		   "frobnicate x",
		"file etc/motd 0644 f",		 "file /etc/../x 0644 f",  "file /etc/motd 0644 ../f",
		"file /etc/motd 0644 /etc/shadow", "file /etc/motd 644 f", "file /etc/motd 4755 f",
		"file /etc//motd 0644 f",	 "file /etc/ 0644 f",	   "user Root",
		"user -x",			 "npm 1.2.3 abc",	   "kernel amd64",
		"kernel amd64 a b",		 "include ../x",	   "suite a/b",
		"mask ../x",			 "file /a 0648 f",	   "link a b",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		BUF_AUTO struct buf b;

		buf_init(&b, 1000);
		CHECK(buf_fmt(&b, "saw-recipe 1\n%s\n", lines[i]));
		recipe_open(&r, buf_view(&b));
		tap_check(recipe_next(&r, &line) == RECIPE_BAD, lines[i], __FILE__, __LINE__);
		CHECK_INT(r.at, 2);
		CHECK(r.why != NULL);
	}
}

TEST(a_text_without_the_first_line_or_of_another_version_is_no_recipe)
{
	recipe_open(&r, bytes_str("package git\n"));
	CHECK_INT(recipe_next(&r, &line), RECIPE_BAD);
	recipe_open(&r, bytes_str("saw-recipe 2\n"));
	CHECK_INT(recipe_next(&r, &line), RECIPE_BAD);
	recipe_open(&r, bytes_str(""));
	CHECK_INT(recipe_next(&r, &line), RECIPE_BAD);
}
