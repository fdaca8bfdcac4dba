#include "proxy/http_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/clock_kit.h"
#include "os/fd.h"

TEST(a_refusal_by_dialer_is_its_event_alone)
{
	http_rig_start(http_flow_start);
	http_rig.dial_refusal = REASON_ADDRESS_FORBIDDEN;
	http_rig_ask(GET);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
	CHECK(strstr(buf_cstr(&http_rig.got), "address_not_permitted"));
	CHECK_INT(http_rig.n_events, 0);
	http_rig_end();
	http_rig_start(http_flow_start);
	http_rig.dial_refusal = REASON_CONNECT_FAILED;
	http_rig_ask(GET);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK_INT(http_rig.n_events, 0);
	http_rig_end();
	http_rig_start(http_flow_start);
	http_rig.dial_refusal = REASON_ROLE_DOWN;
	http_rig_ask(GET);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "denied gateway_role_down GET /ok", 32) == 0);
	http_rig_end();
}

TEST(what_cannot_be_recorded_does_not_happen)
{
	http_rig_start(http_flow_start);
	http_rig.log_full = true;
	http_rig_ask(GET);
	CHECK_INT(http_rig.origin_got[0].len, 0);
	CHECK(http_rig_origin_at_end(0));
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK(strstr(buf_cstr(&http_rig.got), "audit_not_writable"));
	http_rig_end();
}

TEST(an_observing_entry_lets_through_and_says_so)
{
	http_rig_start(http_flow_start);
	http_rig_ask("GET /watched HTTP/1.1\r\n" HOST "\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "GET /watched HTTP/1.1\r\nHost: good.example\r\n\r\n");
	CHECK_STR(http_rig.events[0], "observed path_not_listed GET /watched site 0");
	http_rig_end();
}

TEST(an_observing_entry_says_so_of_all_that_it_judges)
{
	const struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE, .observe = true };

	http_rig_start_entry(http_flow_start, &entry);
	http_rig_ask(GET);
	CHECK_STR(http_rig.events[0], "observing allowed ok GET /ok site/1 (read) 0");
	http_rig_end();
	http_rig_start_entry(http_flow_start, &entry);
	http_rig_ask("GET /watched HTTP/1.1\r\n" HOST "\r\n");
	CHECK_STR(http_rig.events[0], "observing observed path_not_listed GET /watched site 0");
	http_rig_end();
	CHECK_STR(http_rig.events[1], "observing closed ok   site 0");
}

TEST(every_wait_has_an_end_with_its_own_reason)
{
	static const struct {
		const char *request;
		const char *answer; /* of the origin, or NULL */
		const char *status; /* of the last answer; NULL: reset */
		const char *event; /* the last but the flow's own end */
		bool hold_dials;
		bool hold_events;
	} vectors[] = {
		{ "", NULL, "HTTP/1.1 408 ", "denied first_bytes_timeout ", false, false },
		{ "GET /ok HT", NULL, "HTTP/1.1 408 ", "denied request_timeout ", false, false },
		{ CHUNKED, NULL, "HTTP/1.1 408 ", "denied request_timeout POST /ok ", false, false },
		{ CHUNKED "5;ext", NULL, "HTTP/1.1 408 ", "denied request_timeout POST /ok ", false, false },
		{ POST_TEXT "Content-Length: 5\r\n\r\nhe", NULL, "HTTP/1.1 408 ", "failed request_timeout POST /ok ", false, false },
		{ GET, NULL, "HTTP/1.1 504 ", "failed upstream_timeout GET /ok ", false, false },
		{ GET, NULL, "HTTP/1.1 504 ", "denied upstream_timeout GET /ok ", true, false },
		{ GET, NULL, "HTTP/1.1 503 ", "failed audit_not_writable GET /ok ", false, true },
		{ GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", NULL, "failed upstream_timeout GET /ok ", false, false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		bool good;

		http_rig_start(http_flow_start);
		http_rig.hold_dials = vectors[i].hold_dials;
		http_rig.hold_events = vectors[i].hold_events;
		if (vectors[i].request[0])
			http_rig_ask(vectors[i].request);
		if (vectors[i].answer)
			http_rig_reply(0, vectors[i].answer);
		buf_reset(&http_rig.got);
		http_rig_time_passes();
		good = CHECK(vectors[i].status ? strncmp(buf_cstr(&http_rig.got), vectors[i].status, 13) == 0 : !http_rig.flow);
		good = CHECK(strncmp(http_rig.events[http_rig.n_events - 1 - !http_rig.flow], vectors[i].event, strlen(vectors[i].event)) == 0) && good;
		if (!good)
			printf("# vector %zu: %s, %s\n", i, http_rig.events[http_rig.n_events - 1], buf_cstr(&http_rig.got));
		http_rig_end();
	}
}

TEST(a_host_may_think_for_minutes_while_its_guest_waits)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	kit_clock_moves(HTTP_FLOW_ANSWER_MS - 1);
	http_rig_settle();
	CHECK_INT(http_rig.got.len, 0);
	http_rig_reply(0, OK);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 200 ", 13) == 0);
	buf_reset(&http_rig.got);
	http_rig_ask(GET); /* and the same again, but for ever */
	kit_clock_moves(HTTP_FLOW_ANSWER_MS);
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0);
	http_rig_end();
}

TEST(interim_answers_win_a_host_no_time)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	for (int i = 0; i < 3; i++) {
		kit_clock_moves(HTTP_FLOW_ANSWER_MS / 4);
		http_rig_reply(0, "HTTP/1.1 102 Processing\r\n\r\n");
	}
	CHECK_INT(http_rig.got.len, 0);
	kit_clock_moves(HTTP_FLOW_ANSWER_MS / 4);
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0);
	http_rig_end();
}

TEST(a_host_that_has_begun_its_head_has_thought_enough)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	kit_clock_moves(HTTP_FLOW_STALL_MS * 5);
	http_rig_reply(0, "HTTP/1.1 200 OK\r\n");
	kit_clock_moves(HTTP_FLOW_STALL_MS - 1);
	http_rig_settle();
	CHECK_INT(http_rig.got.len, 0);
	kit_clock_moves(1);
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0);
	http_rig_end();
}

/* Nothing is written to a guest meanwhile, so that nobody would know that it has left. */
TEST(an_answer_whose_head_does_not_end_is_late_however_steadily_it_comes)
{
	static const char *const pieces[] = { "HTTP/1.1 200 OK\r\n", "X: ", "y", "y" };

	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		kit_clock_moves(HTTP_FLOW_STALL_MS / 5);
		http_rig_reply(0, pieces[i]);
	}
	CHECK_INT(http_rig.got.len, 0);
	kit_clock_moves(HTTP_FLOW_STALL_MS / 5 * 2); /* from the first piece on */
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 504 ", 13) == 0);
	(void)shutdown(http_rig.guest, SHUT_WR);
	http_rig_settle();
	CHECK(http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[1], "failed upstream_timeout GET /ok ", 32) == 0);
	CHECK(strncmp(http_rig.events[2], "closed ok", 9) == 0);
	http_rig_end();
}

/* As it does for a record of TLS in which no byte of HTTP is. */
static void woken(void)
{
	http_flow_pump((struct http_flow *)http_rig.flow);
	http_rig_settle();
}

TEST(the_time_for_a_head_begins_with_its_first_byte_and_never_again)
{
	static const char *const begins[] = { "\r", "G", "GET /ok HTTP/1.1\r\n\r" };

	for (size_t i = 0; i < 2 * sizeof(begins) / sizeof(begins[0]); i++) {
		kit_clock_stops();
		http_rig_start(http_flow_start);
		if (i % 2) { /* behind another request */
			http_rig_ask(GET);
			http_rig_reply(0, OK);
			buf_reset(&http_rig.got);
		}
		http_rig_ask(begins[i / 2]);
		kit_clock_moves(HTTP_FLOW_HEAD_MS - 1);
		http_rig_settle();
		woken();
		CHECK_INT(http_rig.got.len, 0);
		kit_clock_moves(1);
		http_rig_settle();
		if (!CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 408 ", 13) == 0))
			printf("# beginning %zu\n", i);
		http_rig_end();
	}
}

TEST(a_head_that_begins_behind_another_request_has_its_time_too)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(GET "G");
	kit_clock_moves(HTTP_FLOW_HEAD_MS);
	http_rig_settle();
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	kit_clock_moves(HTTP_FLOW_HEAD_MS - 1);
	http_rig_settle();
	woken();
	CHECK_INT(http_rig.got.len, 0);
	kit_clock_moves(1);
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 408 ", 13) == 0);
	http_rig_end();
}

TEST(an_idle_connection_ends_without_a_word)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.got);
	http_rig_time_passes();
	CHECK(http_rig_guest_at_end() && !http_rig.flow);
	CHECK_INT(http_rig.n_events, 2);
	http_rig_end();
}

/* K3 */
TEST(a_new_policy_closes_an_idle_flow_that_it_no_longer_lists)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	http_rig_policy_changes(false);
	CHECK(http_rig.flow != NULL);
	http_rig_policy_changes(true);
	CHECK(http_rig_guest_at_end());
	http_rig_end();
}

static void exchange(void)
{
	http_rig_ask(GET);
	http_rig_reply(http_rig.n_dials - 1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
}

TEST(a_kept_connection_outlives_a_policy_that_would_make_it_again)
{
	http_rig_start(http_flow_start);
	exchange();
	http_rig_policy_changes(false);
	exchange();
	CHECK_INT(http_rig.n_dials, 1);
	http_rig_end();
}

TEST(a_kept_connection_ends_with_what_it_was_connected_by)
{
	for (unsigned i = 0; i < 5; i++) {
		http_rig_start(http_flow_start);
		http_rig.secret = "s3cret";
		exchange();
		http_rig.moved = i == 0;
		http_rig.guarded = i == 1;
		http_rig.entry.credential = i == 2 ? 0 : POLICY_NONE;
		http_rig.entry.ca = bytes_str(i == 3 ? "another" : "");
		http_rig.entry.upstream = bytes_str(i == 4 ? "elsewhere.example" : "");
		http_rig_policy_changes(false);
		CHECK(http_rig_origin_at_end(0));
		exchange();
		CHECK_INT(http_rig.n_dials, 2);
		http_rig_end();
	}
}

TEST(an_address_that_dialer_was_told_of_sooner_than_we_is_judged_by_the_policies_that_follow)
{
	http_rig_start(http_flow_start);
	http_rig.moved = true;
	exchange();
	http_rig.moved = false;
	http_rig_policy_changes(false);
	exchange();
	CHECK_INT(http_rig.n_dials, 1);
	http_rig.moved = true;
	http_rig_policy_changes(false);
	CHECK(http_rig_origin_at_end(0));
	exchange();
	CHECK_INT(http_rig.n_dials, 2);
	http_rig_end();
}

TEST(a_request_in_flight_ends_in_its_own_time_and_is_the_last)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_policy_changes(true);
	http_rig_reply(0, OK);
	CHECK(strstr(buf_cstr(&http_rig.got), "Connection: close\r\n") && strstr(buf_cstr(&http_rig.got), "hi"));
	CHECK(http_rig_guest_at_end() && http_rig_origin_at_end(0));
	http_rig_end();
}

static void later(uint64_t ms)
{
	kit_clock_moves(ms);
	http_rig_settle();
}

/* Of a name that the policy no longer lists. */
static void in_the_middle(const char *answered)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, answered);
	buf_reset(&http_rig.got);
}

static void leave_in_the_middle(const char *answered)
{
	in_the_middle(answered);
	http_rig_policy_changes(true);
}

/* Its answer comes from this origin. */
static void goes_on_from(unsigned origin, unsigned n_events)
{
	later(2 * (uint64_t)HTTP_FLOW_LEAVE_MS);
	http_rig_reply(origin, "more");
	CHECK_STR(http_rig_seen(&http_rig.got), "more");
	CHECK_INT(http_rig.n_events, n_events);
	http_rig_end();
}

static void goes_on(void)
{
	goes_on_from(0, 1);
}

#define LONG "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
#define CUT "denied policy_changed GET /ok"

static void is_cut_by_now(void)
{
	later(HTTP_FLOW_LEAVE_MS);
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK(strncmp(http_rig.events[1], CUT, strlen(CUT)) == 0);
	CHECK_INT(http_rig.n_events, 3);
	http_rig_end();
}

TEST(a_request_of_a_name_that_the_policy_took_away_is_cut_at_its_deadline_however_much_it_moves)
{
	leave_in_the_middle(LONG);
	later(HTTP_FLOW_LEAVE_MS - 1);
	http_rig_reply(0, "more");
	CHECK_STR(http_rig_seen(&http_rig.got), "more");
	CHECK_INT(http_rig.n_events, 1);
	later(1);
	CHECK(!http_rig.flow && http_rig_guest_at_end() && http_rig_origin_at_end(0));
	CHECK_INT(http_rig.got.len, 0);
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[1], CUT, strlen(CUT)) == 0);
	CHECK(strncmp(http_rig.events[2], "closed ok", 9) == 0);
	http_rig_end();
}

TEST(a_request_that_has_no_answer_by_that_deadline_is_told_why)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(POST_TEXT "Content-Length: 99\r\n\r\nsome");
	http_rig_policy_changes(true);
	later(HTTP_FLOW_LEAVE_MS - 1);
	http_rig_ask("more");
	CHECK(strstr(buf_cstr(&http_rig.origin_got[0]), "somemore"));
	CHECK_INT(http_rig.got.len, 0);
	later(1);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0 && strstr(buf_cstr(&http_rig.got), "policy_changed"));
	CHECK(http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "denied policy_changed POST /ok", 30) == 0);
	http_rig_end();
}

TEST(another_change_of_policy_does_not_prolong_the_deadline)
{
	leave_in_the_middle(LONG);
	later(HTTP_FLOW_LEAVE_MS - 1);
	http_rig_policy_changes(true);
	later(1);
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	http_rig_end();
}

TEST(a_request_that_ended_before_the_deadline_is_not_touched_by_it)
{
	leave_in_the_middle("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi");
	later(HTTP_FLOW_LEAVE_MS - 1);
	http_rig_reply(0, "ho");
	CHECK_STR(http_rig_seen(&http_rig.got), "ho");
	later(1);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(http_rig_guest_at_end()); /* in order: it was the last */
	http_rig_end();
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "closed ok", 9) == 0);
}

TEST(a_request_whose_name_is_listed_again_in_time_goes_on)
{
	leave_in_the_middle(LONG);
	later(HTTP_FLOW_LEAVE_MS - 1);
	http_rig_policy_changes(false);
	goes_on();
}

TEST(a_request_of_a_name_that_is_still_listed_has_no_such_deadline)
{
	in_the_middle(LONG);
	http_rig.moved = true;
	http_rig_policy_changes(false);
	goes_on();
}

/* Of a name that is still listed. */
static void shut_in_the_middle(const char *asked)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(asked);
	http_rig_reply(0, LONG);
	buf_reset(&http_rig.got);
	http_rig.shut = true;
	http_rig_policy_changes(false);
}

/* A long answer, an upload that goes on, a call: whatever moves. */
TEST(a_request_whose_path_the_policy_took_away_is_cut_at_the_same_deadline)
{
	static const char *const asked[] = { GET, POST_TEXT "Content-Length: 99\r\n\r\nsome", POST_TEXT "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n" };

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		shut_in_the_middle(asked[i]);
		later(HTTP_FLOW_LEAVE_MS - 1);
		http_rig_reply(0, "more");
		CHECK_STR(http_rig_seen(&http_rig.got), "more");
		http_rig_policy_changes(false); /* prolongs nothing */
		CHECK_INT(http_rig.n_events, 1);
		later(1);
		if (!CHECK(!http_rig.flow && http_rig_guest_at_end() && http_rig_origin_at_end(0)))
			printf("# request %zu\n", i);
		CHECK_INT(http_rig.n_events, 3);
		CHECK(strncmp(http_rig.events[1], "denied policy_changed ", 22) == 0 && strstr(http_rig.events[1], " /ok site/1 (read) "));
		CHECK(strncmp(http_rig.events[2], "closed ok", 9) == 0);
		http_rig_end();
	}
}

TEST(a_request_that_a_policy_allows_again_in_time_goes_on)
{
	shut_in_the_middle(GET);
	later(HTTP_FLOW_LEAVE_MS - 1);
	http_rig.shut = false;
	http_rig_policy_changes(false);
	goes_on();
}

TEST(a_request_whose_path_was_taken_away_leaves_its_connection_to_the_next_one)
{
	shut_in_the_middle(GET);
	http_rig_reply(0, "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678");
	buf_reset(&http_rig.got);
	http_rig.shut = false; /* without a word to the flow, which would end the deadline */
	http_rig_ask(GET);
	http_rig_reply(0, LONG);
	buf_reset(&http_rig.got);
	CHECK_INT(http_rig.n_dials, 1);
	goes_on_from(0, 2);
}

TEST(a_request_whose_body_the_new_policy_would_read_goes_on_when_that_is_gone)
{
	in_the_middle(LONG);
	http_rig.reads = true;
	http_rig_policy_changes(false);
	goes_on();
}

TEST(a_request_that_the_new_policy_only_observes_goes_on)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask("GET /watched HTTP/1.1\r\n" HOST "\r\n");
	http_rig_reply(0, LONG);
	buf_reset(&http_rig.got);
	http_rig_policy_changes(false);
	goes_on();
}

/* Who talks to the host cuts it: one event. */
TEST(a_request_whose_path_was_taken_away_is_cut_by_outlet_where_it_goes_through_it)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig.guarded = true;
	http_rig_ask(GET);
	http_rig_reply(0, LONG);
	http_rig.shut = true;
	http_rig_policy_changes(false);
	later(HTTP_FLOW_LEAVE_MS);
	CHECK(http_rig.flow && !http_rig_guest_at_end());
	CHECK_INT(http_rig.n_events, 0);
	http_rig_end();

	http_rig_start_outlet(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, LONG);
	http_rig.shut = true;
	http_rig_policy_changes(false);
	is_cut_by_now();
}

/* --- credentials that are replaced while they are in use --- */

static void rotate_in_the_middle(const char *asked)
{
	const struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = 0 };

	kit_clock_stops();
	http_rig_start_entry(http_flow_start, &entry);
	http_rig.secret = "s3cret";
	http_rig_ask(asked);
	CHECK(strstr(buf_cstr(&http_rig.origin_got[0]), "Bearer s3cret"));
	buf_reset(&http_rig.origin_got[0]);
	http_rig.secret = "fresh";
	http_rig.rotations++;
	http_rig.flow->ops->on_secret(http_rig.flow, bytes_str("token"));
	http_rig_settle();
}

TEST(h14_a_body_without_a_length_ends_with_the_credential_that_it_was_sent_with)
{
	rotate_in_the_middle(POST_TEXT "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0 && strstr(buf_cstr(&http_rig.got), "credential_not_available"));
	http_rig_ask("4\r\nlate\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "");
	CHECK(http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "failed credential_not_available POST /ok", 40) == 0);
	http_rig_end();
}

TEST(h14_every_other_exchange_with_it_ends_within_a_minute_however_much_it_moves)
{
	static const char *const asked[] = { GET, POST_TEXT "Content-Length: 99\r\n\r\nsome", CHUNKED "4\r\nsome\r\n0\r\n\r\n" };

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		rotate_in_the_middle(asked[i]);
		http_rig_reply(0, LONG);
		buf_reset(&http_rig.got);
		later(HTTP_FLOW_LEAVE_MS - 1);
		http_rig_reply(0, "more");
		CHECK_STR(http_rig_seen(&http_rig.got), "more");
		CHECK_INT(http_rig.n_events, 1);
		http_rig_policy_changes(false); /* prolongs nothing, nor does another rotation */
		http_rig.rotations++;
		http_rig.flow->ops->on_secret(http_rig.flow, bytes_str("token"));
		later(1);
		CHECK(!http_rig.flow && http_rig_guest_at_end() && http_rig_origin_at_end(0));
		CHECK_INT(http_rig.n_events, 3);
		CHECK(strncmp(http_rig.events[1], "failed credential_not_available ", 32) == 0);
		CHECK(strncmp(http_rig.events[2], "closed ok", 9) == 0);
		http_rig_end();
	}
}

TEST(h14_a_request_that_ends_in_time_is_followed_by_one_with_the_new_credential_and_no_deadline)
{
	rotate_in_the_middle(GET);
	later(HTTP_FLOW_LEAVE_MS - 1);
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_dials, 2);
	CHECK(strstr(buf_cstr(&http_rig.origin_got[1]), "Bearer fresh"));
	http_rig_reply(1, LONG);
	buf_reset(&http_rig.got);
	goes_on_from(1, 2);
}

/* Who dressed it cuts it, and says so; the other hears the end. */
TEST(a_request_through_outlet_is_cut_there_alone)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig.guarded = true;
	http_rig_ask(GET);
	http_rig_reply(0, LONG);
	http_rig_policy_changes(true);
	later(HTTP_FLOW_LEAVE_MS);
	CHECK(http_rig.flow && !http_rig_guest_at_end());
	http_rig.origin[0] = fd_close(http_rig.origin[0]); /* outlet's word */
	http_rig_settle();
	CHECK(!http_rig.flow && http_rig_guest_at_end());
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "closed ok", 9) == 0);
	http_rig_end();

	http_rig_start_outlet(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, LONG);
	http_rig_policy_changes(true);
	is_cut_by_now();
}

TEST(a_request_that_waits_for_its_connection_is_judged_again_by_the_new_policy)
{
	http_rig_start(http_flow_start);
	http_rig.hold_dials = true;
	http_rig_ask(GET);
	http_rig_policy_changes(true);
	http_rig.hold_dials = false;
	loop_later(http_rig.loop, &http_rig.later, http_rig_from_loop, &http_rig);
	http_rig_settle();
	CHECK_INT(http_rig.origin_got[0].len, 0);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "denied name_not_listed GET /ok", 30) == 0);
	http_rig_end();
}

TEST(a_guest_that_leaves_takes_everything_with_it)
{
	http_rig_start(http_flow_start);
	http_rig.hold_dials = true;
	http_rig_ask(GET);
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	CHECK(!http_rig.flow && !http_rig.dial_wait);
	http_rig_end();
	CHECK_INT(http_rig.n_events, 0);
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	http_rig_end();
}

static void guest_hangs_up(void)
{
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	CHECK(!http_rig.flow);
	http_rig_end();
}

/* The host is heard first: its answer finds nobody. */
TEST(an_upload_is_cut_with_the_same_event_where_a_write_finds_its_guest_gone)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST_TEXT "Content-Length: 99\r\n\r\nsome");
	http_rig_reply(0, LONG);
	http_rig_put(http_rig.origin[0], "more");
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	CHECK(!http_rig.flow && http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[1], "failed guest_closed POST /ok", 28) == 0);
	CHECK(strncmp(http_rig.events[2], "closed ok", 9) == 0);
	http_rig_end();
}

#define ALLOWED "allowed ok GET /ok"
#define UNSENT "failed guest_closed GET /ok"

TEST(a_request_on_record_that_never_went_is_followed_by_one_event_that_says_so)
{
	http_rig_start(http_flow_start); /* its event waits for the log */
	http_rig.hold_events = true;
	http_rig_ask(GET);
	guest_hangs_up();
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[0], ALLOWED, strlen(ALLOWED)) == 0 && strncmp(http_rig.events[1], UNSENT, strlen(UNSENT)) == 0);

	http_rig_start(http_flow_start); /* ... then for a connection that the new policy would make */
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig.moved = true;
	http_rig_policy_changes(false);
	http_rig.hold_events = false;
	http_rig.hold_dials = true;
	http_rig_answers_last();
	http_rig_settle();
	CHECK(http_rig.dial_wait);
	guest_hangs_up();
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], UNSENT, strlen(UNSENT)) == 0);

	http_rig_start(http_flow_start); /* the log is late, and then takes it */
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig_time_passes();
	http_rig.hold_events = false;
	http_rig_answers_last();
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	http_rig_end();
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "failed audit_not_writable GET /ok", 33) == 0);
}

/* What another event tells, or nobody was told, needs no word. */
TEST(a_request_that_did_not_go_and_of_which_something_else_says_so_has_no_such_event)
{
	http_rig_start(http_flow_start); /* dialer does */
	http_rig.hold_events = true;
	http_rig_ask(GET);
	http_rig.moved = true;
	http_rig_policy_changes(false);
	http_rig.hold_events = false;
	http_rig.dial_refusal = REASON_ADDRESS_FORBIDDEN;
	http_rig_answers_last();
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
	guest_hangs_up();
	CHECK_INT(http_rig.n_events, 1);

	http_rig_start(http_flow_start); /* the event is not there */
	http_rig.log_full = true;
	http_rig_ask(GET);
	guest_hangs_up();
	CHECK_INT(http_rig.n_events, 1);

	http_rig_start(http_flow_start); /* it went */
	http_rig_ask(GET);
	guest_hangs_up();
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "closed ok", 9) == 0);
}

TEST(a_half_closed_guest_still_gets_its_answer)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	(void)shutdown(http_rig.guest, SHUT_WR);
	http_rig_settle();
	http_rig_reply(0, OK);
	CHECK(strstr(buf_cstr(&http_rig.got), "hi"));
	CHECK(http_rig_guest_at_end());
	http_rig_end();
}

TEST(a_connection_without_a_byte_leaves_no_event)
{
	http_rig_start(http_flow_start);
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	CHECK(!http_rig.flow);
	http_rig_end();
	CHECK_INT(http_rig.n_events, 0);
}
