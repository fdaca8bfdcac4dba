#include "proxy/http_rig.h"

#include <sys/socket.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/clock_kit.h"
#include "os/fd.h"

/* The key and its answer are RFC 6455's own, 1.3. */
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define OPEN "GET /ok HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEY
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define AGREED "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define HELLO "\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e" /* masked "hello" */
#define HI "\x81\x02hi"

static void start(bool listed)
{
	const struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE, .websocket = listed };

	http_rig_start_entry(http_flow_start, &entry);
}

static void start_open(void)
{
	start(true);
	http_rig_ask(OPEN "\r\n");
	http_rig_reply(0, SWITCH AGREED ACCEPT "\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), SWITCH ACCEPT AGREED "\r\n");
	(void)http_rig_seen(&http_rig.origin_got[0]);
}

static void put(int fd, const char *p, size_t len)
{
	must(send(fd, p, len, MSG_NOSIGNAL) == (ssize_t)len);
	http_rig_settle();
}
#define PUT(fd, literal) put((fd), (literal), sizeof(literal) - 1)

static bool got(struct buf *b, const char *p, size_t len)
{
	bool same = bytes_eq(buf_view(b), bytes_of(p, len));

	buf_reset(b);
	return same;
}
#define GOT(b, literal) got((b), (literal), sizeof(literal) - 1)

TEST(a_listed_websocket_opens_in_canonical_form_and_its_frames_pass_both_ways)
{
	start(true);
	http_rig_ask(OPEN "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat, other\r\nX-Forwarded-For: x\r\n\r\n"); /* F9 */
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "GET /ok HTTP/1.1\r\nHost: good.example\r\n" KEY "Sec-WebSocket-Protocol: chat, other\r\n" AGREED "\r\n");
	CHECK_STR(http_rig.events[0], "allowed ok GET /ok site/1 (read) 0 stripped: sec-websocket-extensions, x-forwarded-for");
	http_rig_reply(0, SWITCH AGREED ACCEPT "Sec-WebSocket-Protocol: other\r\n\r\n" HI);
	CHECK_STR(http_rig_seen(&http_rig.got), SWITCH ACCEPT "Sec-WebSocket-Protocol: other\r\n" AGREED "\r\n" HI);
	PUT(http_rig.guest, HELLO);
	CHECK(GOT(&http_rig.origin_got[0], HELLO));
	for (const char *c = HI; *c; c++)
		put(http_rig.origin[0], c, 1);
	CHECK(GOT(&http_rig.got, HI));
	PUT(http_rig.guest, "\x88\x82\x00\x00\x00\x00\x03\xe8"); /* L4: the code is kept */
	CHECK(GOT(&http_rig.origin_got[0], "\x88\x82\x00\x00\x00\x00\x03\xe8"));
	PUT(http_rig.origin[0], "\x88\x02\x03\xe8");
	CHECK(GOT(&http_rig.got, "\x88\x02\x03\xe8"));
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK(http_rig_guest_at_end());
	CHECK_INT(http_rig.n_events, 1);
	http_rig_end();
	CHECK(strncmp(http_rig.events[1], "closed ok", 9) == 0);
}

TEST(f7_what_is_not_listed_or_not_well_formed_does_not_open)
{
	static const char *const requests[] = {
		"GET /ok HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"GET /ok HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"GET /ok HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" KEY "\r\n",
		"GET /ok HTTP/1.1\r\n" HOST "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n" KEY "\r\n",
		"POST /ok HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEY "\r\n",
		OPEN "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	};

	for (size_t i = 0; i <= sizeof(requests) / sizeof(requests[0]); i++) {
		start(i > 0);
		http_rig_ask(i ? requests[i - 1] : OPEN "\r\n");
		CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
		CHECK(strncmp(http_rig.events[0], "denied upgrade_not_listed ", 26) == 0);
		CHECK_INT(http_rig.n_dials, 0);
		http_rig_end();
	}
}

TEST(an_answer_that_agrees_to_anything_else_is_502)
{
	static const char *const answers[] = {
		SWITCH AGREED "\r\n",
		SWITCH AGREED "Sec-WebSocket-Accept: AAAALMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		SWITCH AGREED ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
		SWITCH AGREED ACCEPT "Sec-WebSocket-Protocol: unasked\r\n\r\n",
		SWITCH "Upgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		start(true);
		http_rig_ask(OPEN "\r\n");
		http_rig_reply(0, answers[i]);
		CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
		CHECK(strncmp(http_rig.events[1], "failed malformed_upstream ", 26) == 0);
		http_rig_end();
	}
}

TEST(a_host_that_opens_none_answers_like_any_other)
{
	start(true);
	http_rig_ask(OPEN "\r\n");
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_ask(GET);
	http_rig_reply(0, SWITCH AGREED ACCEPT "\r\n"); /* nobody asked */
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	http_rig_end();
}

TEST(whoever_breaks_the_protocol_is_told_and_nothing_of_that_piece_passes)
{
	start_open();
	PUT(http_rig.guest, HELLO "\x81\x02hi"); /* not masked */
	CHECK_INT(http_rig.origin_got[0].len, 0);
	CHECK(GOT(&http_rig.got, "\x88\x02\x03\xea"));
	CHECK(http_rig_guest_at_end() && http_rig_origin_at_end(0));
	CHECK(strncmp(http_rig.events[1], "failed malformed_websocket GET /ok", 34) == 0);
	CHECK_INT(http_rig.n_events, 2);
	http_rig_end();
	start_open();
	PUT(http_rig.origin[0], "\xc1\x02hi"); /* compressed */
	CHECK_INT(http_rig.got.len, 0);
	CHECK(GOT(&http_rig.origin_got[0], "\x88\x82\x00\x00\x00\x00\x03\xea"));
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK(strncmp(http_rig.events[1], "failed malformed_upstream GET /ok", 33) == 0);
	http_rig_end();
}

TEST(no_close_frame_stands_inside_another_frame)
{
	start_open();
	PUT(http_rig.origin[0], "\x82\x05" "abc");
	CHECK(GOT(&http_rig.got, "\x82\x05" "abc"));
	PUT(http_rig.guest, "\xff");
	CHECK_INT(http_rig.got.len, 0);
	CHECK(http_rig_guest_at_end());
	http_rig_end();
}

TEST(a_policy_that_no_longer_lists_it_ends_an_open_websocket)
{
	start_open();
	http_rig_policy_changes(false);
	PUT(http_rig.guest, HELLO);
	CHECK(GOT(&http_rig.origin_got[0], HELLO));
	http_rig.entry.websocket = false;
	http_rig_policy_changes(false);
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 3);
	CHECK_STR(http_rig.events[1], "denied policy_changed GET /ok site/1 (read) 403");
	CHECK(strncmp(http_rig.events[2], "closed ok", 9) == 0);
	http_rig_end();
	start_open();
	http_rig_policy_changes(true);
	CHECK(!http_rig.flow);
	CHECK(strncmp(http_rig.events[1], "denied policy_changed GET /ok", 29) == 0);
	http_rig_end();
}

/* It was on its way when the policy changed. */
TEST(an_upgrade_that_the_new_policy_would_not_open_does_not_open_when_its_answer_comes)
{
	for (unsigned i = 0; i < 4; i++) {
		start(true);
		http_rig_ask(OPEN "\r\n");
		http_rig.entry.websocket = i != 0;
		http_rig.moved = i == 1;
		http_rig.guarded = i == 2;
		http_rig_policy_changes(i == 3);
		http_rig_reply(0, SWITCH AGREED ACCEPT "\r\n" HI);
		CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0 && strstr(buf_cstr(&http_rig.got), "policy_changed"));
		CHECK(http_rig_origin_at_end(0) && http_rig_guest_at_end());
		CHECK_INT(http_rig.n_events, 2);
		if (!CHECK(strncmp(http_rig.events[1], "denied policy_changed GET /ok", 29) == 0))
			printf("# change %u: %s\n", i, http_rig.events[1]);
		http_rig_end();
	}
}

TEST(an_upgrade_that_the_new_policy_would_open_in_the_same_place_does)
{
	start(true);
	http_rig_ask(OPEN "\r\n");
	http_rig_policy_changes(false);
	http_rig_reply(0, SWITCH AGREED ACCEPT "\r\n" HI);
	CHECK(GOT(&http_rig.got, SWITCH ACCEPT AGREED "\r\n" HI));
	CHECK_INT(http_rig.n_events, 1);
	http_rig_end();
}

TEST(a_websocket_lives_on_where_the_new_policy_would_open_it_in_the_same_place)
{
	start_open();
	http_rig_policy_changes(false);
	PUT(http_rig.guest, HELLO);
	CHECK(GOT(&http_rig.origin_got[0], HELLO));
	http_rig.moved = true;
	http_rig_policy_changes(false);
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK(strncmp(http_rig.events[1], "denied policy_changed GET /ok", 29) == 0);
	http_rig_end();
}

TEST(a_websocket_whose_name_is_guarded_now_does_not_go_on_past_outlet)
{
	start_open();
	http_rig.guarded = true;
	http_rig_policy_changes(false);
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK(strncmp(http_rig.events[1], "denied policy_changed GET /ok", 29) == 0);
	http_rig_end();
}

TEST(a_websocket_through_outlet_is_judged_there_alone)
{
	start(true);
	http_rig.guarded = true;
	http_rig_ask(OPEN "\r\n");
	http_rig_reply(0, SWITCH AGREED ACCEPT "\r\n");
	CHECK_INT(http_rig.n_events, 0);
	http_rig_policy_changes(true);
	CHECK(http_rig.flow != NULL);
	CHECK_INT(http_rig.n_events, 0);
	http_rig.origin[0] = fd_close(http_rig.origin[0]); /* outlet's word */
	http_rig_settle();
	CHECK(http_rig_guest_at_end());
	CHECK_INT(http_rig.n_events, 0);
	http_rig_end();
}

TEST(an_idle_websocket_ends_with_its_own_reason)
{
	start_open();
	http_rig_time_passes();
	CHECK(GOT(&http_rig.got, "\x88\x02\x03\xe9"));
	CHECK(GOT(&http_rig.origin_got[0], "\x88\x82\x00\x00\x00\x00\x03\xe9"));
	CHECK(strncmp(http_rig.events[1], "failed websocket_idle GET /ok", 29) == 0);
	http_rig_end();
}

TEST(a_guest_that_leaves_is_heard_to_its_last_frame)
{
	start_open();
	must(send(http_rig.guest, HELLO, sizeof(HELLO) - 1, MSG_NOSIGNAL) > 0);
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	CHECK(GOT(&http_rig.origin_got[0], HELLO));
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	http_rig_end();
}

/* ... for a minute, by a host that does not listen. */
TEST(a_guest_that_left_waits_no_longer_than_that_for_a_host_that_takes_nothing)
{
	static char frame[8 + 60000] = "\x82\xfe\xea\x60";
	struct http_flow *f;

	for (unsigned i = 0; i < 2; i++) {
		kit_clock_stops();
		start_open();
		f = (struct http_flow *)http_rig.flow;
		for (int n = 0; f->upstream.out.len == 0 && n < 100; n++) { /* more than its socket holds */
			must(send(http_rig.guest, frame, sizeof(frame), MSG_NOSIGNAL) == (ssize_t)sizeof(frame));
			must(loop_turn(http_rig.loop, 0, NULL) == 0);
		}
		CHECK(f->upstream.out.len > 0);
		if (i == 0)
			(void)shutdown(http_rig.guest, SHUT_WR);
		else
			http_rig.guest = fd_close(http_rig.guest);
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
		kit_clock_moves(HTTP_FLOW_LEFT_MS - 1);
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
		CHECK(http_rig.flow != NULL);
		kit_clock_moves(1);
		for (int n = 0; http_rig.flow && n < 50; n++)
			must(loop_turn(http_rig.loop, 0, NULL) == 0);
		CHECK(!http_rig.flow);
		CHECK_INT(http_rig.n_events, 3);
		CHECK(strncmp(http_rig.events[1], "failed guest_closed GET /ok", 27) == 0);
		http_rig_end();
	}
}

TEST(what_a_host_said_before_it_went_still_arrives)
{
	static char frame[4 + 60000] = "\x82\x7e\xea\x60";
	size_t received = 0;
	struct http_flow *f;
	uint64_t said;

	start_open();
	f = (struct http_flow *)http_rig.flow;
	said = f->bytes_in;
	for (int i = 0; f->guest.out.len == 0 && i < 100; i++) { /* more than the guest's socket holds */
		must(send(http_rig.origin[0], frame, sizeof(frame), MSG_NOSIGNAL) == (ssize_t)sizeof(frame));
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
	}
	CHECK(f->guest.out.len > 0);
	said = f->bytes_in - said;
	f->upstream.eof = f->upstream.broken = true; /* as TLS that was cut off */
	http_flow_pump(f);
	for (unsigned quiet = 0; quiet < 50 && received < said; quiet++) {
		(void)http_rig_drain(http_rig.guest, &http_rig.got);
		received += http_rig.got.len;
		buf_reset(&http_rig.got);
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
	}
	CHECK_INT(received, said);
	CHECK(http_rig_guest_at_end());
	http_rig_end();
}

TEST(frames_wait_for_a_slow_reader_in_bounded_memory)
{
	static char piece[4 + 60000] = "\x82\x7e\xea\x60";
	size_t sent = 0;
	size_t received = 0;
	struct http_flow *f;

	start_open();
	f = (struct http_flow *)http_rig.flow;
	for (unsigned quiet = 0; quiet < 50; quiet++) { /* nobody reads */
		size_t at = sent % sizeof(piece);
		ssize_t n = send(http_rig.origin[0], piece + at, sizeof(piece) - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
		CHECK(f->guest.out.len + f->upstream.in.len < 400 * 1024);
		if (n > 0)
			quiet = 0;
	}
	for (unsigned quiet = 0; quiet < 50 && received < sent; quiet++) {
		if (http_rig_drain(http_rig.guest, &http_rig.got))
			quiet = 0;
		received += http_rig.got.len;
		buf_reset(&http_rig.got);
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
	}
	CHECK_INT(received, sent);
	http_rig_end();
}
