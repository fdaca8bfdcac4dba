#include "wire/json_number.h"

#include "base/tap.h"

TEST(numbers_are_the_same_by_value_and_not_by_spelling)
{
	static const struct {
		const char *a, *b;
		bool same;
	} vectors[] = {
		{ "1", "1", true },
		{ "1", "1.0", true },
		{ "1", "10e-1", true },
		{ "100", "1E+2", true },
		{ "-0.0", "0", true },
		{ "0e999", "0", true },
		{ "1.50", "15e-1", true },
		{ "1", "-1", false },
		{ "1", "10", false },
		{ "1", "1.0000000000000000000000000000000000000000000001", false },
		{ "9007199254740993", "9007199254740992", false },
		{ "1e999999999999999999", "1e99999999999999999", true }, /* beyond every limit */
		{ "1e999999999999999999", "1e300", false },
		{ "1", "", false },
		{ "01", "1", false },
		{ "x", "x", false },
		{ "1 ", "1", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		if (!CHECK_INT(json_number_same(bytes_str(vectors[i].a), bytes_str(vectors[i].b)), vectors[i].same))
			printf("# %s %s\n", vectors[i].a, vectors[i].b);
		CHECK_INT(json_number_same(bytes_str(vectors[i].b), bytes_str(vectors[i].a)), vectors[i].same);
	}
}

/* I5 */
TEST(numbers_that_a_double_cannot_hold_are_told)
{
	static const struct {
		const char *text;
		bool is_double, rounds;
	} vectors[] = {
		{ "0", true, false },
		{ "-0e99999999", true, false },
		{ "123456789012345", true, false },
		{ "1234567890123456", true, false }, /* an id */
		{ "-9223372036854775807", true, false },
		{ "9223372036854775808", true, true },
		{ "1234567890123456.0", true, true },
		{ "1234567890123456e0", true, true },
		{ "0.1234567890123456", true, true },
		{ "1.000000000000000000000001", true, true },
		{ "1.000000000000000000000000", true, false },
		{ "9.9e307", true, false },
		{ "0.0000000000000000000001", true, false },
		{ "0.123456789012345", true, false },
		{ "123456789012345.0", true, false },
		{ "1e308", false, false },
		{ "1e-307", true, false },
		{ "9e-308", false, false },
		{ "1e99999999999999999999", false, false },
		{ "1000e305", false, false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct bytes s = bytes_str(vectors[i].text);

		if (!CHECK_INT(json_number_is_double(s), vectors[i].is_double) ||
		    !CHECK_INT(json_number_rounds(s), vectors[i].rounds))
			printf("# %s\n", vectors[i].text);
	}
}

TEST(only_the_grammar_of_numbers_is_valid)
{
	static const char *const bad[] = { "",	 "-",  "+1",  ".5",  "1.",  "1e",  "1e+",      "00", "0x1",
					   "1_0", "NaN", "nan", "Infinity", "-Infinity", "1 ", " 1", "1,0" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(!json_number_valid(bytes_str(bad[i]))))
			printf("# %s\n", bad[i]);
	CHECK(json_number_valid(bytes_str("-12.50e-3")));
}
