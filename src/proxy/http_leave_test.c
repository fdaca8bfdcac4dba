#include "proxy/http_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/tls_kit.h"
#include "os/clock_kit.h"
#include "os/fd.h"

/* A guest that leaves while its request is under way, as each kind of socket tells it. */

#define LONG "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
#define LATE "failed guest_closed GET /ok site/1 (read) 504"

static void later(uint64_t ms)
{
	kit_clock_moves(ms);
	http_rig_settle();
}

static void ends_its_side(void)
{
	(void)shutdown(http_rig.guest, SHUT_WR);
	http_rig_settle();
}

static void begin(void)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
}

/* It was told why, and the host is left. */
static void is_over_by_now(unsigned origin)
{
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0 && strstr(buf_cstr(&http_rig.got), "guest_closed"));
	CHECK(!http_rig.flow && http_rig_guest_at_end() && http_rig_origin_at_end(origin));
	if (!CHECK(http_rig.n_events >= 2))
		return;
	CHECK(strncmp(http_rig.events[http_rig.n_events - 2], LATE, strlen(LATE)) == 0);
	CHECK(strncmp(http_rig.events[http_rig.n_events - 1], "closed ok", 9) == 0);
}

TEST(a_guest_that_has_ended_its_side_is_answered_within_a_minute_or_not_at_all)
{
	begin();
	http_rig_ask(GET);
	later(HTTP_FLOW_LEFT_MS); /* it was patient until then */
	ends_its_side();
	later(HTTP_FLOW_LEFT_MS - 1);
	CHECK_INT(http_rig.got.len, 0);
	http_rig_reply(0, OK);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 200 ", 13) == 0);
	CHECK(http_rig_guest_at_end());
	http_rig_end();
	CHECK_INT(http_rig.n_events, 2);

	begin();
	http_rig_ask(GET);
	later(HTTP_FLOW_LEFT_MS);
	ends_its_side();
	later(HTTP_FLOW_LEFT_MS - 1);
	CHECK_INT(http_rig.got.len, 0);
	later(1);
	is_over_by_now(0);
	CHECK_INT(http_rig.n_events, 3);
	http_rig_end();
}

TEST(what_is_left_of_a_shorter_time_stays_so_when_its_guest_ends_its_side)
{
	begin();
	http_rig_ask(GET);
	later(HTTP_FLOW_ANSWER_MS - HTTP_FLOW_LEFT_MS / 2);
	ends_its_side();
	later(HTTP_FLOW_LEFT_MS / 2 - 1);
	CHECK_INT(http_rig.got.len, 0);
	later(1);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0);
	http_rig_end();
}

TEST(neither_interim_answers_nor_a_head_that_dribbles_in_win_time_then)
{
	static const char *const pieces[] = { "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 OK\r\nX: " };

	begin();
	http_rig_ask(GET);
	ends_its_side();
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		later(HTTP_FLOW_LEFT_MS / 4);
		http_rig_reply(0, pieces[i]);
	}
	CHECK_INT(http_rig.got.len, 0);
	later(HTTP_FLOW_LEFT_MS / 4);
	is_over_by_now(0);
	http_rig_end();
}

TEST(a_guest_that_ended_its_side_before_its_host_was_asked_has_a_minute_from_then_on)
{
	for (unsigned i = 0; i < 2; i++) {
		begin();
		http_rig.hold_dials = i == 0;
		http_rig.hold_events = i == 1;
		http_rig_put(http_rig.guest, GET);
		ends_its_side();
		later(HTTP_FLOW_EVENT_MS - 1);
		CHECK(http_rig.flow && !http_rig_guest_at_end());
		http_rig.hold_dials = http_rig.hold_events = false;
		http_rig_answers_last();
		http_rig_settle();
		CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
		later(HTTP_FLOW_LEFT_MS - 1);
		CHECK_INT(http_rig.got.len, 0);
		later(1);
		is_over_by_now(0);
		http_rig_end();
	}
}

TEST(requests_that_lie_behind_each_other_when_their_guest_ends_its_side_are_all_answered)
{
	begin();
	http_rig_put(http_rig.guest, GET GET);
	ends_its_side();
	later(HTTP_FLOW_LEFT_MS - 1);
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	later(HTTP_FLOW_LEFT_MS - 1);
	http_rig_reply(0, OK);
	CHECK(strstr(buf_cstr(&http_rig.got), "200 OK") && strstr(buf_cstr(&http_rig.got), "hi"));
	CHECK(http_rig_guest_at_end());
	CHECK_INT(http_rig.n_events, 3);
	http_rig_end();

	begin();
	http_rig_put(http_rig.guest, GET GET);
	ends_its_side();
	http_rig_reply(0, OK);
	buf_reset(&http_rig.got);
	later(HTTP_FLOW_LEFT_MS);
	is_over_by_now(0);
	http_rig_end();
}

TEST(an_answer_that_has_begun_goes_on_as_long_as_it_moves_and_stands_still_for_a_minute_at_most)
{
	begin();
	http_rig_ask(GET);
	http_rig_reply(0, LONG);
	ends_its_side();
	for (unsigned i = 0; i < 3; i++) {
		later(HTTP_FLOW_LEFT_MS - 1);
		http_rig_reply(0, "more");
	}
	CHECK(strstr(buf_cstr(&http_rig.got), "moremoremore"));
	later(HTTP_FLOW_LEFT_MS - 1);
	CHECK(http_rig.flow != NULL);
	later(1);
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[1], "failed guest_closed GET /ok", 27) == 0);
	http_rig_end();
}

TEST(an_answer_that_its_guest_has_not_taken_yet_is_not_hurried)
{
	static char big[256 * 1024];
	struct http_flow *f;

	memset(big, 'x', sizeof(big) - 1);
	begin();
	http_rig_ask(GET);
	f = (struct http_flow *)http_rig.flow;
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	ends_its_side();
	for (int i = 0; i < 100 && f->guest.out.len == 0; i++) { /* more than its socket holds */
		(void)send(http_rig.origin[0], big, sizeof(big) - 1, MSG_NOSIGNAL);
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
	}
	CHECK(f->guest.out.len > 0);
	kit_clock_moves(2 * (uint64_t)HTTP_FLOW_LEFT_MS);
	must(loop_turn(http_rig.loop, 0, NULL) == 0);
	CHECK(http_rig.flow != NULL);
	http_rig_end();
}

TEST(an_upload_whose_guest_ends_its_side_or_is_gone_is_cut_with_one_event)
{
	for (unsigned i = 0; i < 2; i++) {
		begin();
		http_rig_ask(POST_TEXT "Content-Length: 99\r\n\r\nsome");
		if (i == 0)
			ends_its_side();
		else
			http_rig.guest = fd_close(http_rig.guest);
		http_rig_settle();
		CHECK(!http_rig.flow && http_rig_origin_at_end(0));
		CHECK_INT(http_rig.n_events, 3);
		CHECK(strncmp(http_rig.events[1], "failed guest_closed POST /ok", 28) == 0);
		http_rig_end();
	}
}

TEST(a_guest_that_is_gone_ends_its_request_at_once)
{
	for (unsigned i = 0; i < 2; i++) {
		begin();
		http_rig_ask(GET);
		if (i)
			ends_its_side();
		http_rig.guest = fd_close(http_rig.guest);
		http_rig_settle();
		CHECK(!http_rig.flow && http_rig_origin_at_end(0));
		CHECK_INT(http_rig.n_events, 2);
		http_rig_end();
	}
}

/* Two events of its end, one of each role, and one that says why. */
TEST(what_inlet_gives_up_is_over_in_outlet_at_once_and_leaves_the_host)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig.guarded = true; /* inlet */
	http_rig_ask(GET);
	ends_its_side();
	later(HTTP_FLOW_LEFT_MS);
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[0], LATE, strlen(LATE)) == 0);
	http_rig_end();

	http_rig_start_outlet(http_flow_start);
	http_rig_ask(GET);
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "closed ok", 9) == 0);
	http_rig_end();
}

/* `since` is the turn of the last system call about it. */
TEST(a_request_asks_the_kernel_for_nothing_more_of_its_guest)
{
	struct http_flow *f;
	uint64_t since;

	begin();
	f = (struct http_flow *)http_rig.flow;
	since = f->guest.io.since;
	for (unsigned i = 0; i < 3; i++) {
		http_rig_ask(GET);
		http_rig_reply(0, OK);
		CHECK_STR(http_rig_seen(&http_rig.got), OK);
	}
	CHECK_INT(f->guest.io.since, since);
	http_rig_end();
}

/* --- the same in TLS --- */

static struct kit kit;
static struct tls *client;
static int room; /* of the gateway's socket towards the guest; 0: as ever */

static void start_tls(const struct flow *facts)
{
	struct flow own = *facts;
	struct kit_answers a;
	struct tls *server;

	kit_init(&kit);
	server = kit_server(&kit, 0);
	client = kit_client(&kit, 0);
	must(server && client);
	a = kit_shake(client, server);
	must(a.client == TLS_DONE && a.server == TLS_DONE);
	if (room)
		must(setsockopt(kit.host_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0);
	(void)fd_close(own.fd);
	own.fd = fd_take(&kit.host_fd);
	http_flow_start_tls(&own, server);
}

static void begin_tls(void)
{
	kit_clock_stops();
	http_rig_start(start_tls);
	http_rig.guest = fd_close(http_rig.guest);
}

static void end_tls(void)
{
	client = tls_free(client);
	kit.guest_fd = fd_close(kit.guest_fd);
	http_rig_end();
	kit_deinit(&kit);
}

static void say(const char *text)
{
	size_t n = 0;

	must(tls_write(client, bytes_str(text), &n) == TLS_DONE && n == strlen(text));
}

/* All that comes lies in http_rig.got. What the last read gave. */
static enum tls_answer hear(void)
{
	enum tls_answer a = TLS_DONE;

	http_rig_settle();
	for (int quiet = 0; quiet < 8 && (a == TLS_DONE || a == TLS_WANT_READ); quiet++) {
		uint8_t *p = buf_room(&http_rig.got, HTTP_SIDE_READ);
		size_t n = 0;

		must(p);
		a = tls_read(client, p, HTTP_SIDE_READ, &n);
		buf_grew(&http_rig.got, n);
		if (n)
			quiet = 0;
		http_rig_settle();
	}
	return a;
}

/* How TLS says that its side is over: in order and with its socket, in order alone, with its socket alone. */
enum { WHOLLY, BY_TLS, BY_SOCKET, WAYS };

static void ends_its_tls(unsigned way)
{
	if (way != BY_SOCKET)
		must(tls_shutdown(client) == TLS_DONE);
	if (way != BY_TLS)
		must(shutdown(kit.guest_fd, SHUT_WR) == 0);
}

static void tls_is_late(uint64_t ms)
{
	kit_clock_moves(ms);
	CHECK_INT(hear(), TLS_EOF);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0);
	CHECK(http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events - !http_rig.flow, 2);
	CHECK(strncmp(http_rig.events[1], LATE, strlen(LATE)) == 0);
}

TEST(a_guest_that_has_ended_its_tls_is_answered_within_a_minute_or_not_at_all)
{
	for (unsigned way = 0; way < WAYS; way++) {
		begin_tls();
		say(GET);
		CHECK_INT(hear(), TLS_WANT_READ);
		ends_its_tls(way);
		http_rig_settle();
		kit_clock_moves(HTTP_FLOW_LEFT_MS - 1);
		CHECK_INT(hear(), TLS_WANT_READ);
		CHECK_INT(http_rig.got.len, 0);
		http_rig_reply(0, OK);
		(void)hear();
		CHECK(!http_rig.flow);
		CHECK(strstr(buf_cstr(&http_rig.got), "200 OK") && strstr(buf_cstr(&http_rig.got), "hi"));
		end_tls();
		CHECK_INT(http_rig.n_events, 2);

		begin_tls();
		say(GET);
		CHECK_INT(hear(), TLS_WANT_READ);
		ends_its_tls(way);
		http_rig_settle();
		tls_is_late(HTTP_FLOW_LEFT_MS);
		end_tls();
	}
}

TEST(an_end_that_came_with_the_request_is_heard_too)
{
	for (unsigned way = 0; way < WAYS; way++) {
		begin_tls();
		say(GET);
		ends_its_tls(way);
		http_rig_settle();
		CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
		tls_is_late(HTTP_FLOW_LEFT_MS);
		end_tls();
	}
}

TEST(an_end_that_came_while_the_host_was_connected_is_heard_too)
{
	for (unsigned way = 0; way < WAYS; way++) {
		begin_tls();
		http_rig.hold_dials = true;
		say(GET);
		http_rig_settle();
		ends_its_tls(way);
		http_rig_settle();
		http_rig.hold_dials = false;
		http_rig_answers_last();
		http_rig_settle();
		CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
		tls_is_late(HTTP_FLOW_LEFT_MS);
		end_tls();
	}
}

TEST(an_end_behind_another_request_is_heard_where_the_socket_says_it)
{
	begin_tls();
	say(GET);
	CHECK_INT(hear(), TLS_WANT_READ);
	say(GET);
	ends_its_tls(WHOLLY);
	http_rig_settle();
	http_rig_reply(0, OK);
	CHECK_INT(hear(), TLS_WANT_READ);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	CHECK_INT(http_rig.n_events, 2);
	kit_clock_moves(HTTP_FLOW_LEFT_MS);
	CHECK_INT(hear(), TLS_EOF);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0);
	end_tls();
}

TEST(who_breaks_tls_while_it_waits_is_let_go_at_once_with_its_event)
{
	char record[5 + 257 + 1] = "\x17\x03\x03\x01\x01"; /* of none that was agreed on */

	begin_tls();
	say(GET);
	CHECK_INT(hear(), TLS_WANT_READ);
	memset(record + 5, 'x', 257);
	http_rig_put(kit.guest_fd, record);
	http_rig_settle();
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[1], "denied malformed_tls ", 21) == 0);
	CHECK(strncmp(http_rig.events[2], "closed ok", 9) == 0);
	end_tls();
}

/* --- what TLS says last --- */

static void ask_for_the_last_time(void)
{
	begin_tls();
	say("GET /ok HTTP/1.0\r\n" HOST "\r\n");
	http_rig_settle();
}

/* To a client of HTTP/1.0 its answer is whole only when it hears that. */
TEST(the_end_of_tls_is_said_when_there_is_room_for_it)
{
	static char body[8192];
	unsigned n_waited = 0;

	room = 1; /* the kernel's least */
	for (size_t n = 512; n < sizeof(body); n += 256) {
		struct http_flow *f;

		ask_for_the_last_time();
		memset(body, 'x', n);
		body[n] = '\0';
		http_rig_put(http_rig.origin[0], "HTTP/1.1 200 OK\r\n\r\n");
		http_rig_reply(0, body);
		http_rig.origin[0] = fd_close(http_rig.origin[0]);
		http_rig_settle();
		f = (struct http_flow *)http_rig.flow;
		n_waited += f && f->phase == HTTP_CLOSING && f->guest.out.len == 0;
		if (!CHECK_INT(hear(), TLS_EOF))
			printf("# %zu bytes\n", n);
		CHECK(http_rig.got.len > n);
		end_tls();
	}
	room = 0;
	CHECK(n_waited > 0);
}

TEST(who_never_has_room_for_the_end_of_tls_is_left_at_the_deadline)
{
	static char body[8192];
	bool waited = false;

	room = 1;
	for (size_t n = 512; n < sizeof(body) && !waited; n += 256) {
		struct http_flow *f;

		ask_for_the_last_time();
		memset(body, 'x', n);
		body[n] = '\0';
		http_rig_put(http_rig.origin[0], "HTTP/1.1 200 OK\r\n\r\n");
		http_rig_reply(0, body);
		http_rig.origin[0] = fd_close(http_rig.origin[0]);
		http_rig_settle();
		f = (struct http_flow *)http_rig.flow;
		waited = f && f->phase == HTTP_CLOSING && f->guest.out.len == 0;
		if (waited) {
			later(HTTP_FLOW_STREAM_MS);
			CHECK(!http_rig.flow);
		}
		end_tls();
	}
	room = 0;
	CHECK(waited);
}
