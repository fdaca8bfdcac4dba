#include "wire/http1.h"

#include "base/tap.h"

TEST(a_token_is_one_or_more_of_exactly_these_bytes)
{
	static const char all[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	unsigned n = 0;

	CHECK(http1_is_token(bytes_str(all)));
	CHECK(!http1_is_token(bytes_of("", 0)));
	CHECK(!http1_is_token(bytes_of("a\0", 2)));
	for (unsigned c = 0; c < 256; c++)
		n += http1_is_tchar((uint8_t)c);
	CHECK_INT(n, sizeof(all) - 1);
}

TEST(every_fault_has_an_answer_of_the_allowed_ones)
{
	static const unsigned allowed[] = { 400, 414, 417, 421, 431, 501, 505 };

	for (int f = HTTP1_FAULT_NONE + 1; f < HTTP1_FAULT_END; f++) {
		bool ok = false;

		for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
			ok = ok || http1_fault_status((enum http1_fault)f) == allowed[i];
		CHECK(ok);
		CHECK(strcmp(http1_phrase(http1_fault_status((enum http1_fault)f)), "Unknown") != 0);
	}
	CHECK_INT(http1_fault_status(HTTP1_FAULT_NOT_FLOW), 421);
	CHECK_INT(http1_fault_status(HTTP1_FAULT_VERSION), 505);
	CHECK_INT(http1_fault_status(HTTP1_FAULT_TOO_LARGE), 431);
}

TEST(statuses_have_their_phrases)
{
	CHECK_STR(http1_phrase(404), "Not Found");
	CHECK_STR(http1_phrase(418), "Unknown");
}
