#include "base/tap.h"
#include "wire/ssh_agent.h"

static const char *why;
static size_t used;

#define BYTES(s) bytes_of(s, sizeof(s) - 1)

static enum ssh_agent_answer asks(struct bytes in, struct ssh_agent_request *r)
{
	why = NULL;
	return ssh_agent_read_request(in, r, &used, &why);
}

TEST(a_list_request_as_openssh_sends_it_is_read)
{
	struct ssh_agent_request r;

	CHECK(asks(BYTES("\0\0\0\1\x0b" "next"), &r) == SSH_AGENT_DONE);
	CHECK(r.ask == SSH_AGENT_LIST);
	CHECK_INT(used, 5);
}

TEST(every_beginning_of_a_request_asks_for_more_and_changes_nothing)
{
	static const char sign[] = "\0\0\0\x11\x0d\0\0\0\3key\0\0\0\2da\0\0\0\0";
	struct ssh_agent_request r = { .type = 99 };

	for (size_t n = 0; n < sizeof(sign) - 2; n++)
		CHECK(asks(bytes_of(sign, n), &r) == SSH_AGENT_MORE);
	CHECK_INT(r.type, 99);
}

TEST(a_sign_request_gives_key_data_and_flags)
{
	struct ssh_agent_request r;

	CHECK(asks(BYTES("\0\0\0\x12\x0d\0\0\0\3key\0\0\0\2da\0\0\0\4"), &r) == SSH_AGENT_DONE);
	CHECK(r.ask == SSH_AGENT_SIGN && bytes_is(r.key, "key") && bytes_is(r.data, "da") && r.flags == 4);
}

TEST(fields_beyond_their_message_and_bytes_behind_them_are_refused)
{
	struct ssh_agent_request r;

	CHECK(asks(BYTES("\0\0\0\x12\x0d\0\0\0\4key\0\0\0\2da\0\0\0\4"), &r) == SSH_AGENT_BAD && why);
	CHECK(asks(BYTES("\0\0\0\x12\x0d\xff\xff\xff\xffkey\0\0\0\2da\0\0\0\4"), &r) == SSH_AGENT_BAD && why);
	CHECK(asks(BYTES("\0\0\0\x13\x0d\0\0\0\3key\0\0\0\2da\0\0\0\4!"), &r) == SSH_AGENT_BAD && why);
	CHECK(asks(BYTES("\0\0\0\2\x0b!"), &r) == SSH_AGENT_BAD && why);
	CHECK(asks(BYTES("\0\0\0\0"), &r) == SSH_AGENT_BAD && why);
	CHECK(asks(BYTES("\0\4\0\1\x0b"), &r) == SSH_AGENT_BAD && why);
}

TEST(requests_that_change_the_agent_are_other_and_never_served)
{
	static const uint8_t types[] = { 1, 9, 17, 18, 19, 20, 21, 22, 23, 25, 26, 255 };
	uint8_t in[] = { 0, 0, 0, 1, 0 };
	struct ssh_agent_request r;

	for (size_t i = 0; i < sizeof(types); i++) {
		in[4] = types[i];
		CHECK(asks(bytes_of(in, sizeof(in)), &r) == SSH_AGENT_DONE && r.ask == SSH_AGENT_OTHER);
	}
	CHECK(asks(BYTES("\0\0\0\x0c\x1b\0\0\0\3a@b\0\0\0\0"), &r) == SSH_AGENT_DONE);
	CHECK(r.ask == SSH_AGENT_OTHER && r.type == 27);
}

TEST(a_session_travels_with_its_reason_and_its_names)
{
	struct ssh_agent_session s = { .exit = 4, .why = bytes_str("no such workspace"), .session_id = bytes_str("se-1"),
				       .workspace_id = bytes_str("ws-1"), .user = bytes_str("agent") };
	struct ssh_agent_reply r;
	struct buf out BUF_AUTO;

	buf_init(&out, 1000);
	CHECK(ssh_agent_put_session(&out, &s));
	CHECK(ssh_agent_read_reply(buf_view(&out), &r, &used, &why) == SSH_AGENT_DONE);
	CHECK(r.kind == SSH_AGENT_REPLY_SESSION && r.session.exit == 4 && used == out.len);
	CHECK(bytes_is(r.session.why, "no such workspace") && bytes_is(r.session.user, "agent"));
	CHECK(bytes_is(r.session.session_id, "se-1") && bytes_is(r.session.workspace_id, "ws-1"));
}

TEST(a_signature_of_another_length_or_kind_is_refused)
{
	uint8_t signature[65] = { 0 };
	struct ssh_agent_reply r;
	struct buf out BUF_AUTO;

	buf_init(&out, 1000);
	CHECK(ssh_agent_put_signature(&out, bytes_of(signature, 64)));
	CHECK(ssh_agent_read_reply(buf_view(&out), &r, &used, &why) == SSH_AGENT_DONE);
	buf_reset(&out);
	CHECK(ssh_agent_put_signature(&out, bytes_of(signature, 65)));
	CHECK(ssh_agent_read_reply(buf_view(&out), &r, &used, &why) == SSH_AGENT_BAD);
}

TEST(an_answer_over_the_limit_is_not_written)
{
	struct buf out BUF_AUTO;
	struct ssh_agent_key key = { .comment = bytes_str("c") };
	static uint8_t big[SSH_AGENT_MESSAGE_MAX];

	buf_init(&out, 4 * SSH_AGENT_MESSAGE_MAX);
	key.blob = bytes_of(big, sizeof(big));
	CHECK(!ssh_agent_put_keys(&out, &key, 1));
}
