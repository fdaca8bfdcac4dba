/* For tests: a server of HTTP/2 over TLS on loopback, made of net/h2 and net/tls alone, for clients that others wrote.
 *
 *	test-h2-peer NAME LEAF KEY	prints its port; serves until its standard input ends, then says the most memory that h2 held
 *
 * /echo sends the body back as it comes, and trailers; /size/N sends N bytes; /late answers 403 at once, whatever the body does; any other path
 * a KiB. */
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/num.h"
#include "net/h2_server.h"
#include "net/tls.h"
#include "os/fd.h"
#include "os/loop.h"
#include "wire/http1_body.h"
#include "wire/http1_out.h"

enum { PIECE = 64 * 1024, OUT_FULL = 64 * 1024 };

static struct {
	struct loop *loop;
	struct tls_ctx *ctx;
	struct tls_server_side side;
	struct loop_io listener;
	struct loop_io input;
	size_t most;
} peer;

struct conn {
	struct loop_io io;
	struct loop_later later;
	struct tls *tls;
	struct h2 *h2;
	struct buf out;
	bool open;
};

struct ask {
	struct buf in;
	struct buf out;
	struct http1_scan scan;
	struct http1_body body;
	uint64_t left; /* of /size */
	bool head;
	bool echo;
	bool done;
};

static void begin(struct ask *a, const struct http1_head *h)
{
	static char kib[1025];
	struct http1_length l;
	enum http1_fault f;

	must(http1_request_length(h, &l, &f));
	http1_body_init(&a->body, l.framing, l.len);
	a->head = true;
	if (bytes_is(h->target, "/late")) {
		(void)buf_str(&a->out, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	} else if (bytes_starts(h->target, bytes_str("/size/"))) {
		must(num_u64(bytes_skip(h->target, 6), UINT32_MAX, &a->left));
		(void)buf_fmt(&a->out, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
			      (unsigned long long)a->left);
	} else if (bytes_is(h->target, "/echo")) {
		a->echo = true;
		(void)buf_str(&a->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	} else {
		if (!kib[0])
			memset(kib, 'k', sizeof(kib) - 1);
		(void)buf_str(&a->out, "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n");
		if (!bytes_is(h->method, "HEAD"))
			(void)buf_str(&a->out, kib);
	}
	a->done = !a->echo;
}

static void echo(struct ask *a)
{
	while (!a->done && a->out.len < OUT_FULL) {
		struct bytes data = { 0 };
		enum http1_answer r;
		enum http1_fault f;
		size_t used = 0;

		if (!a->in.len && a->body.framing != HTTP1_NO_BODY)
			return;
		r = http1_body_next(&a->body, buf_view(&a->in), &used, &data, &f);
		must(r != HTTP1_BAD);
		http1_piece(&a->out, HTTP1_CHUNKED, data);
		buf_consume(&a->in, used);
		a->done = r == HTTP1_DONE;
		if (a->done)
			(void)buf_str(&a->out, "0\r\nX-End: yes\r\n\r\n");
	}
}

static void fill(struct ask *a)
{
	static const uint8_t zeros[PIECE];
	size_t n = a->left < OUT_FULL - a->out.len ? (size_t)a->left : OUT_FULL - a->out.len;

	if (a->out.len >= OUT_FULL || !n)
		return;
	(void)buf_add(&a->out, zeros, n);
	a->left -= n;
}

static void leave(struct h2_stream *s)
{
	struct ask *a = h2_stream_user(s);

	buf_deinit(&a->in);
	buf_deinit(&a->out);
	free(a);
	h2_stream_release(s);
}

static void serve(struct h2_stream *s)
{
	struct ask *a = h2_stream_user(s);
	struct http1_head head;
	enum http1_fault f;
	size_t moved = 1;
	size_t len;

	while (moved && h2_stream_gone(s) == H2_OK) {
		moved = a->in.len < PIECE ? h2_stream_read(s, &a->in, PIECE - a->in.len) : 0;
		if (!a->head &&
		    http1_request_head(&a->scan, buf_view(&a->in), &head, &len, &f) == HTTP1_DONE) {
			begin(a, &head);
			buf_consume(&a->in, len);
		}
		if (a->echo)
			echo(a);
		fill(a);
		len = h2_stream_write(s, buf_view(&a->out));
		buf_consume(&a->out, len);
		moved += len;
	}
	if (h2_stream_gone(s) != H2_OK || (a->done && !a->left && !a->out.len))
		leave(s);
}

static void on_stream(void *owner, struct h2_stream *s)
{
	struct ask *a = calloc(1, sizeof(*a));

	(void)owner;
	must(a);
	buf_init(&a->in, PIECE);
	buf_init(&a->out, 2 * OUT_FULL + 4096);
	h2_stream_set_user(s, a);
	serve(s);
}

static void on_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	serve(s);
}

static void on_malformed(void *owner, uint32_t id, enum h2_fault f)
{
	(void)owner;
	printf("malformed %u: %s\n", (unsigned)id, h2_fault_text(f));
}

static const struct h2_ops ops = { .on_stream = on_stream,
				   .on_wake = on_wake,
				   .on_malformed = on_malformed };

static void conn_free(struct loop_later *l)
{
	struct conn *c = l->owner;

	h2_free(c->h2);
	tls_free(c->tls);
	buf_deinit(&c->out);
	free(c);
}

static void conn_end(struct conn *c)
{
	int fd = c->io.fd;

	if (!c->io.loop)
		return;
	if (h2_fault(c->h2) != H2_OK)
		printf("fault: %s\n", h2_fault_text(h2_fault(c->h2)));
	h2_eof(c->h2);
	(void)tls_shutdown(c->tls);
	loop_io_remove(&c->io);
	(void)fd_close(fd);
	loop_later(peer.loop, &c->later, conn_free, c);
}

/* False: the connection ended. */
static bool flush(struct conn *c)
{
	enum tls_answer a = TLS_DONE;

	while (a == TLS_DONE) {
		size_t n = 0;

		if (c->out.len < OUT_FULL)
			h2_take(c->h2, &c->out, OUT_FULL);
		if (!c->out.len)
			return !h2_finished(c->h2);
		a = tls_write(c->tls, buf_view(&c->out), &n);
		buf_consume(&c->out, n);
	}
	return a == TLS_WANT_WRITE;
}

static bool hear(struct conn *c)
{
	static uint8_t b[PIECE];
	enum tls_answer a = TLS_DONE;

	while (a == TLS_DONE && h2_wants(c->h2)) {
		size_t n = 0;

		a = tls_read(c->tls, b, sizeof(b), &n);
		(void)h2_feed(c->h2, bytes_of(b, n), loop_now_ms(peer.loop));
		if (h2_memory(c->h2) > peer.most)
			peer.most = h2_memory(c->h2);
		if (n < sizeof(b) && !tls_pending(c->tls))
			break;
	}
	return a == TLS_DONE || a == TLS_WANT_READ;
}

static void on_conn(struct loop_io *io, uint32_t events)
{
	struct conn *c = io->owner;
	bool alive = true;

	(void)events;
	if (!c->open) {
		enum tls_answer a = tls_handshake(c->tls);

		c->open = a == TLS_DONE;
		alive = a != TLS_FAILED;
		if (!alive)
			printf("tls: %s\n", tls_detail(c->tls));
	}
	if (c->open)
		alive = hear(c) && flush(c);
	if (!alive)
		conn_end(c);
	else
		loop_io_want(&c->io, (h2_wants(c->h2) ? (uint32_t)EPOLLIN : 0) |
					     (c->out.len ? (uint32_t)EPOLLOUT : 0));
}

static void on_listener(struct loop_io *io, uint32_t events)
{
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

	(void)events;
	if (!c)
		return;
	must(tls_server_new(peer.ctx, fd, &peer.side, &c->tls, NULL) == 0);
	c->h2 = h2_server_new(&ops, c);
	must(c->h2);
	buf_init(&c->out, 2 * OUT_FULL);
	must(loop_io_add(peer.loop, &c->io, fd, EPOLLIN, on_conn, c, NULL) == 0);
}

static void on_input(struct loop_io *io, uint32_t events)
{
	char b[64];

	(void)events;
	if (read(io->fd, b, sizeof(b)) <= 0)
		loop_stop(peer.loop, 0);
}

static void load(char **v)
{
	FILE *f = fopen(v[1], "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	struct tls_cert *leaf = NULL;
	EVP_PKEY *key;

	must(x && tls_cert_of(x, &leaf, NULL) == 0);
	(void)fclose(f);
	f = fopen(v[2], "re");
	key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	must(key);
	(void)fclose(f);
	peer.side = (struct tls_server_side){
		.name = v[0], .leaf = leaf, .key = key, .alpn = TLS_ALPN_H2
	};
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (argc != 4)
		return 2;
	load(argv + 1);
	must(tls_ctx_new((struct bytes){ 0 }, &peer.ctx, NULL) == 0);
	must(loop_new(&peer.loop, NULL) == 0);
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 128) == 0);
	must(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	must(loop_io_add(peer.loop, &peer.listener, fd, EPOLLIN, on_listener, NULL, NULL) == 0);
	must(loop_io_add(peer.loop, &peer.input, 0, EPOLLIN, on_input, NULL, NULL) == 0);
	printf("%u\n", (unsigned)ntohs(at.sin_port));
	(void)fflush(stdout);
	(void)loop_run(peer.loop, NULL);
	printf("most %zu\n", peer.most);
	return 0;
}
