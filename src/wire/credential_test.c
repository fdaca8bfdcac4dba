#include "wire/credential.h"

#include "base/tap.h"

static enum credential_fault fault(const char *text)
{
	return credential_check(bytes_str(text));
}

TEST(an_id_is_a_short_word_that_is_also_a_file_name)
{
	char longest[CREDENTIAL_ID_MAX + 2];

	CHECK(credential_id_ok(bytes_str("github")) && credential_id_ok(bytes_str("a")) && credential_id_ok(bytes_str("7.b-c_d")));
	CHECK(!credential_id_ok(bytes_str("")) && !credential_id_ok(bytes_str(".")) && !credential_id_ok(bytes_str("..")));
	CHECK(!credential_id_ok(bytes_str("-a")) && !credential_id_ok(bytes_str("_a")) && !credential_id_ok(bytes_str("a/b")));
	CHECK(!credential_id_ok(bytes_str("A")) && !credential_id_ok(bytes_str("a b")) && !credential_id_ok(bytes_of("a\0b", 3)));
	memset(longest, 'a', sizeof(longest));
	CHECK(credential_id_ok(bytes_of(longest, CREDENTIAL_ID_MAX)) && !credential_id_ok(bytes_of(longest, CREDENTIAL_ID_MAX + 1)));
}

TEST(visible_ascii_with_blanks_inside_is_a_value)
{
	char all[0x7e - 0x21 + 1];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(0x21 + i);
	CHECK(credential_check(bytes_of(all, sizeof(all))) == CREDENTIAL_OK);
	CHECK(fault("user:pass word") == CREDENTIAL_OK && fault("x") == CREDENTIAL_OK);
}

TEST(cr_lf_nul_and_other_bytes_are_refused_wherever_they_stand)
{
	for (unsigned c = 0; c < 256; c++) {
		bool good = c >= 0x21 && c <= 0x7e;

		for (size_t at = 0; at < 3; at++) {
			uint8_t v[3] = { 'a', 'b', 'c' };

			v[at] = (uint8_t)c;
			if (c == ' ')
				CHECK(credential_check(bytes_of(v, 3)) == (at == 1 ? CREDENTIAL_OK : CREDENTIAL_BLANK));
			else if (c == '\r' || c == '\n')
				CHECK(credential_check(bytes_of(v, 3)) == CREDENTIAL_LINE_END);
			else
				CHECK(credential_check(bytes_of(v, 3)) == (good ? CREDENTIAL_OK : CREDENTIAL_BYTE));
		}
	}
}

TEST(empty_and_over_long_values_are_refused)
{
	static char v[CREDENTIAL_MAX + 1];

	memset(v, 'v', sizeof(v));
	CHECK(credential_check(bytes_of(v, CREDENTIAL_MAX)) == CREDENTIAL_OK);
	CHECK(credential_check(bytes_of(v, CREDENTIAL_MAX + 1)) == CREDENTIAL_TOO_LONG);
	CHECK(fault("") == CREDENTIAL_EMPTY && fault(" ") == CREDENTIAL_BLANK);
}

TEST(every_fault_has_a_clause)
{
	for (int f = CREDENTIAL_EMPTY; f <= CREDENTIAL_BLANK; f++)
		CHECK(*credential_fault_text((enum credential_fault)f));
	CHECK_STR(credential_fault_text(CREDENTIAL_OK), "");
}

TEST(one_line_end_of_a_file_is_taken_off_and_no_more)
{
	CHECK(bytes_is(credential_trim(bytes_str("v\n")), "v") && bytes_is(credential_trim(bytes_str("v\r\n")), "v"));
	CHECK(bytes_is(credential_trim(bytes_str("v")), "v") && bytes_is(credential_trim(bytes_str("v\n\n")), "v\n"));
	CHECK(bytes_is(credential_trim(bytes_str("v\r")), "v\r") && bytes_is(credential_trim(bytes_str("v \n")), "v "));
	CHECK(credential_trim(bytes_str("\n")).len == 0 && credential_trim(bytes_str("")).len == 0);
}
