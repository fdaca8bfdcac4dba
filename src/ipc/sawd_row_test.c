#include "ipc/sawd_row.h"

#include "base/tap.h"
#include "ipc/spec.h"

static struct msg m;

TEST(a_record_comes_back_as_it_was_sent)
{
	struct sawd_row r = {
		.id = bytes_str("ws-0123456789ab"),
		.owner = bytes_str("me"),
		.asked = { .name = bytes_str("dev"), .driver = SPEC_DRIVER_TRY, .cpus = 2, .memory_bytes = 5, .policy_channel = bytes_str("a/b"),
			   .start = 1 },
		.state = SAWD_RUNNING,
		.desired = SAWD_WANT_RUNNING,
		.detail = bytes_str("why"),
		.policy_release = bytes_str("0123"),
		.policy_serial = 5,
		.policy_observes = bytes_str("a, b"),
		.generation = 3,
		.tunnels = 7,
		.policy_unread = true,
	};
	struct sawd_row back;
	struct msg_in in;

	msg_start(&m, MSG_API_WORKSPACE);
	sawd_row_put(&m, &r);
	CHECK(msg_done(&m) && msg_open(&in, bytes_of(m.p, m.len)) && sawd_row_get(&in, &back) && msg_end(&in));
	CHECK(bytes_is(back.asked.name, "dev") && bytes_is(back.detail, "why") && back.tunnels == 7 && back.policy_unread && back.generation == 3);
	CHECK(bytes_is(back.policy_observes, "a, b"));
	CHECK(bytes_is(back.policy_release, "0123") && back.policy_serial == 5 && bytes_is(back.asked.policy_channel, "a/b"));
	for (size_t cut = 2; cut < m.len; cut++) {
		CHECK(msg_open(&in, bytes_of(m.p, cut)));
		CHECK(!sawd_row_get(&in, &back));
	}
}

TEST(a_record_without_a_state_is_bad)
{
	struct sawd_row r = { .desired = SAWD_WANT_STOPPED };
	struct msg_in in;

	msg_start(&m, MSG_API_WORKSPACE);
	sawd_row_put(&m, &r);
	CHECK(msg_open(&in, bytes_of(m.p, m.len)) && !sawd_row_get(&in, &r));
}

TEST(names_are_dns_labels_and_never_look_like_an_id)
{
	CHECK(sawd_name_ok(bytes_str("dev")) && sawd_name_ok(bytes_str("a")) && sawd_name_ok(bytes_str("9-x")));
	CHECK(sawd_name_ok(bytes_str("0123456789012345678901234567890123456789")));
	CHECK(!sawd_name_ok(bytes_str("01234567890123456789012345678901234567890")) && !sawd_name_ok(bytes_str("")));
	CHECK(!sawd_name_ok(bytes_str("-a")) && !sawd_name_ok(bytes_str("a-")) && !sawd_name_ok(bytes_str("A")));
	CHECK(!sawd_name_ok(bytes_str("a.b")) && !sawd_name_ok(bytes_str("a/b")) && !sawd_name_ok(bytes_str("..")));
	CHECK(!sawd_name_ok(bytes_str("ws-0123456789ab")) && sawd_name_ok(bytes_str("ws-0123456789ag")));
	CHECK(sawd_id_ok(bytes_str("ws-0123456789ab"), "ws-") && !sawd_id_ok(bytes_str("ws-0123456789aB"), "ws-"));
}

TEST(each_state_has_a_word_and_the_word_leads_back)
{
	for (unsigned s = 1; s < SAWD_STATE_END; s++)
		CHECK(sawd_state_of(bytes_str(sawd_state_text((enum sawd_state)s))) == (enum sawd_state)s);
	CHECK(sawd_state_of(bytes_str("")) == 0 && sawd_state_of(bytes_str("Running")) == 0);
}
