#include "net/h2.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/h2_client.h"
#include "net/h2_server.h"

/* Guest and host are one process: a client connection asks a server connection, and a gateway between two more carries what HTTP/1.1
 * says from edge to edge, as the proxy does. guest -> [edge | HTTP/1.1 | edge] -> host. */

enum { STREAMS = 128, STEP = 16 * 1024 };

struct half {
	struct h2_stream *s;
	struct buf in; /* from it, not yet handed on */
	bool ended;
};

struct relay {
	struct half guest;
	struct half host;
	struct buf request; /* a copy of what went by, for the tests */
	struct buf answer;
};

static struct {
	struct h2 *guest;
	struct h2 *edge_in;
	struct h2 *edge_out;
	struct h2 *host;
	struct relay relays[STREAMS];
	size_t n_relays;
	void (*serve)(struct h2_stream *s);
	uint64_t now;
} net;

static void half_init(struct half *h, struct h2_stream *s)
{
	*h = (struct half){ .s = s };
	buf_init(&h->in, 2 * STEP);
}

static void move(struct half *from, struct half *to, struct buf *copy)
{
	size_t n;

	do {
		struct buf *b = &from->in;
		size_t got = from->s ? h2_stream_read(from->s, b, STEP - b->len) : 0;

		if (got)
			(void)buf_add(copy, b->p + b->len - got, got);
		n = to->s ? h2_stream_write(to->s, buf_view(b)) : b->len;
		buf_consume(b, n);
	} while (n);
}

static void relay_end(struct half *h)
{
	if (h->s)
		h2_stream_release(h->s);
	h->s = NULL;
	buf_deinit(&h->in);
}

static void pump(struct relay *r)
{
	if (!r->guest.s)
		return;
	move(&r->guest, &r->host, &r->request);
	move(&r->host, &r->guest, &r->answer);
	if (h2_stream_gone(r->guest.s) != H2_OK || h2_stream_gone(r->host.s) != H2_OK ||
	    (h2_stream_read_done(r->host.s) && !r->host.in.len)) {
		relay_end(&r->guest);
		relay_end(&r->host);
	}
}

static void edge_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	pump(h2_stream_user(s));
}

static void edge_stream(void *owner, struct h2_stream *s)
{
	struct relay *r = &net.relays[net.n_relays++];

	(void)owner;
	must(net.n_relays <= STREAMS);
	half_init(&r->guest, s);
	half_init(&r->host, h2_client_open(net.edge_out));
	must(r->host.s != NULL);
	buf_init(&r->request, 4096);
	buf_init(&r->answer, 4096);
	h2_stream_set_user(s, r);
	h2_stream_set_user(r->host.s, r);
	pump(r);
}

static void no_malformed(void *owner, uint32_t id, enum h2_fault f)
{
	(void)owner;
	printf("# stream %u: %s\n", id, h2_fault_text(f));
	CHECK(false);
}

/* A side of the tests: keeps all that its streams say. */
struct said {
	struct h2_stream *s;
	struct buf text;
	struct bytes left; /* to be written */
};

static void said_pump(struct said *t)
{
	size_t n;

	(void)h2_stream_read(t->s, &t->text, STEP);
	n = h2_stream_write(t->s, t->left);
	t->left = bytes_skip(t->left, n);
}

static void guest_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	said_pump(h2_stream_user(s));
}

static void host_stream(void *owner, struct h2_stream *s)
{
	(void)owner;
	net.serve(s);
}

static void host_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	if (h2_stream_user(s))
		said_pump(h2_stream_user(s));
}

static const struct h2_ops guest_ops = { .on_wake = guest_wake };
static const struct h2_ops in_ops = { .on_stream = edge_stream,
				      .on_wake = edge_wake,
				      .on_malformed = no_malformed };
static const struct h2_ops out_ops = { .on_wake = edge_wake };
static const struct h2_ops host_ops = { .on_stream = host_stream,
					.on_wake = host_wake,
					.on_malformed = no_malformed };

static void start(void (*serve)(struct h2_stream *s))
{
	memset(&net, 0, sizeof(net));
	net.serve = serve;
	net.guest = h2_client_new(&guest_ops, NULL);
	net.edge_in = h2_server_new(&in_ops, NULL);
	net.edge_out = h2_client_new(&out_ops, NULL);
	net.host = h2_server_new(&host_ops, NULL);
	must(net.guest && net.edge_in && net.edge_out && net.host);
}

static bool carry(struct h2 *from, struct h2 *to)
{
	struct buf b BUF_AUTO = { 0 };

	buf_init(&b, STEP);
	h2_take(from, &b, STEP);
	CHECK_INT(h2_feed(to, buf_view(&b), net.now += 1), H2_OK);
	return b.len > 0;
}

static void settle(void)
{
	bool some = true;

	while (some) {
		some = carry(net.guest, net.edge_in);
		some |= carry(net.edge_in, net.guest);
		some |= carry(net.edge_out, net.host);
		some |= carry(net.host, net.edge_out);
	}
}

static void finish(void)
{
	settle();
	CHECK_INT(h2_streams(net.edge_in), 0);
	CHECK_INT(h2_streams(net.edge_out), 0);
	for (size_t i = 0; i < net.n_relays; i++) {
		buf_deinit(&net.relays[i].request);
		buf_deinit(&net.relays[i].answer);
		relay_end(&net.relays[i].guest);
		relay_end(&net.relays[i].host);
	}
	net.guest = h2_free(net.guest);
	net.edge_in = h2_free(net.edge_in);
	net.edge_out = h2_free(net.edge_out);
	net.host = h2_free(net.host);
}

static void ask(struct said *t, const char *text)
{
	t->s = h2_client_open(net.guest);
	must(t->s != NULL);
	buf_init(&t->text, 1024 * 1024);
	t->left = bytes_str(text);
	h2_stream_set_user(t->s, t);
	said_pump(t);
}

static void say(struct said *t, const char *text)
{
	t->left = bytes_str(text);
	said_pump(t);
	settle();
}

static void said_end(struct said *t)
{
	h2_stream_release(t->s);
	buf_deinit(&t->text);
}

static struct said served[STREAMS];
static size_t n_served;

static void serve_open(struct h2_stream *s)
{
	struct said *t = &served[n_served++];

	must(n_served <= STREAMS);
	*t = (struct said){ .s = s };
	buf_init(&t->text, 1024 * 1024);
	h2_stream_set_user(s, t);
	said_pump(t);
}

static void serve_end(void)
{
	while (n_served)
		said_end(&served[--n_served]);
}

#define GRPC_ASK                                                                                        \
	"POST /pkg.Service/Method HTTP/1.1\r\nhost: good.example\r\ncontent-type: application/grpc\r\n" \
	"te: trailers\r\ntransfer-encoding: chunked\r\n\r\n"
#define GRPC_OK                                                                                    \
	"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n"
#define GRPC_END "0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n"

TEST(a_unary_call_of_grpc_keeps_its_trailers)
{
	struct said call = { 0 };

	start(serve_open);
	ask(&call, GRPC_ASK "5\r\nhello\r\n0\r\n\r\n");
	settle();
	CHECK_INT(n_served, 1);
	CHECK_STR(buf_cstr(&served[0].text), GRPC_ASK "5\r\nhello\r\n0\r\n\r\n");
	say(&served[0], GRPC_OK "7\r\nwelcome\r\n" GRPC_END);
	CHECK_STR(buf_cstr(&call.text), GRPC_OK "7\r\nwelcome\r\n" GRPC_END);
	CHECK(h2_stream_read_done(call.s));
	CHECK_STR(buf_cstr(&net.relays[0].answer), GRPC_OK "7\r\nwelcome\r\n" GRPC_END);
	said_end(&call);
	serve_end();
	finish();
}

TEST(both_ways_of_a_grpc_stream_flow_at_the_same_time)
{
	struct said call = { 0 };

	start(serve_open);
	ask(&call, GRPC_ASK);
	settle();
	CHECK_STR(buf_cstr(&served[0].text), GRPC_ASK);
	say(&served[0], GRPC_OK);
	CHECK_STR(buf_cstr(&call.text), GRPC_OK);
	for (int i = 0; i < 3; i++) {
		buf_reset(&served[0].text);
		buf_reset(&call.text);
		say(&call, "4\r\nping\r\n");
		CHECK_STR(buf_cstr(&served[0].text), "4\r\nping\r\n");
		say(&served[0], "4\r\npong\r\n");
		CHECK_STR(buf_cstr(&call.text), "4\r\npong\r\n");
	}
	buf_reset(&served[0].text);
	buf_reset(&call.text);
	say(&call, "0\r\nx-sum: 3\r\n\r\n");
	CHECK_STR(buf_cstr(&served[0].text), "0\r\nx-sum: 3\r\n\r\n");
	say(&served[0], GRPC_END);
	CHECK_STR(buf_cstr(&call.text), GRPC_END);
	CHECK(h2_stream_read_done(call.s));
	said_end(&call);
	serve_end();
	finish();
}

TEST(a_call_that_the_host_ends_first_ends_with_its_trailers)
{
	struct said call = { 0 };

	start(serve_open);
	ask(&call, GRPC_ASK);
	settle();
	say(&served[0], GRPC_OK GRPC_END);
	CHECK_STR(buf_cstr(&call.text), GRPC_OK GRPC_END);
	CHECK(h2_stream_read_done(call.s));
	CHECK_INT(h2_stream_gone(call.s), H2_OK);
	say(&call, "4\r\nmore\r\n");
	CHECK_INT(call.left.len, 0);
	said_end(&call);
	serve_end();
	finish();
}

TEST(an_error_of_grpc_that_is_trailers_only_stays_one_head)
{
	static const char answer[] =
		"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 12\r\ncontent-length: 0\r\n\r\n";
	struct said call = { 0 };

	start(serve_open);
	ask(&call, GRPC_ASK "0\r\n\r\n");
	settle();
	say(&served[0], answer);
	CHECK_STR(buf_cstr(&call.text), answer);
	said_end(&call);
	serve_end();
	finish();
}

/* L5 */
TEST(a_hundred_streams_at_once_each_get_their_own_answer)
{
	static struct said calls[100];
	char text[64];

	start(serve_open);
	for (size_t i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text),
			       "GET /%zu HTTP/1.1\r\nhost: good.example\r\n\r\n", i);
		ask(&calls[i], text);
		CHECK_INT(calls[i].left.len, 0);
	}
	settle();
	CHECK_INT(n_served, 100);
	for (size_t i = 100; i-- > 0;) {
		struct bytes head = buf_view(&served[i].text);
		struct bytes path = bytes_of(head.p + 4, bytes_find(bytes_skip(head, 4), ' '));

		(void)snprintf(text, sizeof(text),
			       "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n%.*s", path.len,
			       (int)path.len, (const char *)path.p);
		served[i].left = bytes_str(text);
		said_pump(&served[i]);
	}
	settle();
	for (size_t i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "/%zu", i);
		CHECK(h2_stream_read_done(calls[i].s));
		CHECK(bytes_ends(buf_view(&calls[i].text), bytes_str(text)));
		said_end(&calls[i]);
	}
	serve_end();
	finish();
}

static void put_big(struct buf *b, const char *start_line, size_t len)
{
	(void)buf_fmt(b, "%s\r\nhost: good.example\r\ncontent-length: %zu\r\n\r\n", start_line,
		      len);
	for (size_t i = 0; i < len; i++)
		(void)buf_byte(b, (uint8_t)(i * 7 + i / 251));
}

/* L3 in small */
TEST(large_bodies_pass_whole_both_ways)
{
	struct said call = { 0 };
	struct buf up BUF_AUTO = { 0 };
	struct buf down BUF_AUTO = { 0 };
	size_t len = 900 * 1000;

	buf_init(&up, 1024 * 1024);
	buf_init(&down, 1024 * 1024);
	put_big(&up, "PUT /x HTTP/1.1", len);
	put_big(&down, "HTTP/1.1 200 OK", len - 1);
	start(serve_open);
	ask(&call, "");
	call.left = buf_view(&up);
	said_pump(&call);
	CHECK(call.left.len > len - 200 * 1000);
	settle();
	CHECK_INT(served[0].text.len, up.len);
	CHECK_INT(call.left.len, 0);
	CHECK(bytes_eq(buf_view(&served[0].text), buf_view(&up)));
	served[0].left = buf_view(&down);
	said_pump(&served[0]);
	settle();
	CHECK(bytes_eq(buf_view(&call.text), buf_view(&down)));
	CHECK(h2_memory(net.edge_in) < 400 * 1000);
	CHECK(h2_memory(net.edge_out) < 1200 * 1000);
	said_end(&call);
	serve_end();
	finish();
}
