#include "net/http_server_session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/fd.h"

enum { BODY_MAX = 1000 };

/* A server on one end of a socket pair; the test speaks raw bytes at the other end. */
struct rig {
	struct loop *loop;
	struct http_server *s;
	int peer;
	struct buf got;
	unsigned n_requests;
	unsigned n_ends;
	unsigned n_drained;
	char last[256];
	bool hold; /* answer later */
	bool free_at_once;
	bool stream;
	bool upgrade;
	int upgraded_fd;
	char rest[64];
};

static void on_request(struct http_server *s, const struct http_server_request *r, void *owner)
{
	struct rig *g = owner;

	g->n_requests++;
	(void)snprintf(g->last, sizeof(g->last), "%.*s %.*s%s%.*s [%.*s]", (int)r->method.len, (const char *)r->method.p,
		       (int)r->path.len, (const char *)r->path.p, r->has_query ? "?" : "", (int)r->query.len,
		       (const char *)r->query.p, (int)r->body.len, (const char *)r->body.p);
	if (g->free_at_once)
		g->s = http_server_free(s);
	else if (g->upgrade && bytes_is(r->upgrade, "saw-tunnel"))
		http_server_upgrade(s, "saw-tunnel");
	else if (g->stream)
		http_server_stream(s, 200, "text/plain");
	else if (!g->hold)
		http_server_answer(s, 200, "text/plain", bytes_str(g->last));
}

static void on_upgraded(int fd, struct bytes rest, void *owner)
{
	struct rig *g = owner;

	g->upgraded_fd = fd;
	g->s = NULL;
	(void)snprintf(g->rest, sizeof(g->rest), "%.*s", (int)rest.len, (const char *)rest.p);
}

static void on_end(void *owner)
{
	struct rig *g = owner;

	g->n_ends++;
	g->s = NULL;
}

static void on_drained(struct http_server *s, void *owner)
{
	struct rig *g = owner;

	(void)s;
	g->n_drained++;
}

static const struct http_server_ops ops = { on_request, on_upgraded, on_end, on_drained };

static void rig_start(struct rig *g)
{
	int pair[2];

	*g = (struct rig){ .peer = -1, .upgraded_fd = -1 };
	buf_init(&g->got, 64 * 1024 * 1024);
	must(loop_new(&g->loop, NULL) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	g->peer = pair[0];
	must(http_server_new(g->loop, pair[1], BODY_MAX, &ops, g, &g->s, NULL) == 0);
}

static void rig_stop(struct rig *g)
{
	http_server_free(g->s);
	loop_free(g->loop);
	(void)fd_close(g->peer);
	(void)fd_close(g->upgraded_fd);
	buf_deinit(&g->got);
}

/* Turns the loop and reads what comes, until nothing moves any more. */
static void settle(struct rig *g)
{
	for (int quiet = 0; quiet < 3;) {
		uint8_t *room = buf_room(&g->got, 65536);
		ssize_t n;

		must(room && loop_turn(g->loop, 0, NULL) == 0);
		n = recv(g->peer, room, 65536, 0);
		if (n > 0)
			buf_grew(&g->got, (size_t)n);
		quiet = n > 0 ? 0 : quiet + 1;
	}
}

static void say(struct rig *g, const char *text)
{
	must(send(g->peer, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
	settle(g);
}

TEST(a_request_is_answered_and_the_connection_kept)
{
	struct rig g;

	rig_start(&g);
	say(&g, "GET /v1/x?a=1 HTTP/1.1\r\nHost: saw\r\n\r\n");
	CHECK_STR(g.last, "GET /v1/x?a=1 []");
	CHECK_STR(buf_cstr(&g.got),
		  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\r\nGET /v1/x?a=1 []");
	say(&g, "POST /y HTTP/1.1\r\nHost: saw\r\nContent-Length: 3\r\n\r\nabc");
	CHECK_STR(g.last, "POST /y [abc]");
	CHECK_INT(g.n_requests, 2);
	CHECK_INT(g.n_ends, 0);
	rig_stop(&g);
}

TEST(a_request_sent_byte_by_byte_is_the_same_request)
{
	const char *text = "POST /y HTTP/1.1\r\nHost: saw\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct rig g;

	rig_start(&g);
	for (const char *p = text; *p; p++) {
		const char one[2] = { *p, '\0' };

		say(&g, one);
	}
	CHECK_STR(g.last, "POST /y [abcde]");
	CHECK_INT(g.n_requests, 1);
	rig_stop(&g);
}

TEST(pipelined_requests_are_answered_in_order_one_by_one)
{
	struct rig g;

	rig_start(&g);
	g.hold = true;
	say(&g, "GET /1 HTTP/1.1\r\nHost: saw\r\n\r\nGET /2 HTTP/1.1\r\nHost: saw\r\nConnection: close\r\n\r\n");
	CHECK_INT(g.n_requests, 1);
	http_server_answer(g.s, 204, NULL, bytes_of(NULL, 0));
	settle(&g);
	CHECK_INT(g.n_requests, 2);
	CHECK_STR(buf_cstr(&g.got), "HTTP/1.1 204 No Content\r\n\r\n");
	http_server_answer(g.s, 404, "text/plain", bytes_str("no"));
	settle(&g);
	CHECK(strstr(buf_cstr(&g.got), "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nConnection: close\r\n"
				       "Content-Length: 2\r\n\r\nno"));
	shutdown(g.peer, SHUT_WR);
	settle(&g);
	CHECK_INT(g.n_ends, 1);
	rig_stop(&g);
}

TEST(malformed_requests_are_refused_and_never_handed_out)
{
	static const struct {
		const char *text;
		const char *status;
	} vectors[] = {
		{ "\x16\x03\x01", "HTTP/1.1 400 " },
		{ "GET / HTTP/1.1\n", "HTTP/1.1 400 " },
		{ "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 " },
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413 " },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 " },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 417 " },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct rig g;

		rig_start(&g);
		say(&g, vectors[i].text);
		say(&g, "GET /canary HTTP/1.1\r\nHost: a\r\n\r\n");
		if (!CHECK(strncmp(buf_cstr(&g.got), vectors[i].status, strlen(vectors[i].status)) == 0))
			printf("# %zu: %s\n", i, buf_cstr(&g.got));
		CHECK_INT(g.n_requests, 0);
		shutdown(g.peer, SHUT_WR);
		settle(&g);
		CHECK_INT(g.n_ends, 1);
		rig_stop(&g);
	}
}

TEST(a_chunked_body_over_the_limit_is_refused)
{
	char chunk[600];
	struct rig g;

	rig_start(&g);
	memset(chunk, 'a', sizeof(chunk));
	memcpy(chunk, "200\r\n", 5);
	memcpy(chunk + 5 + 512, "\r\n", 3);
	say(&g, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	say(&g, chunk);
	say(&g, chunk);
	CHECK(strstr(buf_cstr(&g.got), "HTTP/1.1 413 "));
	CHECK_INT(g.n_requests, 0);
	rig_stop(&g);
}

TEST(expect_100_continue_is_answered_before_the_body)
{
	struct rig g;

	rig_start(&g);
	say(&g, "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	CHECK_STR(buf_cstr(&g.got), "HTTP/1.1 100 Continue\r\n\r\n");
	say(&g, "hi");
	CHECK_STR(g.last, "POST /e [hi]");
	rig_stop(&g);
}

TEST(a_stream_arrives_piece_by_piece_and_the_connection_goes_on)
{
	struct rig g;

	rig_start(&g);
	g.stream = true;
	say(&g, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
	buf_reset(&g.got);
	CHECK(http_server_write(g.s, bytes_str("one")));
	settle(&g);
	CHECK_STR(buf_cstr(&g.got), "3\r\none\r\n");
	CHECK(g.n_drained >= 1);
	buf_reset(&g.got);
	http_server_stream_end(g.s);
	settle(&g);
	CHECK_STR(buf_cstr(&g.got), "0\r\n\r\n");
	say(&g, "GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
	CHECK_STR(g.last, "GET /again []");
	rig_stop(&g);
}

TEST(a_slow_reader_bounds_the_backlog_and_is_told_when_there_is_room)
{
	static char piece[100000];
	struct rig g;
	unsigned n = 0;

	rig_start(&g);
	g.stream = true;
	say(&g, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
	buf_reset(&g.got);
	while (http_server_write(g.s, bytes_of(piece, sizeof(piece))) && n < 1000)
		n++;
	CHECK(n >= 40 && n < 60);
	CHECK(http_server_backlog(g.s) <= HTTP_SERVER_BACKLOG_MAX + 64);
	CHECK_INT(g.n_drained, 0);
	settle(&g);
	CHECK(g.n_drained >= 1);
	CHECK(g.got.len >= (size_t)n * sizeof(piece));
	rig_stop(&g);
}

TEST(an_answer_to_head_has_no_body)
{
	struct rig g;

	rig_start(&g);
	say(&g, "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n");
	CHECK_STR(buf_cstr(&g.got), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n");
	rig_stop(&g);
}

TEST(an_upgrade_hands_over_the_descriptor_with_the_bytes_behind_the_request)
{
	char text[16] = "";
	struct rig g;

	rig_start(&g);
	g.upgrade = true;
	say(&g, "POST /ssh HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: saw-tunnel\r\n\r\nSSH-2.0");
	CHECK_STR(buf_cstr(&g.got),
		  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: saw-tunnel\r\n\r\n");
	CHECK(g.upgraded_fd >= 0);
	CHECK_STR(g.rest, "SSH-2.0");
	must(send(g.peer, "abc", 3, 0) == 3);
	CHECK_INT(recv(g.upgraded_fd, text, sizeof(text), 0), 3);
	CHECK_INT(g.n_ends, 0);
	rig_stop(&g);
}

TEST(a_peer_that_leaves_while_an_answer_is_owed_ends_the_session)
{
	struct rig g;

	rig_start(&g);
	g.hold = true;
	say(&g, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
	g.peer = fd_close(g.peer);
	must(loop_turn(g.loop, 0, NULL) == 0);
	CHECK_INT(g.n_ends, 1);
	rig_stop(&g);
}

/* The deadline that is set now passes. */
static void time_passes(struct rig *g)
{
	struct loop_timer *t = &g->s->timer;

	must(t->slot);
	loop_timer_disarm(t);
	t->fn(t);
	settle(g);
}

TEST(every_wait_for_the_peer_has_an_end_and_none_for_ourselves)
{
	static const char *const late[] = { "GET /x HT", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh" };
	struct rig g;

	for (size_t i = 0; i < 2; i++) {
		rig_start(&g);
		say(&g, late[i]);
		time_passes(&g);
		CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 408 ", 13) == 0);
		time_passes(&g); /* the peer does not close */
		CHECK_INT(g.n_ends, 1);
		rig_stop(&g);
	}
	rig_start(&g);
	time_passes(&g);
	CHECK_INT(g.got.len, 0);
	CHECK_INT(g.n_ends, 1);
	rig_stop(&g);
	rig_start(&g);
	g.hold = true;
	say(&g, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
	CHECK_INT(g.s->timer.slot, 0);
	rig_stop(&g);
}

TEST(a_session_can_be_freed_from_its_own_callback)
{
	struct rig g;

	rig_start(&g);
	g.free_at_once = true;
	say(&g, "GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n");
	CHECK_INT(g.n_requests, 1);
	CHECK_INT(g.n_ends, 0);
	rig_stop(&g);
}
