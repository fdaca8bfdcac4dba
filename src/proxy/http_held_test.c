#include "proxy/http_rig.h"

#include <string.h>
#include <sys/socket.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/held.h"

/* What other flows hold is one charge of the test. */

enum { LARGE = 1024 * 1024 };

static size_t others;

static void others_hold(size_t all)
{
	held_set(&others, all - (held_total() - others));
}

static size_t ours(void)
{
	return held_total() - others;
}

static void over(void)
{
	http_rig_end();
	held_set(&others, 0);
	CHECK_INT(held_total(), 0);
}

/* As much of `text` as the socket takes. */
static size_t push(int fd, const char *text, size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len && (n = send(fd, text + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		at += (size_t)n;
	return at;
}

static void put_fields(size_t len)
{
	char line[1024];

	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	for (size_t n = 0; n < len; n += sizeof(line))
		(void)push(http_rig.guest, line, sizeof(line));
	http_rig_settle();
}

/* Nobody reads at the guest's end. */
static void turn(void)
{
	struct err e = { 0 };

	for (int i = 0; i < 200; i++)
		must(loop_turn(http_rig.loop, 0, &e) >= 0);
}

TEST(what_a_head_in_pieces_takes_is_counted_and_given_back)
{
	http_rig_start(http_flow_start);
	CHECK(ours() >= sizeof(struct http_flow));
	http_rig_put(http_rig.guest, "GET /ok HTTP/1.1\r\n" HOST);
	put_fields((size_t)20 * 1024);
	CHECK(ours() >= sizeof(struct http_flow) + (size_t)32 * 1024); /* what was taken for it, not what it fills */
	http_rig_ask("\r\n");
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	CHECK(ours() <= sizeof(struct http_flow));
	over();
}

TEST(a_request_on_a_connection_that_stands_is_served_until_memory_is_nearly_out)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	others_hold(HELD_NEW);
	http_rig_ask(GET);
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK OK);
	(void)http_rig_seen(&http_rig.origin_got[0]);
	others_hold(HELD_CONTENT);
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[2], "denied too_many_flows GET /ok", 29) == 0 && strstr(http_rig.events[2], " 503"));
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0 && strstr(buf_cstr(&http_rig.got), "\"reason\":\"too_many_flows\""));
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "");
	CHECK(http_rig_guest_at_end());
	over();
}

TEST(a_host_is_not_greeted_when_memory_is_nearly_out)
{
	const struct policy_entry entry = { .mode = POLICY_INTERCEPT, .rule = bytes_str("site"), .credential = POLICY_NONE };

	http_rig_start_entry(http_flow_start, &entry);
	http_rig.hold_dials = true;
	http_rig_ask("GET /ok HTTP/1.1\r\nHost: good.example:80\r\n\r\n");
	others_hold(HELD_CONTENT);
	http_rig.hold_dials = false;
	http_rig_from_loop(NULL);
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK(http_rig_origin_at_end(0));
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "denied too_many_flows GET /ok", 29) == 0);
	over();
}

TEST(a_long_head_finds_no_memory_when_it_is_nearly_out)
{
	http_rig_start(http_flow_start);
	others_hold(HELD_CONTENT);
	http_rig_put(http_rig.guest, "GET /ok HTTP/1.1\r\n" HOST);
	put_fields((size_t)20 * 1024);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "denied too_many_flows GET /ok", 29) == 0);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK_INT(http_rig.n_dials, 0);
	over();
}

static void large_answer(size_t all, size_t *ret_most)
{
	static char content[LARGE];
	size_t at = 0;
	size_t most = 0;

	memset(content, 'x', sizeof(content));
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	others_hold(all);
	http_rig_put(http_rig.origin[0], "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
	for (int i = 0; i < 50; i++) {
		at += push(http_rig.origin[0], content + at, LARGE - at);
		turn();
		most = ours() > most ? ours() : most;
	}
	CHECK(at < LARGE); /* the host is read no more */
	while (at < LARGE) {
		http_rig_settle();
		at += push(http_rig.origin[0], content + at, LARGE - at);
		most = ours() > most ? ours() : most;
	}
	http_rig_settle();
	CHECK_INT(http_rig.got.len, LARGE + strlen("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"));
	*ret_most = most;
	CHECK_INT(ours(), sizeof(struct http_flow)); /* it stands, and holds nothing */
	over();
}

TEST(while_memory_is_short_who_does_not_read_gets_little_and_all_in_the_end)
{
	size_t usual;
	size_t little;

	large_answer(0, &usual);
	large_answer(HELD_NEW, &little);
	printf("# %zu bytes, else %zu\n", little, usual);
	CHECK(usual > (size_t)100 * 1024 && little < (size_t)40 * 1024);
	large_answer(HELD_CONTENT, &little);
	CHECK(little < (size_t)40 * 1024);
}

TEST(an_answer_for_which_there_is_no_memory_at_all_ends_with_one_event)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_events, 1);
	others_hold(HELD_MAX);
	http_rig_reply(0, OK);
	CHECK_INT(http_rig.got.len, 0); /* no memory for the answer either */
	CHECK(http_rig_guest_at_end() && http_rig_origin_at_end(0));
	over();
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[1], "failed too_many_flows GET /ok", 29) == 0);
	CHECK(strncmp(http_rig.events[2], "closed ", 7) == 0);
}

TEST(an_answer_that_the_guest_could_not_be_given_ends_with_one_event)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	others_hold(HELD_MAX - (size_t)8 * 1024); /* it can be read, no more */
	http_rig_reply(0, OK);
	CHECK_INT(http_rig.got.len, 0);
	CHECK_INT(http_rig.n_events, 3);
	CHECK(strncmp(http_rig.events[1], "failed too_many_flows GET /ok", 29) == 0);
	CHECK(strncmp(http_rig.events[2], "closed ", 7) == 0);
	over();
}

TEST(a_body_with_a_hole_goes_to_nobody)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 20\r\n\r\n");
	CHECK_INT(http_rig.n_dials, 0); /* a form is looked at first */
	others_hold(HELD_MAX);
	http_rig_ask("a=01234567890");
	CHECK_INT(http_rig.n_dials, 0);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "denied too_many_flows POST /ok", 30) == 0);
	over();
}

TEST(a_body_that_cannot_be_passed_on_cuts_its_request)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST_TEXT "Content-Length: 20000\r\n\r\n0123456789");
	CHECK_INT(http_rig.n_dials, 1);
	(void)http_rig_seen(&http_rig.origin_got[0]);
	others_hold(HELD_MAX);
	put_fields((size_t)15 * 1024);
	CHECK(http_rig_origin_at_end(0));
	CHECK(http_rig.origin_got[0].len < (size_t)15 * 1024);
	CHECK(strncmp(http_rig.events[1], "failed too_many_flows POST /ok", 30) == 0);
	over();
	for (unsigned i = 2; i < http_rig.n_events; i++)
		CHECK(strncmp(http_rig.events[i], "closed ", 7) == 0);
}
