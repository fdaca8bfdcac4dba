/* What is believed: a datagram from exactly the server and port that were asked (the socket is connected), to a port that the kernel
 * drew for this question alone, with the random id and the whole question repeated. A datagram that is anything else means that somebody
 * interferes, so the question goes to the same server over TCP, where a stranger cannot answer. Truncated, oversize and malformed
 * answers go the same way. What TCP brings is final for that server. */
#include "workspace/dialer/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "crypt/random.h"
#include "os/fd.h"
#include "workspace/dialer/sock.h"

enum { DNS_PORT = 53, LENGTH_BYTES = 2, FOLLOW_MAX = 4 };

static void on_udp(struct loop_io *io, uint32_t events);
static void on_tcp(struct loop_io *io, uint32_t events);
static void on_late(struct loop_timer *t);

static void close_socket(struct ask *a)
{
	loop_io_remove(&a->io);
	a->fd = fd_close(a->fd);
	free(a->in);
	a->in = NULL;
	a->in_len = 0;
}

void ask_cancel(struct ask *a)
{
	if (!a->loop)
		return;
	close_socket(a);
	loop_timer_disarm(&a->timer);
	loop_later_cancel(&a->given_up);
	a->loop = NULL;
}

static void finish(struct ask *a, enum dns_answer_result r, const struct dns_answer *answer)
{
	ask_cancel(a);
	a->done(a->owner, r, answer);
}

static void on_given_up(struct loop_later *l)
{
	struct ask *a = l->owner;

	finish(a, DNS_ANSWER_FAILED, NULL);
}

static bool send_udp(struct ask *a)
{
	uint8_t out[DNS_QUERY_MAX];
	size_t len = dns_query_build(&a->q, out);

	return send(a->fd, out, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* One attempt at the server whose turn it is; false when it failed at once. */
static bool attempt(struct ask *a)
{
	struct resolv_server server = a->conf.servers[a->turn % a->conf.n_servers];

	close_socket(a);
	random_bytes(&a->q.id, sizeof(a->q.id));
	a->fd = sock_connect(a->tcp ? SOCK_STREAM : SOCK_DGRAM, server.ip, server.port);
	if (a->fd < 0) {
		a->fd = -1;
		return false;
	}
	if (a->tcp) {
		a->in = malloc(LENGTH_BYTES + DNS_ANSWER_MAX);
		if (!a->in)
			return false;
	} else if (!send_udp(a)) {
		return false;
	}
	return loop_io_add(a->loop, &a->io, a->fd, a->tcp ? EPOLLOUT : EPOLLIN, a->tcp ? on_tcp : on_udp, a, NULL) == 0 &&
	       loop_timer_arm(a->loop, &a->timer, a->conf.timeout_ms, on_late, a);
}

/* Tries servers from a->turn on until one attempt is under way. */
static void go_on(struct ask *a)
{
	while (a->turn < a->conf.n_servers * a->conf.attempts) {
		if (attempt(a))
			return;
		a->turn++;
		a->tcp = a->conf.tcp;
	}
	close_socket(a);
	loop_timer_disarm(&a->timer);
	loop_later(a->loop, &a->given_up, on_given_up, a);
}

static void next_server(struct ask *a)
{
	a->turn++;
	a->tcp = a->conf.tcp;
	a->q.edns = true;
	go_on(a);
}

static void on_late(struct loop_timer *t)
{
	next_server(t->owner);
}

static void over_tcp(struct ask *a)
{
	if (a->tcp) {
		next_server(a);
		return;
	}
	a->tcp = true;
	go_on(a);
}

/* The chain goes on outside the answer: the same server is asked for its end. */
static void follow(struct ask *a, const struct dns_answer *answer)
{
	if (a->n_follow++ == FOLLOW_MAX) {
		finish(a, DNS_ANSWER_CHAIN, NULL);
		return;
	}
	a->n_cnames += answer->n_cnames;
	a->q.name = answer->final;
	go_on(a);
}

static void on_failed(struct ask *a, enum dns_rcode rcode)
{
	bool no_edns = rcode == DNS_FORMERR || rcode == DNS_NOTIMP || rcode == DNS_BADVERS;

	if (!a->q.edns || !no_edns) {
		next_server(a);
		return;
	}
	a->q.edns = false;
	go_on(a);
}

static void judge(struct ask *a, struct bytes msg)
{
	struct dns_answer answer;
	enum dns_answer_result r = dns_answer_parse(msg, &a->q, a->n_cnames, &answer);

	switch (r) {
	case DNS_ANSWER_OK:
	case DNS_ANSWER_NONE:
	case DNS_ANSWER_NXDOMAIN:
		finish(a, r, &answer);
		return;
	case DNS_ANSWER_CHAIN:
		finish(a, r, NULL);
		return;
	case DNS_ANSWER_CONTINUE:
		follow(a, &answer);
		return;
	case DNS_ANSWER_FAILED:
		on_failed(a, answer.rcode);
		return;
	case DNS_ANSWER_TRUNCATED:
	case DNS_ANSWER_STRANGER:
	case DNS_ANSWER_MALFORMED:
		over_tcp(a);
		return;
	}
	must(false);
}

static void on_udp(struct loop_io *io, uint32_t events)
{
	struct ask *a = io->owner;
	uint8_t in[DNS_UDP_SIZE + 1];
	ssize_t n = recv(a->fd, in, sizeof(in), 0);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		next_server(a);
	else if (n > DNS_UDP_SIZE)
		over_tcp(a);
	else
		judge(a, bytes_of(in, (size_t)n));
}

static void send_tcp(struct ask *a)
{
	uint8_t out[LENGTH_BYTES + DNS_QUERY_MAX];
	size_t len = dns_query_build(&a->q, out + LENGTH_BYTES);

	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	/* A fresh socket takes these few bytes at once, or something is wrong with it. */
	if (sock_error(a->fd) || send(a->fd, out, LENGTH_BYTES + len, MSG_NOSIGNAL) != (ssize_t)(LENGTH_BYTES + len))
		next_server(a);
	else
		loop_io_want(&a->io, EPOLLIN);
}

static void on_tcp(struct loop_io *io, uint32_t events)
{
	struct ask *a = io->owner;
	size_t want = LENGTH_BYTES;
	ssize_t n;

	if (io->events & EPOLLOUT) {
		send_tcp(a);
		return;
	}
	(void)events;
	if (a->in_len >= LENGTH_BYTES)
		want += (size_t)a->in[0] << 8 | a->in[1];
	if (want > LENGTH_BYTES + (size_t)DNS_ANSWER_MAX) {
		next_server(a);
		return;
	}
	n = recv(a->fd, a->in + a->in_len, want - a->in_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		next_server(a);
		return;
	}
	a->in_len += (size_t)n;
	if (a->in_len > LENGTH_BYTES && a->in_len == want)
		judge(a, bytes_of(a->in + LENGTH_BYTES, a->in_len - LENGTH_BYTES));
	else if (a->in_len == LENGTH_BYTES && !a->in[0] && !a->in[1])
		next_server(a);
}

void ask_start(struct ask *a, struct loop *l, const struct resolv_conf *conf, const struct dns_name *name, uint16_t type,
	       ask_done_fn done, void *owner)
{
	*a = (struct ask){ .loop = l, .conf = *conf, .fd = -1, .done = done, .owner = owner, .tcp = conf->tcp };
	a->q = (struct dns_query){ .type = type, .edns = true, .name = *name };
	go_on(a);
}
