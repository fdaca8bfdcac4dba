#include "workspace/inlet/dns_tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/must.h"
#include "os/fd.h"
#include "wire/guest_net.h"
#include "wire/packet.h"

/* A connection reads while fewer than DNS_TCP_PIPELINE of its questions wait and its answers
 * drain; otherwise it is not read, and the guest's own window fills. It ends on idleness, on a
 * frame that no question can be, or after the guest's last question. */

enum { FRAME_HEAD = 2, OUT_MAX = DNS_TCP_PIPELINE * (FRAME_HEAD + DNS_REPLY_MAX), PAUSE_MS = 20 };

struct conn {
	struct dns_tcp *server;
	int fd;
	struct ip src;
	uint16_t port;
	struct loop_io io;
	struct loop_timer idle;
	struct loop_timer rest; /* running: questions are left unread for a moment */
	struct asked *open[DNS_TCP_PIPELINE];
	unsigned n_open;
	bool eof; /* the guest has sent its last byte */
	bool bad; /* a frame that no question can be: nothing behind it is read */
	struct buf out;
	size_t in_len;
	uint8_t in[FRAME_HEAD + DNS_ASK_MAX];
};

struct dns_tcp {
	struct asker *asker;
	int fd;
	struct loop_io io;
	struct loop_timer pause;
	struct conn *conns[DNS_TCP_CONNS_MAX];
	unsigned n_conns;
};

static struct loop *loop_of(const struct dns_tcp *t)
{
	return gate_loop(t->asker->gate);
}

static void conn_free(struct conn *c)
{
	struct dns_tcp *t = c->server;

	for (unsigned i = 0; i < DNS_TCP_PIPELINE; i++)
		asked_free(c->open[i]);
	loop_timer_disarm(&c->idle);
	loop_timer_disarm(&c->rest);
	loop_io_remove(&c->io);
	(void)fd_close(c->fd);
	buf_deinit(&c->out);
	for (unsigned i = 0; i < DNS_TCP_CONNS_MAX; i++)
		if (t->conns[i] == c)
			t->conns[i] = NULL;
	t->n_conns--;
	free(c);
	if (!t->pause.slot && t->io.loop)
		loop_io_want(&t->io, EPOLLIN);
}

static void on_idle(struct loop_timer *timer)
{
	conn_free(timer->owner);
}

static struct asked **place_of(struct conn *c, const struct asked *a)
{
	for (unsigned i = 0; i < DNS_TCP_PIPELINE; i++)
		if (c->open[i] == a)
			return &c->open[i];
	return NULL;
}

/* Sends what can be sent, watches for what is possible next. False: the connection is gone. */
static bool settle(struct conn *c)
{
	uint32_t events;

	while (c->out.len) {
		ssize_t n = send(c->fd, c->out.p, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			conn_free(c);
			return false;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if ((c->eof || c->bad) && !c->n_open && !c->out.len && !c->rest.slot) {
		conn_free(c);
		return false;
	}
	events = c->out.len ? EPOLLOUT : 0;
	if (!events && !c->eof && !c->bad && !c->rest.slot && c->n_open < DNS_TCP_PIPELINE)
		events = EPOLLIN;
	loop_io_want(&c->io, events);
	return loop_timer_arm(loop_of(c->server), &c->idle, DNS_TCP_IDLE_MS, on_idle, c);
}

static void read_frames(struct conn *c);

static void on_done(void *owner, struct asked *a)
{
	struct conn *c = owner;
	struct asked **place = place_of(c, a);

	if (a->reply_len) {
		(void)buf_u16be(&c->out, (uint16_t)a->reply_len);
		(void)buf_add(&c->out, a->reply, a->reply_len);
	}
	if (place)
		*place = NULL;
	c->n_open--;
	asked_free(a);
	read_frames(c);
	(void)settle(c);
}

static void on_rest_over(struct loop_timer *timer)
{
	read_frames(timer->owner);
	(void)settle(timer->owner);
}

/* Asks what lies in `in` as whole frames, as long as there is room. */
static void read_frames(struct conn *c)
{
	size_t at = 0;

	while (!c->bad && c->n_open < DNS_TCP_PIPELINE && c->in_len - at >= FRAME_HEAD) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];
		struct bytes msg = bytes_of(c->in + at + FRAME_HEAD, len);
		bool fits = len <= DNS_ASK_MAX;
		struct asked **place = place_of(c, NULL);

		if ((!asked_room(c->server->asker) || asked_too_fast(c->server->asker, PACKET_TCP)) &&
		    loop_timer_arm(loop_of(c->server), &c->rest, PAUSE_MS, on_rest_over, c))
			break;
		if (fits && len > c->in_len - at - FRAME_HEAD)
			break;
		must(place);
		*place = asked_start(c->server->asker, msg, c->src, c->port, PACKET_TCP,
				     fits ? REASON_OK : REASON_DNS_MALFORMED, on_done, c);
		c->bad = !fits || !*place;
		c->n_open += *place != NULL;
		at += fits ? FRAME_HEAD + len : c->in_len - at;
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

static void on_conn_io(struct loop_io *io, uint32_t events)
{
	struct conn *c = io->owner;

	if (events & (EPOLLERR | EPOLLHUP)) {
		conn_free(c);
		return;
	}
	if (events & EPOLLIN && !c->eof && c->in_len < sizeof(c->in)) {
		ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			c->eof = true;
		else if (n > 0)
			c->in_len += (size_t)n;
		read_frames(c);
	}
	(void)settle(c);
}

static void conn_start(struct dns_tcp *t, int fd, const struct sockaddr_in *from)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c || loop_io_add(loop_of(t), &c->io, fd, EPOLLIN, on_conn_io, c, NULL) < 0) {
		free(c);
		(void)fd_close(fd);
		return;
	}
	c->server = t;
	c->fd = fd;
	c->src = ip_v4(ntohl(from->sin_addr.s_addr));
	c->port = ntohs(from->sin_port);
	buf_init(&c->out, OUT_MAX);
	for (unsigned i = 0; i < DNS_TCP_CONNS_MAX; i++)
		if (!t->conns[i]) {
			t->conns[i] = c;
			break;
		}
	t->n_conns++;
	(void)settle(c);
}

static void on_pause_over(struct loop_timer *timer)
{
	struct dns_tcp *t = timer->owner;

	loop_io_want(&t->io, t->n_conns < DNS_TCP_CONNS_MAX ? EPOLLIN : 0);
}

static void on_spoofed(void *owner, struct asked *a)
{
	(void)owner;
	asked_free(a);
}

static void on_accept_io(struct loop_io *io, uint32_t events)
{
	struct dns_tcp *t = io->owner;
	struct sockaddr_in from = { 0 };
	socklen_t len = sizeof(from);
	int fd = -1;

	(void)events;
	if (asked_room(t->asker) && t->n_conns < DNS_TCP_CONNS_MAX)
		fd = accept4(t->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (loop_timer_arm(loop_of(t), &t->pause, PAUSE_MS, on_pause_over, t))
			loop_io_want(&t->io, 0);
		return;
	}
	if (ntohl(from.sin_addr.s_addr) == NET_GUEST) {
		conn_start(t, fd, &from);
		return;
	}
	(void)asked_start(t->asker, bytes_of(NULL, 0), ip_v4(ntohl(from.sin_addr.s_addr)),
			  ntohs(from.sin_port), PACKET_TCP, REASON_SOURCE_SPOOFED, on_spoofed,
			  NULL);
	(void)fd_close(fd);
}

int dns_tcp_new(struct dns_tcp **ret, struct asker *asker, int fd, struct err *e)
{
	struct dns_tcp *t = calloc(1, sizeof(*t));
	int r;

	if (!t) {
		(void)fd_close(fd);
		return err_set(e, ENOMEM, "out of memory for DNS over TCP");
	}
	t->asker = asker;
	t->fd = fd;
	r = loop_io_add(gate_loop(asker->gate), &t->io, fd, EPOLLIN, on_accept_io, t, e);
	if (r < 0) {
		dns_tcp_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct dns_tcp *dns_tcp_free(struct dns_tcp *t)
{
	if (!t)
		return NULL;
	loop_timer_disarm(&t->pause);
	loop_io_remove(&t->io);
	for (unsigned i = 0; i < DNS_TCP_CONNS_MAX; i++)
		if (t->conns[i])
			conn_free(t->conns[i]);
	(void)fd_close(t->fd);
	free(t);
	return NULL;
}
