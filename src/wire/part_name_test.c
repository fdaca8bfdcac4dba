#include "wire/part_name.h"

#include <stdio.h>

#include "base/tap.h"

/* The name, or "!" where it cannot be told. */
static const char *read_name(const char *text, bool extended)
{
	static char name[128];
	struct part_name p;
	bool hidden = false;
	size_t n = 0;

	part_name_init(&p, extended);
	for (size_t i = 0; text[i]; i++) {
		uint8_t c = 0;

		switch (part_name_next(&p, (uint8_t)text[i], &c)) {
		case PART_NAME_NOTHING:
			break;
		case PART_NAME_BYTE:
			name[n++] = (char)c;
			break;
		case PART_NAME_AGAIN:
			n = 0;
			break;
		case PART_NAME_HIDDEN:
			hidden = true;
			break;
		}
	}
	name[n] = '\0';
	return hidden ? "!" : name;
}

TEST(a_name_without_any_form_is_itself)
{
	CHECK_STR(read_name("_method", false), "_method");
	CHECK_STR(read_name("a=?utf-8?Q?b?=", false), "a=?utf-8?Q?b?=");
	CHECK_STR(read_name("a b", false), "a b");
	CHECK_STR(read_name("", false), "");
}

TEST(encoded_words_are_decoded_and_joined)
{
	CHECK_STR(read_name("=?utf-8?Q?a=62_c?=", false), "ab c");
	CHECK_STR(read_name("=?ISO-8859-1?b?YWJj?=", false), "abc");
	CHECK_STR(read_name("=?utf-8?B?YQ==?= \t=?utf-8?q?b?=", false), "ab");
	CHECK_STR(read_name("=?utf-8?Q?a?=b", false), "ab");
	CHECK_STR(read_name("=?iso-2022-jp?Q?a=1B$B=1B(Bb?=", false), "ab");
	CHECK_STR(read_name("=?gbk?Q?a=?=", false), "a");
	CHECK_STR(read_name("=?utf-8*en?Q?a?=", false), "a");
	CHECK_STR(read_name("=?ks_c_5601-1987?B?YQ==?=", false), "a");
	CHECK_STR(read_name("''a", true), "a");
}

TEST(what_is_in_another_set_is_hidden)
{
	CHECK_STR(read_name("=?utf-16?B?AGE=?=", false), "!");
	CHECK_STR(read_name("utf-7''+AF8-", true), "!");
}

TEST(an_extended_name_begins_behind_its_marks)
{
	CHECK_STR(read_name("utf-8''a%62%2", true), "ab");
	CHECK_STR(read_name("UTF-8'en'%41", true), "A");
	CHECK_STR(read_name("plain", true), "plain");
	CHECK_STR(read_name("a-name-that-is-longer-than-any-set''b", true), "a-name-that-is-longer-than-any-set''b");
}
