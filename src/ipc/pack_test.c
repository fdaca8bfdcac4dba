#include "ipc/pack.h"

#include "base/tap.h"

static unsigned count(const char *wire, size_t len, bool *ret_bad)
{
	struct pack p;
	struct bytes m;

	if (!pack_open(&p, bytes_of(wire, len)))
		return 1000;
	while (pack_next(&p, &m))
		;
	*ret_bad = p.bad;
	return p.n;
}

#define COUNT(s, bad) count("" s, sizeof(s) - 1, bad)

TEST(messages_come_out_as_they_stand)
{
	static const char wire[] = "\xff\xff\x02\x00hi\x05\x00there";
	struct pack p;
	struct bytes m;

	CHECK(pack_open(&p, bytes_of(wire, sizeof(wire) - 1)));
	CHECK(pack_next(&p, &m) && bytes_is(m, "hi"));
	CHECK(pack_next(&p, &m) && bytes_is(m, "there"));
	CHECK(!pack_next(&p, &m) && !p.bad && p.n == 2);
}

TEST(one_message_is_no_pack)
{
	bool bad = false;

	CHECK(COUNT("", &bad) == 1000);
	CHECK(COUNT("\xff", &bad) == 1000);
	CHECK(COUNT("\x02\x00u", &bad) == 1000);
}

TEST(a_pack_that_is_cut_empty_or_holds_another_is_bad)
{
	bool bad = false;

	CHECK(COUNT("\xff\xff", &bad) == 0 && bad);
	CHECK(COUNT("\xff\xff\x02", &bad) == 0 && bad);
	CHECK(COUNT("\xff\xff\x00\x00", &bad) == 0 && bad);
	CHECK(COUNT("\xff\xff\x03\x00hi", &bad) == 0 && bad);
	CHECK(COUNT("\xff\xff\x02\x00hi\x01", &bad) == 1 && bad);
	CHECK(COUNT("\xff\xff\x02\x00hi\x00\x00", &bad) == 1 && bad);
	CHECK(COUNT("\xff\xff\x02\x00\xff\xff", &bad) == 0 && bad);
	CHECK(COUNT("\xff\xff\x06\x00\xff\xff\x02\x00hi", &bad) == 0 && bad);
}

TEST(a_pack_of_too_many_is_bad)
{
	char wire[PACK_HEAD + 3 * (PACK_MESSAGES_MAX + 1)];
	bool bad = false;

	pack_put_head((uint8_t *)wire);
	for (size_t at = PACK_HEAD; at < sizeof(wire); at += 3) {
		pack_put_len((uint8_t *)wire + at, 1);
		wire[at + 2] = 'x';
	}
	CHECK(count(wire, sizeof(wire) - 3, &bad) == PACK_MESSAGES_MAX && !bad);
	CHECK(count(wire, sizeof(wire), &bad) == PACK_MESSAGES_MAX && bad);
}
