#include "ipc/msg.h"

#include "base/tap.h"

static struct msg m;

TEST(fields_come_back_in_order_and_the_end_is_checked)
{
	struct msg_in in;

	msg_start(&m, 77);
	msg_u64(&m, UINT64_MAX);
	msg_str(&m, "name");
	CHECK(msg_done(&m));
	CHECK(msg_open(&in, bytes_of(m.p, m.len)) && in.type == 77);
	CHECK(msg_get_u64(&in) == UINT64_MAX);
	CHECK(!msg_end(&in));
	CHECK(bytes_is(msg_get_bytes(&in, 10), "name"));
	CHECK(msg_end(&in));
	CHECK(msg_get_u64(&in) == 0 && in.bad && !msg_end(&in));
}

TEST(wrong_kind_over_max_or_cut_is_bad)
{
	struct msg_in in;

	msg_start(&m, 1);
	msg_str(&m, "12345");
	CHECK(msg_open(&in, bytes_of(m.p, m.len)) && msg_get_u64(&in) == 0 && in.bad);
	CHECK(msg_open(&in, bytes_of(m.p, m.len)) && msg_get_bytes(&in, 4).len == 0 && in.bad);
	for (size_t cut = 2; cut < m.len; cut++) {
		CHECK(msg_open(&in, bytes_of(m.p, cut)));
		(void)msg_get_bytes(&in, 100);
		CHECK(in.bad);
	}
	CHECK(!msg_open(&in, bytes_of(m.p, 1)));
	CHECK(msg_open(&in, bytes_of(m.p, m.len)));
	(void)msg_get_bytes(&in, 100);
	CHECK(msg_take_fd(&in) == -1 && in.bad);
}

TEST(overflow_is_sticky)
{
	static uint8_t big[MSG_MAX];

	msg_start(&m, 1);
	msg_bytes(&m, bytes_of(big, sizeof(big)));
	CHECK(!msg_done(&m));
	msg_u64(&m, 1);
	CHECK(!msg_done(&m));
	msg_start(&m, 1);
	CHECK(msg_done(&m));
}
