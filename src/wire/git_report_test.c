#include "wire/git_report.h"

#include "base/tap.h"

static struct git_command commands[GIT_PUSH_COMMANDS_MAX];
static struct buf out;

static const char *refusal(struct git_push p, const char *why)
{
	buf_deinit(&out);
	buf_init(&out, 4 * GIT_REPORT_MAX);
	commands[0].ref = bytes_str("refs/heads/main");
	commands[1].ref = bytes_str("refs/tags/v1");
	return git_report_refusal(&out, &p, commands, bytes_str(why)) ? buf_cstr(&out) : NULL;
}

TEST(each_command_is_refused_with_the_reason)
{
	CHECK_STR(refusal((struct git_push){ .n_commands = 2, .reports = true }, "no rule"),
		  "000eunpack ok\n001fng refs/heads/main no rule\n001cng refs/tags/v1 no rule\n0000");
}

TEST(over_a_side_band_a_remark_stands_before_the_report)
{
	const char *want = "0036\2saw: this push was not sent to the host: no rule\n"
			   "0036\1" "000eunpack ok\n001fng refs/heads/main no rule\n0000" "0000";

	CHECK_STR(refusal((struct git_push){ .n_commands = 1, .reports = true, .side_band_64k = true }, "no rule"), want);
	CHECK_STR(refusal((struct git_push){ .n_commands = 1, .reports = true, .side_band = true }, "no rule"), want);
}

TEST(a_small_side_band_has_small_packets)
{
	char why[GIT_REPORT_WHY_MAX + 2];
	struct git_push p = { .n_commands = 2, .reports = true, .side_band = true };
	enum git_pkt_kind kind;
	struct bytes left, content;
	size_t len, n = 0;

	memset(why, 'x', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	CHECK(refusal(p, why));
	for (left = buf_view(&out); git_pkt_next(left, &kind, &content, &len) == GIT_DONE; left = bytes_skip(left, len)) {
		CHECK(len <= 1000);
		n++;
	}
	CHECK(left.len == 0 && n == 4);
}

TEST(nobody_who_did_not_ask_is_told)
{
	CHECK(!refusal((struct git_push){ .n_commands = 1, .side_band_64k = true }, "no rule"));
	CHECK(!refusal((struct git_push){ .reports = true }, "no rule"));
	CHECK_INT(out.len, 0);
}

TEST(a_report_over_the_limit_is_none)
{
	for (size_t i = 2; i < GIT_PUSH_COMMANDS_MAX; i++)
		commands[i].ref = bytes_str("refs/heads/another");
	CHECK(!refusal((struct git_push){ .n_commands = GIT_PUSH_COMMANDS_MAX, .reports = true }, "no rule"));
	CHECK_INT(out.len, 0);
	buf_deinit(&out);
}
