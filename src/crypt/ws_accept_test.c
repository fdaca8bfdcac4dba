#include "crypt/ws_accept.h"

#include "base/tap.h"

TEST(the_example_of_the_rfc_is_answered_as_there)
{
	char accept[WS_ACCEPT_MAX];

	ws_accept(bytes_str("dGhlIHNhbXBsZSBub25jZQ=="), accept);
	CHECK_STR(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	ws_accept(bytes_str("x3JJHMbDL1EzLkh9GBhXDw=="), accept);
	CHECK_STR(accept, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}
