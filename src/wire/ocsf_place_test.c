#include "wire/ocsf_place.h"

#include "base/tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "{\"unmapped\":{\"prev_sha256\":\"" HEX "\""
#define TAIL "},\"metadata\":{\"sequence\":7,\"version\":\"1.8.0\"}}"

TEST(a_place_is_read_whatever_the_line_says_beside_it)
{
	static const char *const lines[] = {
		HEAD TAIL,
		HEAD ",\"lab\":true" TAIL,
		HEAD ",\"observing\":true" TAIL,
		HEAD ",\"lab\":true,\"observing\":true,\"observed\":true,\"policy_change\":\"x\"" TAIL,
		HEAD ",\"policy_change\":\"\\\"},\\\"metadata\\\":{\\\"sequence\\\":9,\\\\\"" TAIL,
	};
	struct ocsf_place at;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		at = (struct ocsf_place){ 0 };
		CHECK(ocsf_place_read(bytes_str(lines[i]), &at));
		CHECK_INT(at.sequence, 7);
		CHECK_STR(at.prev, HEX);
	}
}

TEST(what_is_no_line_of_ours_has_no_place)
{
	static const char *const lines[] = { "", "{}", HEAD, HEAD ",\"policy_change\":\"x" TAIL, HEAD ",\"policy_change\":\"x\\", HEAD ",\"other\":true" TAIL,
					     HEAD "},\"metadata\":{\"sequence\":-7,\"v\":1}}",
					     "{\"unmapped\":{\"prev_sha256\":\"0\"" TAIL };
	struct ocsf_place at = { .sequence = 3 };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK(!ocsf_place_read(bytes_str(lines[i]), &at));
	CHECK_INT(at.sequence, 3);
}
