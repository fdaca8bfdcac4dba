#include "wire/ws_frame.h"

#include "base/buf.h"
#include "base/tap.h"

enum { MAX = 100000 };

/* Feeds in pieces of `step`; 0 or the code. */
static int feed(struct ws_check *w, struct bytes s, size_t step)
{
	enum ws_code code = 0;

	for (size_t off = 0; off < s.len; off += step)
		if (!ws_check_feed(w, bytes_of(s.p + off, s.len - off > step ? step : s.len - off), &code))
			return (int)code;
	return 0;
}

static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

static void frame(struct buf *b, bool masked, uint8_t first, struct bytes payload)
{
	uint8_t m = masked ? 0x80 : 0;

	(void)buf_byte(b, first);
	if (payload.len <= 125) {
		(void)buf_byte(b, (uint8_t)(m | payload.len));
	} else if (payload.len <= UINT16_MAX) {
		(void)buf_byte(b, m | 126);
		(void)buf_u16be(b, (uint16_t)payload.len);
	} else {
		(void)buf_byte(b, m | 127);
		(void)buf_u64be(b, payload.len);
	}
	if (masked)
		(void)buf_add(b, mask, 4);
	for (size_t i = 0; i < payload.len; i++)
		(void)buf_byte(b, payload.p[i] ^ (masked ? mask[i & 3] : 0));
}

#define V(text, code) { "" text, sizeof(text) - 1, code }

/* RFC 6455, 5.7, and what its sections 5.2 to 5.5 and 7.4 forbid */
TEST(frames_of_a_server_pass_and_broken_ones_have_their_code)
{
	static const struct {
		const char *p;
		size_t len;
		int code;
	} vectors[] = {
		V("\x81\x05Hello", 0),
		V("\x01\x03Hel\x80\x02lo", 0),
		V("\x89\x05Hello\x8a\x05Hello", 0),
		V("\x82\x00", 0),
		V("\x01\x00\x00\x00\x80\x00", 0),
		V("\x01\x03Hel\x89\x01x\x80\x02lo", 0), /* a ping between fragments */
		V("\x88\x00", 0),
		V("\x88\x02\x03\xe8", 0),
		V("\x88\x05\x03\xe8" "bye", 0),
		V("\x88\x02\x0f\xa0", 0),
		V("\x88\x02\x13\x87", 0), /* 4999 */
		V("\x88\x02\x0b\xb8", 0), /* 3000 */
		V("\xc1", 1002), /* told at once */
		V("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1002), /* masked by a server */
		V("\xc1\x05Hello", 1002), /* reserved bits: permessage-deflate */
		V("\xa1\x05Hello", 1002),
		V("\x91\x05Hello", 1002),
		V("\x83\x00", 1002), /* opcodes nobody defined */
		V("\x87\x00", 1002),
		V("\x8b\x00", 1002),
		V("\x8f\x00", 1002),
		V("\x80\x00", 1002), /* continues nothing */
		V("\x01\x00\x81\x00", 1002), /* a new message within one */
		V("\x01\x00\x02\x00", 1002),
		V("\x09\x00", 1002), /* fragmented control frames */
		V("\x08\x00", 1002),
		V("\x89\x7e\x00\x7e", 1002), /* long ones */
		V("\x88\x7f", 1002),
		V("\x81\x7e\x00\x7d", 1002), /* not the shortest length */
		V("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 1002),
		V("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 1002),
		V("\x81\x7f\x00\x00\x00\x00\x10\x00\x00\x00", 1009),
		V("\x88\x01\x03", 1002),
		V("\x88\x02\x03\xe7", 1002), /* 999 */
		V("\x88\x02\x03\xec", 1002), /* 1004 */
		V("\x88\x02\x03\xed", 1002), /* 1005 */
		V("\x88\x02\x03\xf7", 1002), /* 1015 */
		V("\x88\x02\x0b\xb7", 1002), /* 2999 */
		V("\x88\x02\x13\x88", 1002), /* 5000 */
		V("\x88\x03\x03\xe8\xff", 1007),
		V("\x88\x03\x03\xe8\xc3", 1007),
		V("\x88\x00\x81\x00", 1002), /* after the end */
		V("\x88\x00\x88\x00", 1002),
		V("\x81\x01\xff", 1007),
		V("\x81\x01\xc3", 1007),
		V("\x01\x01\xc3\x80\x01\xa9", 0), /* a character over two fragments */
		V("\x01\x01\xc3\x80\x01x", 1007),
		V("\x01\x01\xc3\x80\x00", 1007),
		V("\x81\x03\xed\xa0\x80", 1007),
		V("\x81\x04\xf4\x90\x80\x80", 1007),
		V("\x81\x02\xc0\xaf", 1007),
		V("\x81\x04\xf0\x9f\x98\x80", 0),
		V("\x82\x02\xff\xfe", 0),
		V("\x02\x01\xff\x80\x01\xff", 0),
		V("\x89\x01\xff", 0),
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 20; step += 3) {
			struct ws_check w;

			ws_check_init(&w, false, MAX);
			if (!CHECK_INT(feed(&w, bytes_of(vectors[i].p, vectors[i].len), step), vectors[i].code))
				printf("# vector %zu, step %zu\n", i, step);
			if (vectors[i].code)
				CHECK_INT(feed(&w, bytes_str("\x81\x05Hello"), 100), vectors[i].code);
		}
}

TEST(frames_of_a_client_are_masked_and_their_text_is_seen_through_the_mask)
{
	static const struct {
		const char *text;
		uint8_t first;
		int code;
	} vectors[] = {
		{ "Hello, world: a text that is longer than a few words of eight bytes", 0x81, 0 },
		{ "Gr\xc3\xbc\xc3\x9f" "e, and something plain behind it \xf0\x9f\x98\x80", 0x81, 0 },
		{ "something plain and then \xff and more plain text behind it", 0x81, 1007 },
		{ "something plain and then \xff and more plain text behind it", 0x82, 0 },
		{ "\x03\xe8" "bye", 0x88, 0 },
		{ "\x03\xe8\xff", 0x88, 1007 },
		{ "ping", 0x89, 0 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 100; step += 4) {
			struct buf b BUF_AUTO;
			struct ws_check w;

			buf_init(&b, 1000);
			frame(&b, true, vectors[i].first, bytes_str(vectors[i].text));
			ws_check_init(&w, true, MAX);
			if (!CHECK_INT(feed(&w, buf_view(&b), step), vectors[i].code))
				printf("# vector %zu, step %zu\n", i, step);
		}
	for (size_t i = 0; i < 2; i++) {
		struct ws_check w;

		ws_check_init(&w, true, MAX);
		CHECK_INT(feed(&w, i ? bytes_of("\x89\x00", 2) : bytes_str("\x81\x05Hello"), 1), 1002);
	}
}

TEST(a_message_is_bounded_with_all_its_fragments)
{
	static uint8_t text[70000];

	memset(text, 'a', sizeof(text));
	for (size_t over = 0; over < 2; over++) {
		struct buf b BUF_AUTO;
		struct ws_check w;

		buf_init(&b, 1000000);
		frame(&b, false, 0x01, bytes_of(text, 70000));
		frame(&b, false, 0x89, bytes_of(text, 125));
		frame(&b, false, 0x80, bytes_of(text, 30000 + over));
		frame(&b, false, 0x82, bytes_of(text, 65535));
		ws_check_init(&w, false, MAX);
		CHECK_INT(feed(&w, buf_view(&b), 4096), over ? 1009 : 0);
		CHECK_INT(w.n_messages, over ? 0 : 2);
		CHECK_INT(w.n_text, over ? 0 : 1);
	}
}

TEST(a_connection_may_end_between_frames_only)
{
	struct ws_check w;

	ws_check_init(&w, false, MAX);
	CHECK(ws_check_between(&w));
	CHECK_INT(feed(&w, bytes_of("\x01", 1), 1), 0);
	CHECK(!ws_check_between(&w));
	CHECK(!ws_check_at_border(&w));
	CHECK_INT(feed(&w, bytes_of("\x01" "a", 2), 1), 0);
	CHECK(!ws_check_between(&w) && ws_check_at_border(&w));
	CHECK_INT(feed(&w, bytes_of("\x80\x02" "b", 3), 1), 0);
	CHECK(!ws_check_between(&w));
	CHECK(!ws_check_at_border(&w)); /* within a payload */
	CHECK_INT(feed(&w, bytes_of("c", 1), 1), 0);
	CHECK(ws_check_between(&w) && !w.closed && ws_check_at_border(&w));
	CHECK_INT(feed(&w, bytes_of("\x88\x00", 2), 1), 0);
	CHECK(ws_check_between(&w) && w.closed && !ws_check_at_border(&w));
}
