#include "wire/manifest.h"

#include "base/tap.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BODY "\"policy\":\"corporate\",\"sha256\":\"" HASH "\",\"compiler\":\"0.1.0\",\"created\":\"2026-11-24T17:00:00.000Z\""

static struct manifest m;
static const char *why;

static enum manifest_answer get(const char *text)
{
	return manifest_get(bytes_str(text), &m, &why);
}

TEST(a_manifest_is_written_and_read_again)
{
	struct manifest in = { .serial = MANIFEST_SERIAL_MAX, .created_ms = 1795539600000, .expires_ms = 1795539600001, .sha256 = { 1, 0xff },
			       .policy = "corporate \"x\"", .compiler = "0.1.0", .channel = "corporate/stable", .key = "SHA256:abc" };
	struct buf b;

	buf_init(&b, 4096);
	CHECK(manifest_put(&b, &in));
	CHECK_INT(manifest_get(buf_view(&b), &m, &why), MANIFEST_DONE);
	CHECK(m.serial == in.serial && m.created_ms == in.created_ms && m.expires_ms == in.expires_ms);
	CHECK(memcmp(m.sha256, in.sha256, sizeof(m.sha256)) == 0);
	CHECK_STR(m.policy, in.policy);
	CHECK_STR(m.channel, in.channel);
	CHECK_STR(m.key, in.key);
	buf_deinit(&b);
}

TEST(what_is_optional_may_be_missing_and_nothing_else)
{
	CHECK_INT(get("{\"format\":1,\"serial\":7," BODY "}\n"), MANIFEST_DONE);
	CHECK(m.serial == 7 && m.expires_ms == 0 && !*m.channel && !*m.key && m.sha256[1] == 0x11);
	CHECK_INT(get("{\"format\":1," BODY "}"), MANIFEST_BAD);
	CHECK(strstr(why, "serial") != NULL);
	CHECK_INT(get("{\"serial\":7," BODY "}"), MANIFEST_BAD);
	CHECK_INT(get("{\"format\":1,\"serial\":7}"), MANIFEST_BAD);
}

TEST(unknown_doubled_and_mistyped_members_are_refused)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"format\":1,\"serial\":7," BODY "} x", "{\"format\":1,\"serial\":7,\"serial\":8," BODY "}",
		"{\"format\":1,\"serial\":7,\"extra\":1," BODY "}", "{\"format\":1,\"serial\":0," BODY "}",
		"{\"format\":1,\"serial\":\"7\"," BODY "}", "{\"format\":1,\"serial\":7.0," BODY "}",
		"{\"format\":1,\"serial\":9223372036854775808," BODY "}", "{\"format\":0,\"serial\":7," BODY "}",
		"{\"format\":\"1\",\"serial\":7," BODY "}", "{\"format\":1,\"serial\":7,\"expires\":null," BODY "}",
		"{\"format\":1,\"serial\":7,\"expires\":\"tomorrow\"," BODY "}", "{\"format\":1,\"serial\":7,\"channel\":\"stable\"," BODY "}",
		"{\"format\":1,\"serial\":7,\"channel\":\"\"," BODY "}", "{\"format\":1,\"serial\":7,\"key\":\"a\\nb\"," BODY "}",
		"{\"format\":1,\"serial\":7,\"expires\":\"1970-01-01T00:00:00Z\"," BODY "}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(get(bad[i]) == MANIFEST_BAD && *why))
			printf("# at %zu\n", i);
	CHECK_INT(get("{\"format\":1,\"serial\":7,\"policy\":\"p\",\"sha256\":\"00\",\"compiler\":\"1\",\"created\":\"2026-11-24T17:00:00Z\"}"),
		  MANIFEST_BAD);
}

TEST(a_later_format_is_named_as_such_whatever_it_holds)
{
	CHECK_INT(get("{\"format\":2,\"serial\":7,\"extra\":1}"), MANIFEST_NEWER);
}

TEST(a_channel_is_two_to_four_labels)
{
	static const char *const good[] = { "corporate/stable", "a/b", "lab/x-1", "a/b/c/d" };
	static const char *const bad[] = { "",	 "stable", "/stable", "corporate/", "a//b", "a/b/c/d/e", "A/b", "a/b_c", "../x",
					   "a/.", "-a/b",   "a/b-",    "a b/c",	     "a/b\n" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(manifest_channel_ok(bytes_str(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!CHECK(!manifest_channel_ok(bytes_str(bad[i]))))
			printf("# at %zu\n", i);
}

TEST(only_channels_below_lab_are_no_production)
{
	CHECK(manifest_channel_is_production(bytes_str("corporate/stable")) && manifest_channel_is_production(bytes_str("laboratory/x")));
	CHECK(!manifest_channel_is_production(bytes_str("lab/x")) && !manifest_channel_is_production(bytes_str("")));
}
