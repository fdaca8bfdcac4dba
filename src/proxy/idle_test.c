#include "proxy/idle.h"

#include <sys/socket.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/clock_kit.h"
#include "os/fd.h"
#include "proxy/http_rig.h"

/* Connections between two flows, as the flows see them. */

#define UNASKED "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

/* Of a flow whose request was answered. */
static void keep_a_connection(bool guarded)
{
	http_rig_start(http_flow_start);
	http_rig.guarded = guarded;
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	buf_reset(&http_rig.origin_got[0]);
	buf_reset(&http_rig.got);
}

/* Of a guest that left then. */
static void leave_a_connection(void)
{
	keep_a_connection(false);
	http_rig_next(http_flow_start);
	CHECK(!http_rig_origin_at_end(0));
}

static void the_next_request_has_another(void)
{
	CHECK_INT(http_rig.n_dials, 2);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "");
	http_rig_reply(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_end();
}

TEST(the_next_flow_goes_on_with_the_connection_that_one_left_behind)
{
	leave_a_connection();
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_dials, 1);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	CHECK_INT(http_rig.n_events, 3); /* both requests, and the end of the first flow */
	http_rig_end();
}

TEST(a_request_that_cannot_be_sent_twice_begins_no_flow_on_a_connection_that_another_left_behind)
{
	leave_a_connection();
	http_rig_ask(POST "Content-Length: 0\r\n\r\n");
	the_next_request_has_another();
}

TEST(a_connection_whose_answer_was_not_over_carries_no_other_flow)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
	http_rig_next(http_flow_start);
	CHECK(http_rig_origin_at_end(0));
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_dials, 2);
	http_rig_end();
}

TEST(a_connection_that_no_policy_would_make_any_more_is_left_to_nobody)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	http_rig.moved = true;
	http_rig_policy_changes(false);
	http_rig_next(http_flow_start);
	CHECK(http_rig_origin_at_end(0));
	http_rig_end();
}

TEST(what_a_host_says_before_it_is_asked_is_no_answer_to_what_goes_then)
{
	for (int left_behind = 0; left_behind < 2; left_behind++) {
		if (left_behind)
			leave_a_connection();
		else
			keep_a_connection(false);
		http_rig.hold_events = true;
		http_rig_ask(GET);
		CHECK(http_rig.event_wait != NULL);
		http_rig_put(http_rig.origin[0], UNASKED);
		http_rig.hold_events = false;
		http_rig_answers_last(); /* the record is heard of in the turn in which the host is */
		http_rig_settle();
		CHECK_STR(http_rig_seen(&http_rig.origin_got[1]), ORIGIN_GET);
		the_next_request_has_another();
	}
}

TEST(a_connection_that_spoke_while_nobody_had_it_carries_no_other_flow)
{
	leave_a_connection();
	http_rig_reply(0, UNASKED);
	CHECK(http_rig_origin_at_end(0));
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_dials, 2);
	http_rig_end();
}

TEST(a_connection_to_outlet_is_of_one_flow_whose_name_outlet_writes_down)
{
	keep_a_connection(true);
	http_rig_next(http_flow_start);
	CHECK(http_rig_origin_at_end(0));
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_dials, 2);
	http_rig_end();
}

/* Such a request waits for no record, in which its host could be heard. */
TEST(what_a_host_says_in_the_turn_of_the_next_request_is_heard_before_it)
{
	keep_a_connection(true);
	http_rig_put(http_rig.guest, GET);
	http_rig_put(http_rig.origin[0], UNASKED);
	http_rig_settle();
	the_next_request_has_another();
}

/* --- how many, and for how long: the unit by itself, the clock in the test's hand --- */

static struct {
	struct loop *loop;
	struct idle_place at;
	struct http_side side; /* of a flow that goes or comes */
	int host[IDLE_MAX + 1]; /* the hosts' ends */
} kept;

static void nothing_to_do(void *owner, uint32_t events)
{
	(void)owner;
	(void)events;
}

static void begin(void)
{
	kit_clock_stops();
	kept.at = (struct idle_place){ .port = 443 };
	must(name_parse(bytes_str("good.example"), &kept.at.name) == NAME_OK);
	must(loop_new(&kept.loop, NULL) == 0);
	http_side_init(&kept.side, HTTP_SIDE_READ);
	for (size_t i = 0; i <= IDLE_MAX; i++)
		kept.host[i] = -1;
}

static void end(void)
{
	idle_clear();
	http_side_close(&kept.side);
	for (size_t i = 0; i <= IDLE_MAX; i++)
		kept.host[i] = fd_close(kept.host[i]);
	kept.loop = loop_free(kept.loop);
}

static void put_one(size_t i)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	kept.host[i] = pair[0];
	must(http_side_open(&kept.side, kept.loop, pair[1], NULL, nothing_to_do, NULL) == 0);
	idle_put(&kept.side, kept.loop, &kept.at);
	CHECK(!kept.side.open);
}

static bool is_left(size_t i)
{
	char c;

	return recv(kept.host[i], &c, 1, 0) == 0;
}

static bool take_one(void)
{
	struct idle_place at = kept.at;

	return idle_take(&kept.side, &at, true, nothing_to_do, NULL);
}

static void passes(uint64_t ms)
{
	kit_clock_moves(ms);
	kit_clock_turns(kept.loop);
}

TEST(so_many_connections_are_kept_and_no_more_and_the_oldest_goes_first)
{
	begin();
	CHECK_INT(IDLE_MAX, 64);
	for (size_t i = 0; i < IDLE_MAX; i++)
		put_one(i);
	for (size_t i = 0; i < IDLE_MAX; i++)
		CHECK(!is_left(i));
	put_one(IDLE_MAX);
	CHECK(is_left(0));
	for (size_t i = 1; i <= IDLE_MAX; i++)
		CHECK(!is_left(i));
	for (size_t i = 0; i < IDLE_MAX; i++) {
		CHECK(take_one());
		http_side_close(&kept.side);
	}
	CHECK(!take_one());
	end();
}

TEST(a_connection_is_kept_for_half_a_minute_and_no_longer)
{
	begin();
	CHECK_INT(IDLE_MS, 30000);
	put_one(0);
	passes(IDLE_MS / 2);
	put_one(1);
	passes(IDLE_MS / 2 - 1);
	CHECK(!is_left(0));
	passes(1);
	CHECK(is_left(0));
	CHECK(!is_left(1));
	passes(IDLE_MS / 2);
	CHECK(is_left(1));
	CHECK(!take_one());
	end();
}

TEST(a_connection_that_carried_another_flow_is_kept_for_half_a_minute_from_its_end_on)
{
	begin();
	put_one(0);
	passes(IDLE_MS - 1);
	CHECK(take_one());
	passes(IDLE_MS); /* what a flow has, no clock of ours takes from it */
	CHECK(!is_left(0));
	idle_put(&kept.side, kept.loop, &kept.at);
	passes(IDLE_MS - 1);
	CHECK(!is_left(0));
	passes(1);
	CHECK(is_left(0));
	end();
}

TEST(a_connection_to_a_host_of_another_name_is_not_taken)
{
	begin();
	put_one(0);
	must(name_parse(bytes_str("evil.example"), &kept.at.name) == NAME_OK);
	CHECK(!take_one());
	CHECK(!is_left(0));
	end();
}

TEST(a_connection_whose_host_has_spoken_or_left_since_is_not_taken)
{
	begin();
	put_one(0);
	put_one(1);
	must(send(kept.host[0], "x", 1, 0) == 1);
	kept.host[1] = fd_close(kept.host[1]);
	CHECK(!take_one());
	end();
}

TEST(the_youngest_connection_that_leads_there_is_taken)
{
	begin();
	put_one(0);
	put_one(1);
	kept.at.port = 444;
	put_one(2);
	kept.at.port = 443;
	CHECK(take_one());
	http_side_close(&kept.side);
	CHECK(is_left(1));
	CHECK(!is_left(0) && !is_left(2));
	end();
}
