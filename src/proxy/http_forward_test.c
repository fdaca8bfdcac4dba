#include "proxy/http_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/fd.h"

TEST(malformed_answers_become_502_and_nothing_of_them_reaches_the_guest)
{
	static const char *const answers[] = {
		"HTTP/1.1 200\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: y\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"<html>hello</html>\r\n",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		http_rig_start(http_flow_start);
		http_rig_ask(GET);
		http_rig_reply(0, answers[i]);
		if (!CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0))
			printf("# answer %zu: %s\n", i, buf_cstr(&http_rig.got));
		CHECK(strncmp(http_rig.events[1], "failed malformed_upstream GET /ok site/1 (read) 502", 51) == 0);
		CHECK(http_rig_origin_at_end(0) && http_rig_guest_at_end());
		http_rig_end();
	}
}

TEST(bytes_behind_an_answer_never_answer_the_next_request)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"); /* E27 */
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_dials, 2);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), ORIGIN_GET);
	http_rig_reply(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_end();
}

TEST(answers_with_a_body_that_their_kind_does_not_have_are_cut_off)
{
	static const struct {
		const char *request;
		const char *answer;
		const char *want;
	} vectors[] = {
		{ "HEAD /ok HTTP/1.1\r\n" HOST "\r\n", OK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" },
		{ GET, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 204 No Content\r\n\r\n" },
		{ GET, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		  "HTTP/1.1 304 Not Modified\r\n\r\n" },
	};

	for (size_t i = 0; i < 3; i++) {
		http_rig_start(http_flow_start);
		http_rig_ask(vectors[i].request);
		http_rig_reply(0, vectors[i].answer);
		CHECK_STR(http_rig_seen(&http_rig.got), vectors[i].want);
		http_rig_ask(GET);
		CHECK_INT(http_rig.n_dials, 2);
		http_rig_reply(1, OK);
		CHECK_STR(http_rig_seen(&http_rig.got), OK);
		http_rig_end();
	}
}

TEST(answers_until_close_and_with_both_lengths_are_framed_again)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.0 200 OK\r\n\r\nhel");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_STR(http_rig_seen(&http_rig.got), "0\r\n\r\n");
	http_rig_ask(GET);
	http_rig_reply(1, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
	CHECK(http_rig_origin_at_end(1));
	http_rig_end();
}

TEST(a_client_of_http_1_0_gets_its_answer_until_close)
{
	http_rig_start(http_flow_start);
	http_rig_ask("GET /ok HTTP/1.0\r\n" HOST "\r\n");
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi");
	CHECK(http_rig_guest_at_end());
	http_rig_end();
}

TEST(interim_answers_are_swallowed_and_bounded)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_ask(GET);
	for (int i = 0; i < HTTP_FLOW_INTERIM_MAX; i++)
		http_rig_reply(0, "HTTP/1.1 102 Processing\r\n\r\n");
	CHECK_INT(http_rig.got.len, 0);
	http_rig_reply(0, "HTTP/1.1 102 Processing\r\n\r\n");
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	http_rig_end();
}

TEST(who_sends_the_rest_of_a_body_that_its_host_has_answered_can_read_the_answer_afterwards)
{
	static char piece[65536];

	memset(piece, 'x', sizeof(piece));
	http_rig_start(http_flow_start);
	http_rig_ask(POST_TEXT "Content-Length: 4194304\r\n\r\n");
	http_rig_reply(0, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
	for (size_t n = 0; n < 4194304; n += sizeof(piece)) {
		if (!CHECK_INT(send(http_rig.guest, piece, sizeof(piece), MSG_NOSIGNAL), sizeof(piece)))
			break;
		http_rig_settle();
	}
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
	CHECK(http_rig_guest_at_end());
	http_rig_end();
}

TEST(events_of_a_stream_arrive_one_by_one)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		http_rig_reply(0, "9\r\ndata: a\n\n\r\n");
		CHECK_STR(http_rig_seen(&http_rig.got), "9\r\ndata: a\n\n\r\n");
	}
	http_rig_end();
}

static void transfer(size_t total, bool up)
{
	static uint8_t piece[60000];
	int from = up ? http_rig.guest : http_rig.origin[0];
	struct buf *got = up ? &http_rig.origin_got[0] : &http_rig.got;
	size_t sent = 0;
	size_t received = 0;
	struct http_flow *f = (struct http_flow *)http_rig.flow;
	size_t worst = 0;

	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = (uint8_t)(i * 7);
	while (received < total) {
		size_t n = total - sent < sizeof(piece) ? total - sent : sizeof(piece);
		ssize_t done = n ? send(from, piece, n, MSG_NOSIGNAL) : 0;

		sent += done > 0 ? (size_t)done : 0;
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
		if (sent > total / 2 || received) /* at first nobody reads: back-pressure */
			(void)http_rig_drain(up ? http_rig.origin[0] : http_rig.guest, got);
		else if (done < 0)
			(void)http_rig_drain(up ? http_rig.origin[0] : http_rig.guest, got);
		received += got->len;
		buf_reset(got);
		if (http_rig.flow && f->guest.out.len + f->upstream.out.len + f->guest.in.len + f->upstream.in.len > worst)
			worst = f->guest.out.len + f->upstream.out.len + f->guest.in.len + f->upstream.in.len;
	}
	CHECK_INT(received, total);
	CHECK(worst < 400 * 1024);
}

TEST(big_bodies_pass_both_ways_in_bounded_memory)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST_TEXT "Content-Length: 50000000\r\n\r\n");
	http_rig_ask("0123456789");
	CHECK_INT(http_rig.n_dials, 1);
	buf_reset(&http_rig.origin_got[0]);
	transfer(50000000 - 10, true);
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	buf_reset(&http_rig.got);
	transfer(100000000, false);
	http_rig_ask(GET);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
	CHECK_INT(http_rig.n_dials, 1);
	http_rig_end();
}

TEST(a_big_upload_that_says_no_type_passes_as_one_that_does)
{
	static char begins[HTTP_FLOW_HOLD_MAX + 1];

	memset(begins, 'a', sizeof(begins) - 1);
	http_rig_start(http_flow_start);
	http_rig_ask(POST "Content-Length: 50000000\r\n\r\n");
	CHECK_INT(http_rig.n_dials, 0);
	http_rig_ask(begins);
	CHECK_INT(http_rig.n_dials, 1);
	CHECK_INT(http_rig.origin_got[0].len, strlen("POST /ok HTTP/1.1\r\n" HOST "Content-Length: 50000000\r\n\r\n") + sizeof(begins) - 1);
	buf_reset(&http_rig.origin_got[0]);
	transfer(50000000 - (sizeof(begins) - 1), true);
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	CHECK_INT(http_rig.n_events, 1);
	http_rig_end();
}

/* All of a body of `total` bytes is with us or on its way, then its reader takes it in small pieces: what of it arrives. */
static size_t slow_reader_gets(size_t total, bool up)
{
	static uint8_t piece[3000];
	int from = up ? http_rig.guest : http_rig.origin[0];
	int to = up ? http_rig.origin[0] : http_rig.guest;
	size_t sent = 0;
	size_t got = 0;

	for (unsigned quiet = 0; quiet < 100 && got < total; quiet++) {
		size_t n = total - sent < sizeof(piece) ? total - sent : sizeof(piece);
		ssize_t done = n ? send(from, piece, n, MSG_NOSIGNAL) : 0;

		sent += done > 0 ? (size_t)done : 0;
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
		if (done > 0)
			quiet = 0;
		if (done > 0 && sent < total)
			continue; /* nobody reads before the sender is stuck */
		done = recv(to, piece, sizeof(piece), 0);
		got += done > 0 ? (size_t)done : 0;
		if (done > 0)
			quiet = 0;
	}
	return got;
}

TEST(the_rest_of_a_body_needs_no_further_byte_to_move)
{
	char head[128];

	for (size_t total = 400000; total < 900000; total += 37123) {
		for (int up = 0; up < 2; up++) {
			http_rig_start(http_flow_start);
			(void)snprintf(head, sizeof(head), up ? POST_TEXT "Content-Length: %zu\r\n\r\n" : GET, total);
			http_rig_ask(head);
			if (!up) {
				(void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
				http_rig_reply(0, head);
			}
			buf_reset(&http_rig.got);
			buf_reset(&http_rig.origin_got[0]);
			CHECK_INT(slow_reader_gets(total, up), total);
			http_rig_end();
		}
	}
}

TEST(an_idle_flow_keeps_no_buffers)
{
	struct http_flow *f;

	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	f = (struct http_flow *)http_rig.flow;
	CHECK_INT(f->guest.in.cap + f->guest.out.cap + f->upstream.in.cap + f->upstream.out.cap + f->canon.cap + f->held.cap, 0);
	CHECK(sizeof(*f) < 4096);
	http_rig_end();
}

/* L10 */
TEST(a_safe_request_on_a_dying_connection_is_sent_once_more)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.origin_got[0]);
	buf_reset(&http_rig.got);
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig.hold_events = false;
	loop_later(http_rig.loop, &http_rig.later, http_rig_from_loop, &http_rig);
	must(loop_turn(http_rig.loop, 0, NULL) == 0); /* the request leaves ... */
	http_rig.origin[0] = fd_close(http_rig.origin[0]); /* ... and meets a closed door */
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), ORIGIN_GET);
	http_rig_reply(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	CHECK_INT(http_rig.n_events, 2);
	http_rig_end();
}

TEST(a_safe_request_is_not_sent_a_third_time)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.got);
	http_rig_ask(GET);
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 2);
	http_rig.origin[1] = fd_close(http_rig.origin[1]);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK(strncmp(http_rig.events[2], "failed upstream_closed", 22) == 0);
	http_rig_end();
}

TEST(an_unsafe_request_on_a_dying_connection_is_answered_502_and_never_sent_twice)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.got);
	http_rig_ask(POST "Content-Length: 0\r\n\r\n");
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 1);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	http_rig_end();
}

TEST(a_request_that_a_kept_connection_has_begun_to_answer_is_not_sent_once_more)
{
	static const char *const begun[] = { "HTTP/1.1 2", "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi" };

	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
		http_rig_start(http_flow_start);
		http_rig_ask(GET);
		http_rig_reply(0, OK);
		http_rig_ask(GET);
		http_rig_reply(0, begun[i]);
		http_rig.origin[0] = fd_close(http_rig.origin[0]);
		http_rig_settle();
		if (!CHECK_INT(http_rig.n_dials, 1) | !CHECK(strncmp(http_rig.events[2], "failed upstream_", 16) == 0))
			printf("# %zu\n", i);
		http_rig_end();
	}
}

TEST(a_kept_connection_that_closed_while_idle_is_not_used)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.got);
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	http_rig_ask(POST "Content-Length: 0\r\n\r\n");
	CHECK_INT(http_rig.n_dials, 2);
	http_rig_reply(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_end();
}

TEST(a_kept_connection_that_closes_while_the_event_is_written_costs_nothing)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.got);
	http_rig.hold_events = true;
	http_rig_ask(POST "Content-Length: 0\r\n\r\n");
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	http_rig.hold_events = false;
	loop_later(http_rig.loop, &http_rig.later, http_rig_from_loop, &http_rig);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK_INT(http_rig.n_events, 2);
	http_rig_reply(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_end();
}

TEST(a_connection_that_the_old_policy_vetted_carries_nothing_under_the_new_one)
{
	http_rig_start(http_flow_start);
	http_rig.hold_dials = true;
	http_rig_ask(GET);
	http_rig_policy_changes(false);
	http_rig.hold_dials = false;
	http_rig_from_loop(NULL);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK(http_rig_origin_at_end(0));
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), ORIGIN_GET);
	CHECK_INT(http_rig.n_events, 1);
	http_rig_reply(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_end();

	http_rig_start(http_flow_start);
	http_rig.hold_dials = true;
	http_rig_ask(GET);
	http_rig_policy_changes(true);
	http_rig.hold_dials = false;
	http_rig_from_loop(NULL);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 1);
	CHECK(http_rig_origin_at_end(0));
	CHECK(strncmp(http_rig.events[0], "denied name_not_listed GET /ok", 30) == 0);
	CHECK_INT(http_rig.n_events, 1);
	http_rig_end();
}

TEST(a_request_wears_the_credential_of_the_policy_that_judged_it_last)
{
	http_rig_start(http_flow_start);
	http_rig.secret = "s3cret";
	http_rig.hold_dials = true;
	http_rig_ask(GET);
	http_rig.entry.credential = 0;
	http_rig_policy_changes(false);
	http_rig.hold_dials = false;
	http_rig_from_loop(NULL);
	http_rig_settle();
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), "GET /ok HTTP/1.1\r\n" HOST "Authorization: Bearer s3cret\r\n\r\n");
	http_rig_end();
}

TEST(another_host_behind_the_name_holds_from_the_next_request_on)
{
	const struct policy_entry entry = {
		.mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE, .upstream = bytes_str("api.model.test"), .upstream_port = 80
	};

	http_rig_start_entry(http_flow_start, &entry);
	http_rig_ask(GET);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "GET /ok HTTP/1.1\r\nHost: api.model.test\r\n\r\n");
	http_rig.entry.upstream = bytes_str("next.model.test");
	http_rig.entry.upstream_port = 8080;
	http_rig_policy_changes(false);
	http_rig_reply(0, OK); /* what was sent before ends in its own time */
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_dials, 2);
	CHECK(http_rig_origin_at_end(0));
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), "GET /ok HTTP/1.1\r\nHost: next.model.test:8080\r\n\r\n");
	http_rig_reply(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_end();
}

static void log_takes_it(void)
{
	http_rig.hold_events = false;
	http_rig_from_loop(NULL);
	http_rig_settle();
}

TEST(what_the_old_policy_allowed_and_recorded_is_asked_of_the_new_one_before_it_goes)
{
	http_rig_start(http_flow_start);
	http_rig.secret = "s3cret";
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig.entry.credential = 0;
	http_rig_policy_changes(false);
	log_takes_it();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK(http_rig_origin_at_end(0));
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), "GET /ok HTTP/1.1\r\n" HOST "Authorization: Bearer s3cret\r\n\r\n");
	CHECK_INT(http_rig.n_events, 2);
	http_rig_end();

	http_rig_start(http_flow_start);
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig_policy_changes(true);
	log_takes_it();
	CHECK_INT(http_rig.n_dials, 1);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "");
	CHECK(http_rig_origin_at_end(0));
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
	CHECK(strncmp(http_rig.events[1], "denied name_not_listed GET /ok", 30) == 0);
	CHECK_INT(http_rig.n_events, 2);
	http_rig_end();
}

static const struct policy_entry with_credential = { .mode = POLICY_HTTP, .rule = { (const uint8_t *)"site", 4 }, .credential = 0 };

TEST(a_request_that_is_sent_once_more_wears_its_credential_again_and_not_the_guests_own)
{
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.origin_got[0]);
	http_rig_ask("GET /ok HTTP/1.1\r\n" HOST "Authorization: mine\r\nCookie: mine\r\n\r\n");
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), "GET /ok HTTP/1.1\r\n" HOST "Authorization: Bearer s3cret\r\n\r\n");
	http_rig_end();
}

TEST(a_request_that_would_be_sent_once_more_under_another_policy_is_asked_of_it)
{
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	http_rig_ask("GET /ok HTTP/1.1\r\n" HOST "Authorization: mine\r\n\r\n");
	http_rig.entry.credential = POLICY_NONE;
	http_rig.entry.rule = bytes_str("other");
	http_rig_policy_changes(false);
	http_rig.hold_events = true;
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), ""); /* not before the new verdict is on record */
	CHECK_INT(http_rig.n_events, 3);
	http_rig_end();
}

TEST(a_request_that_would_be_sent_once_more_and_that_the_new_policy_denies_is_refused_as_any_other)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.got);
	http_rig_ask(GET);
	http_rig.shut = true;
	http_rig_policy_changes(false);
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_INT(http_rig.n_dials, 1);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[2], "denied path_not_listed GET /ok", 30) == 0);
	http_rig_end();
}

TEST(the_event_of_a_request_names_the_credential_that_was_spent_and_no_other_event_does)
{
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig_ask(GET);
	CHECK_STR(http_rig.events[0], "allowed ok GET /ok site/1 (read) 0 with token");
	http_rig_reply(0, OK);
	http_rig_ask("GET /no HTTP/1.1\r\n" HOST "\r\n");
	CHECK_INT(http_rig.n_events, 2);
	CHECK(!strstr(http_rig.events[1], "with token"));
	http_rig_end();
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "";
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(!strstr(http_rig.events[0], "with token"));
	http_rig_end();
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	CHECK_STR(http_rig.events[0], "allowed ok GET /ok site/1 (read) 0");
	http_rig_end();
}

TEST(what_ends_a_request_that_went_with_a_credential_names_it_and_what_ends_one_before_it_went_does_not)
{
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig_ask(GET);
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK(strstr(http_rig.events[http_rig.n_events - 1], "failed upstream_closed") && strstr(http_rig.events[http_rig.n_events - 1], " with token"));
	http_rig_end();
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig.entry.credential = POLICY_NONE;
	http_rig_policy_changes(true);
	log_takes_it();
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "denied ", 7) == 0 && !strstr(http_rig.events[1], " with token"));
	http_rig_end();
}

TEST(what_never_went_or_does_not_go_once_more_names_no_credential)
{
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig.dial_refusal = REASON_ROLE_DOWN;
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "denied ", 7) == 0 && !strstr(http_rig.events[0], " with token"));
	http_rig_end();
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	http_rig_ask(GET);
	CHECK(strstr(http_rig.events[1], " with token"));
	http_rig.shut = true;
	http_rig_policy_changes(false);
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[2], "denied ", 7) == 0 && !strstr(http_rig.events[2], " with token"));
	http_rig_end();
}

TEST(a_connection_that_carried_a_credential_which_was_replaced_while_the_event_is_written_is_not_used)
{
	http_rig_start_entry(http_flow_start, &with_credential);
	http_rig.secret = "s3cret";
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.origin_got[0]);
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig.secret = "fresh";
	http_rig.rotations++;
	http_rig.flow->ops->on_secret(http_rig.flow, bytes_str("token"));
	log_takes_it();
	CHECK_INT(http_rig.n_dials, 2);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), "GET /ok HTTP/1.1\r\n" HOST "Authorization: Bearer fresh\r\n\r\n");
	http_rig_end();
}

TEST(what_outlet_writes_with_a_secret_in_it_leaves_no_copy_behind)
{
	struct http_flow *f;

	http_rig_start_outlet(http_flow_start);
	f = (struct http_flow *)http_rig.flow;
	CHECK(f->wire.wipes && f->upstream.out.wipes);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	CHECK(f->wire.wipes && f->upstream.out.wipes);
	http_rig_end();
}

#define AS_JUDGED "GET /ok HTTP/1.1\r\n" HOST "X-A: b\r\n"

TEST(what_inlet_takes_out_on_the_way_to_outlet_it_says_in_the_last_field)
{
	http_rig_start(http_flow_start);
	http_rig.guarded = true;
	http_rig_ask(AS_JUDGED "Proxy-Authorization: mine\r\nSaw-Stripped: lies\r\nVia: x\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), AS_JUDGED "Saw-Stripped: proxy-authorization, saw-stripped, via\r\n\r\n");
	CHECK_INT(http_rig.n_events, 0);
	http_rig_end();

	http_rig_start(http_flow_start);
	http_rig.guarded = true;
	http_rig_ask("GET /ok?a=1&api_key=mine HTTP/1.1\r\n" HOST "\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "GET /ok?a=1 HTTP/1.1\r\n" HOST "Saw-Stripped: query\r\n\r\n");
	http_rig_end();
}

TEST(outlet_writes_down_what_inlet_took_out_and_the_host_hears_nothing_of_it)
{
	http_rig_start_outlet(http_flow_start);
	http_rig_ask(AS_JUDGED "Saw-Stripped: proxy-authorization, query\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), AS_JUDGED "\r\n");
	CHECK_STR(http_rig.events[0], "allowed ok GET /ok site/1 (read) 0 stripped: proxy-authorization, query");
	http_rig_end();
}

TEST(outlet_takes_inlets_word_at_the_end_of_a_head_and_nowhere_else)
{
	static const char *const heads[] = {
		"GET /ok HTTP/1.1\r\n" HOST "Saw-Stripped: a\r\nX-A: b\r\n\r\n", AS_JUDGED "Saw-Stripped: a\r\nSaw-Stripped: b\r\n\r\n",
		AS_JUDGED "saw-stripped: a\r\n\r\n", AS_JUDGED "Saw-Stripped:  a\r\n\r\n", AS_JUDGED "Saw-Stripped: a \r\n\r\n",
		AS_JUDGED "Saw-Other: a\r\n\r\n", AS_JUDGED "Via: x\r\nSaw-Stripped: via\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		http_rig_start_outlet(http_flow_start);
		http_rig_ask(heads[i]);
		CHECK_INT(http_rig.n_dials, 0);
		if (!CHECK(strncmp(http_rig.events[0], "denied not_canonical ", 21) == 0))
			printf("# head %zu: %s\n", i, http_rig.events[0]);
		http_rig_end();
	}
}

TEST(outlet_takes_the_clients_own_credentials_out_where_it_adds_none_too)
{
	http_rig_start_outlet(http_flow_start);
	http_rig_ask(AS_JUDGED "Authorization: mine\r\nX_Api_Key: mine\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), AS_JUDGED "\r\n");
	CHECK_STR(http_rig.events[0], "allowed ok GET /ok site/1 (read) 0 stripped: authorization, x_api_key");
	http_rig_end();
}

TEST(a_trailer_of_the_credentials_name_does_not_follow_it)
{
	http_rig_start(http_flow_start);
	http_rig.secret = "s3cret";
	http_rig.header = "X-Team";
	http_rig.entry.credential = 0;
	http_rig_policy_changes(false);
	http_rig_ask(CHUNKED "1\r\na\r\n0\r\nX_Team: mine\r\nX-Sum: 1\r\nx-team: mine\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "POST /ok HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nX-Team: Bearer s3cret\r\n\r\n"
							  "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n");
	http_rig_end();
}

TEST(an_answer_cut_short_resets_the_guest)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK(!strstr(buf_cstr(&http_rig.got), "0\r\n\r\n"));
	CHECK(!http_rig.flow);
	CHECK(strncmp(http_rig.events[1], "failed upstream_closed", 22) == 0);
	http_rig_end();
}
