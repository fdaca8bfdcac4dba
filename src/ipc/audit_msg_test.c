#include "ipc/audit_msg.h"

#include "base/tap.h"

static struct msg m;

static bool back(const struct event *ev, struct event *ret)
{
	struct msg_in in;

	msg_start(&m, 1);
	audit_msg_put(&m, ev);
	return msg_open(&in, bytes_of(m.p, m.len)) && audit_msg_get(&in, ret) && msg_end(&in);
}

TEST(the_credential_comes_out_as_it_went_in_and_no_longer_than_an_id)
{
	static const char longest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct event ev = { .kind = EVENT_HTTP, .action = EVENT_ALLOWED, .model = bytes_str("m"), .credential = bytes_str("token") };
	struct event got;

	CHECK(back(&ev, &got) && bytes_is(got.credential, "token") && bytes_is(got.model, "m"));
	ev.credential = bytes_str("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef and more");
	CHECK(back(&ev, &got) && bytes_is(got.credential, longest));
}

TEST(an_event_without_one_ends_where_it_did_before_there_was_one)
{
	struct event ev = { .kind = EVENT_SESSION, .action = EVENT_NOTE, .model = bytes_str("m-last") };
	struct event got = { .credential = bytes_str("stale") };

	CHECK(back(&ev, &got) && got.credential.len == 0);
	CHECK(bytes_ends(bytes_of(m.p, m.len), bytes_str("m-last")));
}
