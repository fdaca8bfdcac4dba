#include "proxy/h2_host.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/clock_kit.h"
#include "os/fd.h"
#include "proxy/h2_host_rig.h"

#define GET "GET /ok HTTP/1.1\r\nHost: good.example\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"

static struct loop *loop;
static struct h2_host_rig host;

/* A flow's side of an exchange. */
struct end {
	struct http_side side;
	unsigned wakes;
	uint32_t events;
};

static void on_side(void *owner, uint32_t events)
{
	struct end *e = owner;

	e->wakes++;
	e->events |= events;
}

static void settle(void)
{
	for (int quiet = 0; quiet < 4; quiet++) {
		must(loop_turn(loop, 0, NULL) == 0);
		if (h2_host_rig_move(&host))
			quiet = 0;
	}
}

static void begin(void)
{
	struct h2_host_key k = h2_host_rig_key();

	must(loop_new(&loop, NULL) == 0);
	must(h2_host_add(loop, &k, h2_host_rig_start(&host), NULL));
}

static void end(void)
{
	h2_host_retire();
	settle();
	CHECK(host.ended || host.fd < 0);
	h2_host_rig_end(&host);
	loop = loop_free(loop);
}

static bool take(struct end *e, const struct h2_host_key *k)
{
	*e = (struct end){ 0 };
	http_side_init(&e->side, 65536);
	return h2_host_take(&e->side, k, on_side, e);
}

static void ask(struct end *e)
{
	(void)buf_str(&e->side.out, GET);
	(void)http_side_flush(&e->side);
	settle();
}

static const char *answer_of(struct end *e)
{
	static char text[1000];

	while (http_side_read(&e->side, 1000) > 0)
		;
	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&e->side.in));
	buf_reset(&e->side.in);
	return text;
}

TEST(flows_to_one_place_share_a_connection_once_the_host_has_said_what_it_allows)
{
	struct h2_host_key k = h2_host_rig_key();
	struct end a, b;

	begin();
	CHECK(take(&a, &k));
	CHECK(!take(&b, &k)); /* no SETTINGS yet */
	ask(&a);
	CHECK(take(&b, &k));
	ask(&b);
	CHECK_INT(host.n_streams, 2);
	CHECK_STR(buf_cstr(&host.said[1]), "GET /ok HTTP/1.1\r\nhost: good.example\r\n\r\n");
	h2_host_rig_answer(&host, 1, OK);
	h2_host_rig_answer(&host, 0, OK);
	settle();
	CHECK_STR(answer_of(&a), OK);
	CHECK_STR(answer_of(&b), OK);
	http_side_close(&a.side);
	http_side_close(&b.side);
	end();
}

TEST(another_name_port_generation_or_credential_is_another_place)
{
	struct h2_host_key k = h2_host_rig_key();
	struct h2_host_key others[4] = { k, k, k, k };
	struct end e;

	begin();
	settle();
	must(name_parse(bytes_str("evil.example"), &others[0].name) == NAME_OK);
	others[1].port = 443;
	others[2].generation = 2;
	others[3].secret_version = 1;
	for (size_t i = 0; i < 4; i++)
		if (!CHECK(!take(&e, &others[i])))
			http_side_close(&e.side);
	end();
}

TEST(a_retired_connection_takes_no_request_ends_what_it_has_and_closes)
{
	struct h2_host_key k = h2_host_rig_key();
	struct end asked, unasked, late;

	begin();
	settle();
	CHECK(take(&asked, &k));
	ask(&asked);
	CHECK(take(&unasked, &k));
	h2_host_retire();
	CHECK(!take(&late, &k));
	settle();
	CHECK(!unasked.side.open && unasked.side.fault == H2_NOT_PROCESSED);
	CHECK(!host.ended);
	h2_host_rig_answer(&host, 0, OK);
	settle();
	CHECK_STR(answer_of(&asked), OK);
	http_side_close(&asked.side);
	settle();
	CHECK(host.ended);
	CHECK_INT(host.n_streams, 1);
	http_side_close(&unasked.side);
	end();
}

TEST(a_retired_connection_without_a_stream_closes_at_once)
{
	begin();
	settle();
	h2_host_retire();
	settle();
	CHECK(host.ended);
	end();
}

TEST(an_answer_that_is_whole_outlives_the_connection_and_half_of_one_does_not)
{
	struct h2_host_key k = h2_host_rig_key();
	struct end whole, half, late;

	begin();
	settle();
	CHECK(take(&whole, &k));
	ask(&whole);
	CHECK(take(&half, &k));
	ask(&half);
	h2_host_rig_answer(&host, 0, OK);
	h2_host_rig_answer(&host, 1, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nh");
	settle();
	h2_host_rig_leave(&host);
	settle();
	CHECK(!take(&late, &k));
	CHECK_STR(answer_of(&whole), OK);
	CHECK(!half.side.open && half.side.broken && half.side.fault == H2_CLOSED);
	CHECK(half.events & EPOLLHUP);
	http_side_close(&whole.side);
	http_side_close(&half.side);
	settle();
	end();
}

TEST(what_is_against_the_rules_is_told_apart_from_an_end)
{
	struct h2_host_key k = h2_host_rig_key();
	struct end e;

	begin();
	settle();
	CHECK(take(&e, &k));
	ask(&e);
	h2_host_rig_frame(&host, 5, 1, bytes_of("\0\0\0\2\x82", 5)); /* PUSH_PROMISE */
	settle();
	CHECK(!e.side.open && e.side.fault >= H2_BAD_PSEUDO);
	http_side_close(&e.side);
	settle();
	CHECK(host.ended);
	end();
}

/* --- who dials --- */

struct wish {
	struct h2_host_ask ask;
	unsigned turns;
	bool alone;
};

static void on_turn(void *owner, bool alone)
{
	struct wish *w = owner;

	w->turns++;
	w->alone = alone;
}

static bool wish(struct wish *w, const struct h2_host_key *k)
{
	return h2_host_ask(&w->ask, loop, k, on_turn, w);
}

static void turn(void)
{
	must(loop_turn(loop, 0, NULL) == 0);
}

TEST(one_dials_and_those_that_come_meanwhile_wait_for_it)
{
	struct h2_host_key k = h2_host_rig_key();
	struct h2_host_key other = k;
	struct wish a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	must(loop_new(&loop, NULL) == 0);
	other.secret_version = 9;
	CHECK(wish(&a, &k));
	CHECK(!wish(&b, &k) && !wish(&c, &k));
	CHECK(wish(&d, &other));
	turn();
	CHECK_INT(b.turns + c.turns, 0);
	h2_host_dialed(&a.ask, H2_HOST_IS_H2);
	CHECK_INT(b.turns, 0); /* from the loop */
	turn();
	CHECK(a.turns == 0 && b.turns == 1 && c.turns == 1 && d.turns == 0 && !b.alone);
	h2_host_cancel(&d.ask);
	loop = loop_free(loop);
}

TEST(a_dial_that_fails_leaves_those_who_waited_to_themselves)
{
	struct h2_host_key k = h2_host_rig_key();
	struct wish a = { 0 }, b = { 0 }, c = { 0 };

	must(loop_new(&loop, NULL) == 0);
	CHECK(wish(&a, &k) && !wish(&b, &k) && !wish(&c, &k));
	h2_host_cancel(&c.ask);
	h2_host_dialed(&a.ask, H2_HOST_FAILED);
	turn();
	CHECK(b.turns == 1 && b.alone && c.turns == 0);
	loop = loop_free(loop);
}

TEST(a_dialer_that_gives_up_makes_way_for_the_next)
{
	struct h2_host_key k = h2_host_rig_key();
	struct wish a = { 0 }, b = { 0 }, c = { 0 };

	must(loop_new(&loop, NULL) == 0);
	CHECK(wish(&a, &k) && !wish(&b, &k) && !wish(&c, &k));
	h2_host_cancel(&a.ask);
	turn();
	CHECK(b.turns == 1 && !b.alone && c.turns == 1);
	CHECK(wish(&b, &k) && !wish(&c, &k));
	h2_host_cancel(&b.ask);
	h2_host_cancel(&c.ask);
	turn();
	CHECK_INT(c.turns, 1);
	loop = loop_free(loop);
}

TEST(nobody_waits_for_a_host_that_is_known_to_speak_http1)
{
	struct h2_host_key k = h2_host_rig_key();
	struct wish a = { 0 }, b = { 0 };

	must(loop_new(&loop, NULL) == 0);
	must(name_parse(bytes_str("old.example"), &k.name) == NAME_OK);
	CHECK(wish(&a, &k));
	h2_host_dialed(&a.ask, H2_HOST_IS_HTTP1);
	CHECK(wish(&a, &k) && wish(&b, &k));
	h2_host_dialed(&a.ask, H2_HOST_IS_H2); /* it learned */
	h2_host_dialed(&b.ask, H2_HOST_IS_H2);
	CHECK(wish(&a, &k) && !wish(&b, &k));
	h2_host_cancel(&a.ask);
	h2_host_cancel(&b.ask);
	turn();
	loop = loop_free(loop);
}

TEST(who_comes_before_the_hosts_settings_waits_for_them)
{
	struct h2_host_key k = h2_host_rig_key();
	struct wish a = { 0 };
	struct end e;

	begin();
	CHECK(take(&e, &k));
	CHECK(!wish(&a, &k));
	turn();
	CHECK_INT(a.turns, 0);
	settle();
	CHECK(a.turns == 1 && !a.alone);
	http_side_close(&e.side);
	end();
}

/* Another host of HTTP/2, which takes and says nothing. Gives its end. */
static int add_host(uint16_t port)
{
	struct h2_host_key k = h2_host_rig_key();
	int pair[2] = { -1, -1 };

	k.port = port;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	must(h2_host_add(loop, &k, pair[0], NULL));
	return pair[1];
}

static bool at_end(int fd)
{
	char p[4096];
	ssize_t n;

	do
		n = recv(fd, p, sizeof(p), 0);
	while (n > 0);
	return n == 0;
}

TEST(above_the_limit_the_oldest_without_a_stream_goes_and_where_all_have_one_there_is_no_room)
{
	static struct end busy[H2_HOSTS_MAX];
	struct h2_host_key k = h2_host_rig_key();
	int fds[H2_HOSTS_MAX];

	begin(); /* the first of them */
	CHECK(take(&busy[0], &k));
	for (int i = 1; i < H2_HOSTS_MAX; i++) {
		CHECK(h2_host_room());
		fds[i] = add_host((uint16_t)(1000 + i));
	}
	settle();
	CHECK(h2_host_room()); /* by the end of the oldest that carries nothing */
	settle();
	CHECK(at_end(fds[1]) && !at_end(fds[2]));
	(void)fd_close(fds[1]);
	fds[1] = add_host(1001);
	for (int i = 1; i < H2_HOSTS_MAX; i++) {
		k.port = (uint16_t)(1000 + i);
		CHECK(take(&busy[i], &k));
	}
	CHECK(!h2_host_room());
	http_side_close(&busy[5].side);
	settle();
	CHECK(h2_host_room());
	for (int i = 0; i < H2_HOSTS_MAX; i++)
		http_side_close(&busy[i].side);
	end();
	for (int i = 1; i < H2_HOSTS_MAX; i++)
		(void)fd_close(fds[i]);
}

TEST(who_waits_for_a_connection_that_has_to_make_room_for_others_is_told)
{
	struct h2_host_key k = h2_host_rig_key();
	struct wish a = { 0 };
	int fds[H2_HOSTS_MAX];
	struct end e;

	begin();
	for (int i = 1; i < H2_HOSTS_MAX; i++)
		fds[i] = add_host((uint16_t)(1000 + i));
	CHECK(take(&e, &k));
	CHECK(!wish(&a, &k));
	http_side_close(&e.side);
	CHECK(h2_host_room()); /* in the same turn */
	turn();
	CHECK(a.turns == 1 && !a.alone);
	h2_host_cancel(&a.ask);
	end();
	for (int i = 1; i < H2_HOSTS_MAX; i++)
		(void)fd_close(fds[i]);
}

/* Another host that allows one stream at a time. */
TEST(who_waits_for_a_hosts_settings_does_not_wait_for_the_end_of_the_only_stream_that_they_allow)
{
	static const char one[] = "\0\0\6\4\0\0\0\0\0" "\0\3\0\0\0\1"; /* SETTINGS_MAX_CONCURRENT_STREAMS */
	struct h2_host_key k = h2_host_rig_key();
	struct wish a = { 0 };
	struct end e;
	int fd;

	must(loop_new(&loop, NULL) == 0);
	k.port = 1;
	fd = add_host(k.port);
	CHECK(take(&e, &k));
	(void)buf_str(&e.side.out, GET);
	(void)http_side_flush(&e.side);
	CHECK(!wish(&a, &k));
	turn();
	CHECK_INT(a.turns, 0);
	must(send(fd, one, sizeof(one) - 1, MSG_NOSIGNAL) == sizeof(one) - 1);
	turn();
	turn();
	CHECK(a.turns == 1 && !a.alone);
	CHECK(wish(&a, &k)); /* that one is full: dial */
	h2_host_cancel(&a.ask);
	http_side_close(&e.side);
	h2_host_retire();
	turn();
	(void)fd_close(fd);
	loop = loop_free(loop);
}

/* What was to go to it fills all there is room for: nothing more is read from it, and nothing can be written. */
TEST(a_host_that_reads_no_more_and_goes_is_given_up)
{
	static const uint8_t wide[] = { 0, 4, 0, 0x40, 0, 0 }; /* SETTINGS_INITIAL_WINDOW_SIZE: 4 MiB */
	static char piece[16384];
	struct h2_host_key k = h2_host_rig_key();
	struct end e;
	int stuck = 0;

	begin();
	settle();
	CHECK(take(&e, &k));
	h2_host_rig_frame(&host, 4, 0, bytes_of(wide, sizeof(wide)));
	h2_host_rig_frame(&host, 8, 0, bytes_of(wide + 2, 4)); /* WINDOW_UPDATE of the connection */
	host.silent = true;
	settle();
	(void)buf_str(&e.side.out, "POST /data HTTP/1.1\r\nHost: good.example\r\nContent-Length: 4000000\r\n\r\n");
	for (size_t sent = 0; sent < 4000000 - sizeof(piece) && stuck < 10; sent += sizeof(piece)) {
		(void)buf_add(&e.side.out, piece, sizeof(piece));
		for (stuck = 0; stuck < 10 && e.side.out.len; stuck++) {
			(void)http_side_flush(&e.side);
			settle();
		}
	}
	CHECK_INT(stuck, 10);
	h2_host_rig_leave(&host);
	(void)alarm(20); /* it went round for ever */
	settle();
	(void)alarm(0);
	CHECK(e.events & EPOLLHUP);
	http_side_close(&e.side);
	end();
}

/* With the next stream its time begins anew: that it had to be asked for a sign of life before is no silence of now. */
TEST(a_host_that_gave_its_sign_of_life_is_asked_again_before_it_is_left)
{
	struct h2_host_key k = h2_host_rig_key();
	struct end slow, next;

	kit_clock_stops();
	begin();
	settle();
	CHECK(take(&slow, &k));
	ask(&slow);
	kit_clock_moves(H2_HOST_SILENCE_MS);
	settle();
	h2_host_rig_answer(&host, 0, OK);
	settle();
	CHECK_STR(answer_of(&slow), OK);
	http_side_close(&slow.side);
	settle();
	CHECK(take(&next, &k));
	ask(&next);
	host.silent = true;
	kit_clock_moves(H2_HOST_SILENCE_MS - 1);
	settle();
	CHECK(next.side.open);
	kit_clock_moves(1);
	settle(); /* asked */
	kit_clock_moves(H2_HOST_PONG_MS - 1);
	settle();
	CHECK(next.side.open);
	kit_clock_moves(1);
	settle();
	CHECK(!next.side.open && next.side.fault == H2_CLOSED);
	http_side_close(&next.side);
	h2_host_rig_leave(&host);
	end();
}
