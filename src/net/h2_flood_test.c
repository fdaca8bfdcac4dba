#include "net/h2_server.h"

#include "base/tap.h"
#include "net/h2_budget.h"
#include "net/h2_rig.h"

/* RFC 9113, 7: ENHANCE_YOUR_CALM */
#define CALM_GOAWAY "GOAWAY 0 11\n"

static struct h2_rig rig;

/* F6 */
static void check_flood(void (*one)(unsigned i), enum h2_fault want, unsigned most)
{
	size_t memory = 0;
	unsigned n = 0;
	bool calm = false;

	h2_rig_server(&rig);
	while (h2_fault(rig.c) == H2_OK && n < 100 * 1000) {
		one(n++);
		(void)h2_rig_feed(&rig);
		memory = h2_memory(rig.c) > memory ? h2_memory(rig.c) : memory;
		if (n % 16 == 0 && h2_fault(rig.c) == H2_OK)
			calm = strstr(h2_rig_seen(&rig), CALM_GOAWAY) != NULL; /* it reads our answers */
	}
	if (!CHECK_INT(h2_fault(rig.c), want) || !CHECK(n <= most))
		printf("# after %u\n", n);
	CHECK(calm || strstr(h2_rig_seen(&rig), CALM_GOAWAY));
	CHECK(h2_finished(rig.c) && !h2_wants(rig.c));
	CHECK(memory < 1000 * 1000);
	/* it says nothing more and hears nothing more */
	h2_rig_headers(&rig, 100001, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), want);
	CHECK_STR(h2_rig_seen(&rig), "");
	h2_rig_end(&rig);
}

static void rapid_reset(unsigned i)
{
	h2_rig_headers(&rig, 2 * i + 1, H2_RIG_END, H2_RIG_GET);
	h2_rig_u32(&rig, H2_RIG_RST, 2 * i + 1, 8);
}

static void slow_reset(unsigned i)
{
	if (i >= 200)
		(void)h2_rig_events(&rig);
	h2_rig_headers(&rig, 2 * i + 1, H2_RIG_END, H2_RIG_GET);
	(void)h2_rig_feed(&rig);
	h2_rig_u32(&rig, H2_RIG_RST, 2 * i + 1, 8);
}

static void malformed(unsigned i)
{
	h2_rig_headers(&rig, 2 * i + 1, H2_RIG_END, H2_RIG_GET "|X=y");
}

static void ping(unsigned i)
{
	(void)i;
	h2_rig_frame(&rig, H2_RIG_PING, 0, 0, bytes_str("12345678"));
}

static void settings(unsigned i)
{
	h2_rig_setting(&rig, 4, 1000 + i);
}

static void empty_data(unsigned i)
{
	if (i == 0)
		h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	h2_rig_data(&rig, 1, 0, "");
}

static void padded_data(unsigned i)
{
	if (i == 0)
		h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	h2_rig_frame(&rig, H2_RIG_DATA, H2_RIG_PADDED, 1, bytes_of("\x03\0\0\0", 4));
}

static void priority(unsigned i)
{
	(void)i;
	h2_rig_frame(&rig, H2_RIG_PRIORITY, 0, 1, bytes_of("\0\0\0\0\1", 5));
}

static void window(unsigned i)
{
	(void)i;
	h2_rig_u32(&rig, H2_RIG_WINDOW, 0, 1);
}

static void continuation(unsigned i)
{
	if (i == 0)
		h2_rig_frame(&rig, H2_RIG_HEADERS, 0, 1, bytes_of(NULL, 0));
	h2_rig_frame(&rig, H2_RIG_CONTINUATION, 0, 1, bytes_of(NULL, 0));
}

/* The owner has the request, perhaps its host too, when the stream is spoilt so that it must be reset. */
static void overrun(unsigned i)
{
	h2_rig_headers(&rig, 2 * i + 3, H2_RIG_END, H2_RIG_GET);
	(void)h2_rig_feed(&rig);
	CHECK(h2_fault(rig.c) != H2_OK || strstr(h2_rig_events(&rig), "stream "));
	h2_rig_u32(&rig, H2_RIG_WINDOW, 2 * i + 3, 0x7fffffff);
}

static void lie(unsigned i)
{
	h2_rig_headers(&rig, 2 * i + 3, 0, H2_RIG_POST "|content-length=1");
	(void)h2_rig_feed(&rig);
	h2_rig_data(&rig, 2 * i + 3, 0, "xx");
}

/* Content on another stream, of `len` bytes a frame, which may bring what the flood costs. */
static void beside(unsigned i, unsigned n, size_t len)
{
	static const uint8_t content[H2_CONTENT_SMALL];

	if (i == 0)
		h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	while (n--)
		h2_rig_frame(&rig, H2_RIG_DATA, 0, 1, bytes_of(content, len));
}

static void overrun_beside_bytes(unsigned i)
{
	beside(i, 8, 1);
	overrun(i);
}

static void overrun_beside_content(unsigned i)
{
	beside(i, 4, H2_CONTENT_SMALL);
	overrun(i);
}

static void lie_beside_content(unsigned i)
{
	beside(i, 4, H2_CONTENT_SMALL);
	lie(i);
}

/* The window lets one byte of a long answer go at a time. */
static void ping_for_a_byte(unsigned i)
{
	if (i == 0) {
		h2_rig_setting(&rig, 4, 0);
		h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
		(void)h2_rig_feed(&rig);
		h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n");
	}
	h2_rig_u32(&rig, H2_RIG_WINDOW, 1, 1);
	(void)h2_rig_feed(&rig);
	if (h2_fault(rig.c) == H2_OK)
		CHECK_INT(h2_stream_write(rig.streams[0].s, bytes_str("x")), 1);
	(void)h2_rig_seen(&rig);
	ping(i);
}

TEST(streams_that_the_guest_spoils_count_like_those_that_it_gives_up)
{
	check_flood(overrun, H2_FLOOD_MALFORMED, H2_BUDGET_BURST / H2_COST_MALFORMED);
	check_flood(overrun_beside_bytes, H2_FLOOD_MALFORMED, H2_BUDGET_BURST / H2_COST_MALFORMED);
	/* our resets are sent, and streams closed, after each 16th */
	check_flood(overrun_beside_content, H2_FLOOD_RESET, H2_RESETS_BURST + 16);
	check_flood(lie_beside_content, H2_FLOOD_RESET, H2_RESETS_BURST + 16);
}

TEST(content_by_the_byte_buys_nothing)
{
	check_flood(ping_for_a_byte, H2_FLOOD_PING, H2_BUDGET_BURST / H2_COST_PING);
}

TEST(floods_end_the_connection_each_with_its_reason)
{
	/* A loop of cases would not say which one. */
	check_flood(rapid_reset, H2_FLOOD_RESET, H2_RESETS_BURST + 1);
	CHECK_INT(rig.n_streams, 0); /* nobody was bothered with one of them */
	check_flood(slow_reset, H2_FLOOD_RESET, H2_RESETS_BURST + 1);
	check_flood(malformed, H2_FLOOD_MALFORMED, H2_BUDGET_BURST / H2_COST_MALFORMED);
	check_flood(ping, H2_FLOOD_PING, H2_BUDGET_BURST / H2_COST_PING);
	check_flood(settings, H2_FLOOD_SETTINGS, H2_BUDGET_BURST / H2_COST_SETTINGS);
	check_flood(empty_data, H2_FLOOD_EMPTY, H2_BUDGET_BURST / H2_COST_EMPTY);
	check_flood(padded_data, H2_FLOOD_EMPTY, H2_BUDGET_BURST / H2_COST_EMPTY);
	check_flood(priority, H2_FLOOD_FRAMES, H2_BUDGET_BURST);
	check_flood(window, H2_FLOOD_FRAMES, H2_BUDGET_BURST);
	check_flood(continuation, H2_FLOOD_CONTINUATION, 10);
}

TEST(a_flood_in_one_piece_is_no_less_a_flood)
{
	h2_rig_server(&rig);
	for (unsigned i = 0; i <= H2_RESETS_BURST; i++)
		rapid_reset(i);
	CHECK_INT(h2_rig_feed(&rig), H2_FLOOD_RESET);
	CHECK_STR(h2_rig_seen(&rig), CALM_GOAWAY);
	CHECK_INT(rig.n_streams, 0);
	h2_rig_end(&rig);
}

TEST(streams_over_the_limit_are_refused_only_so_often)
{
	uint32_t id = 1;

	h2_rig_server(&rig);
	rig.keep_gone = true; /* an owner that is slow to let go */
	for (size_t i = 0; i < H2_STREAMS_MAX; i++, id += 2) {
		h2_rig_headers(&rig, id, H2_RIG_END, H2_RIG_GET);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		h2_rig_u32(&rig, H2_RIG_RST, id, 8);
	}
	for (size_t i = 0; i < H2_BUDGET_BURST / H2_COST_REFUSED && h2_fault(rig.c) == H2_OK;
	     i++, id += 2) {
		h2_rig_headers(&rig, id, H2_RIG_END, H2_RIG_GET);
		(void)h2_rig_feed(&rig);
		(void)h2_rig_seen(&rig);
	}
	CHECK_INT(h2_fault(rig.c), H2_FLOOD_RESET);
	h2_rig_end(&rig);
}

/* The guest does not even read what we must answer. */
TEST(a_flood_whose_answers_are_not_read_is_bounded)
{
	static void (*const floods[])(unsigned) = { malformed, ping, settings };

	for (size_t f = 0; f < sizeof(floods) / sizeof(floods[0]); f++) {
		h2_rig_server(&rig);
		for (unsigned i = 0; i < 100 * 1000 && h2_wants(rig.c); i++) {
			floods[f](i);
			rig.now_ms += 1000;
			(void)h2_rig_feed(&rig);
		}
		CHECK(h2_memory(rig.c) < 500 * 1000);
		CHECK(!h2_wants(rig.c));
		h2_rig_end(&rig);
	}
}

TEST(a_header_list_that_decompresses_over_every_limit_ends_the_connection)
{
	struct buf block BUF_AUTO = { 0 };

	buf_init(&block, 20000);
	h2_rig_block(&block, bytes_str(H2_RIG_GET));
	/* RFC 7541: one entry of 4000 bytes into the table, then an index to it in each byte */
	(void)buf_byte(&block, 0x40);
	(void)buf_str(&block, "\x01x\x7f\xa1\x1e");
	for (int i = 0; i < 4000; i++)
		(void)buf_byte(&block, 'v');
	for (int i = 0; i < 10000; i++)
		(void)buf_byte(&block, 0xbe);
	h2_rig_server(&rig);
	h2_rig_frame(&rig, H2_RIG_HEADERS, H2_RIG_WHOLE | H2_RIG_END, 1, buf_view(&block));
	CHECK_INT(h2_rig_feed(&rig), H2_FLOOD_HEADERS);
	CHECK(strstr(h2_rig_seen(&rig), CALM_GOAWAY) != NULL);
	CHECK(h2_memory(rig.c) < 200 * 1000);
	CHECK_INT(rig.n_streams, 0);
	h2_rig_end(&rig);
}

/* E23 */
TEST(a_header_list_over_the_limit_ends_its_stream)
{
	struct buf fields BUF_AUTO = { 0 };

	buf_init(&fields, 100000);
	(void)buf_str(&fields, H2_RIG_GET);
	for (int i = 0; i < HTTP1_FIELDS_MAX; i++)
		(void)buf_str(&fields, "|x=y");
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, buf_cstr(&fields));
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "malformed 1: header section too large\n");
	CHECK_STR(h2_rig_seen(&rig), "RST 1 1\n");
	h2_rig_end(&rig);
}

/* The longest calls of clients that do nothing wrong. */
TEST(what_clients_do_all_day_is_no_flood)
{
	h2_rig_server(&rig);
	for (unsigned i = 0; i < 5000; i++) {
		h2_rig_headers(&rig, 2 * i + 1, H2_RIG_END, H2_RIG_GET);
		h2_rig_u32(&rig, H2_RIG_WINDOW, 0, 1);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		h2_rig_say(&rig, 0, "HTTP/1.1 204 No Content\r\n\r\n");
		(void)h2_rig_seen(&rig);
		if (i % 2) /* cancelled after it was answered, or at once: half of them */
			h2_rig_u32(&rig, H2_RIG_RST, 2 * i + 1, 8);
		h2_rig_release(&rig, 0);
		buf_deinit(&rig.streams[0].text);
		rig.n_streams = 0;
	}
	for (unsigned i = 0; i < 5000; i++) { /* a quiet stream is kept alive */
		ping(0);
		rig.now_ms += 1000;
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		(void)h2_rig_seen(&rig);
	}
	h2_rig_end(&rig);
}

/* A call of gRPC, both sides of which say little and often; its client measures after each word (PING). No time passes. */
TEST(many_small_messages_both_ways_are_no_flood)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (unsigned i = 0; i < 10 * 1000 && h2_fault(rig.c) == H2_OK; i++) {
		h2_rig_data(&rig, 1, 0, "12345678901234567890");
		if (!CHECK_INT(h2_rig_feed(&rig), H2_OK))
			break;
		h2_rig_say(&rig, 0, "14\r\n12345678901234567890\r\n");
		CHECK(strstr(h2_rig_seen(&rig), "DATA 1 20\n"));
		h2_rig_u32(&rig, H2_RIG_WINDOW, 0, 20);
		h2_rig_u32(&rig, H2_RIG_WINDOW, 1, 20);
		ping(i);
	}
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_end(&rig);
}

/* The same upwards only: nothing of ours pays for it. */
TEST(an_upload_in_small_frames_is_no_flood)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	for (unsigned i = 0; i < 10 * 1000; i++) {
		h2_rig_data(&rig, 1, 0, "12345678901234567890");
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		(void)h2_rig_seen(&rig);
	}
	CHECK(rig.streams[0].text.len > (size_t)200 * 1000);
	h2_rig_end(&rig);
}

/* Windows open as the other end reads, and one in Go that reads 4 KiB at a time opens both after each. No time passes. */
TEST(a_download_whose_windows_open_by_4_kib_is_no_flood)
{
	static char piece[16384 + 1];

	memset(piece, 'x', 16384);
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
	for (unsigned i = 0; i < 5000 && h2_fault(rig.c) == H2_OK; i++) {
		h2_rig_say(&rig, 0, piece);
		CHECK(strstr(h2_rig_seen(&rig), "DATA 1 16384\n"));
		for (unsigned read = 0; read < 16384; read += 4096) {
			h2_rig_u32(&rig, H2_RIG_WINDOW, 0, 4096);
			h2_rig_u32(&rig, H2_RIG_WINDOW, 1, 4096);
		}
		ping(i);
		if (!CHECK_INT(h2_rig_feed(&rig), H2_OK))
			break;
	}
	h2_rig_end(&rig);
}

TEST(ten_streams_a_second_are_cancelled_for_an_hour)
{
	h2_rig_server(&rig);
	for (unsigned i = 0; i < 36 * 1000 && h2_fault(rig.c) == H2_OK; i++) {
		rapid_reset(i);
		rig.now_ms += i % 2 ? 130 : 70;
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
	}
	h2_rig_end(&rig);
}

/* A policy that changed, or a host that failed; the guest cancels just then what we have reset. */
TEST(streams_that_we_reset_are_not_the_guests_doing)
{
	h2_rig_server(&rig);
	for (unsigned i = 0; i < 3 * H2_RESETS_BURST && h2_fault(rig.c) == H2_OK; i++) {
		h2_rig_headers(&rig, 2 * i + 1, H2_RIG_END, H2_RIG_GET);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		h2_rig_release(&rig, 0);
		buf_deinit(&rig.streams[0].text);
		rig.n_streams = 0;
		if (i % 2)
			h2_rig_u32(&rig, H2_RIG_RST, 2 * i + 1, 8);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		CHECK(i % 2 || strstr(h2_rig_seen(&rig), "RST "));
	}
	CHECK_INT(h2_fault(rig.c), H2_OK);
	h2_rig_end(&rig);
}
