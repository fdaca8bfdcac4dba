/* The proxy's answer is looked at in the kernel's buffer (MSG_PEEK) and only its head is taken out: bytes that the host sends right
 * behind it (a server that speaks first) stay for whoever gets the descriptor. A head that grows slowly is looked at again from its
 * start; the waiting for more is bounded by SO_RCVLOWAT, so that the loop does not spin on bytes it has seen. */
#include "workspace/dialer/talk.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "os/fd.h"
#include "wire/proxy_reply.h"

enum { REQUEST_MAX = 2 * NAME_MAX_LEN + 64 };

void talk_cancel(struct talk *t)
{
	if (!t->loop)
		return;
	loop_io_remove(&t->io);
	loop_timer_disarm(&t->late);
	t->fd = fd_close(t->fd);
	t->loop = NULL;
}

static void lose(struct talk *t, const char *why)
{
	talk_cancel(t);
	t->done(t->owner, -1, why);
}

static void on_late(struct loop_timer *timer)
{
	lose(timer->owner, "the proxy did not answer in time");
}

static void send_request(struct talk *t)
{
	char out[REQUEST_MAX];
	int len = snprintf(out, sizeof(out), "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", t->name.text, t->port, t->name.text,
			   t->port);

	if (send(t->fd, out, (size_t)len, MSG_NOSIGNAL) != len)
		lose(t, "the proxy closed the connection");
	else
		loop_io_want(&t->io, EPOLLIN | EPOLLRDHUP); /* an end is told again and again, whatever SO_RCVLOWAT says */
}

static void wait_for_more_than(struct talk *t, size_t seen)
{
	int n = (int)seen + 1;

	if (setsockopt(t->fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n)) < 0)
		lose(t, "the proxy's answer cannot be waited for");
}

static void win(struct talk *t, size_t head_len)
{
	static uint8_t head[PROXY_REPLY_MAX];
	int one = 1;
	int fd;

	if (recv(t->fd, head, head_len, 0) != (ssize_t)head_len || setsockopt(t->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one)) < 0) {
		lose(t, "the proxy closed the connection");
		return;
	}
	loop_io_remove(&t->io);
	fd = fd_take(&t->fd);
	talk_cancel(t);
	t->done(t->owner, fd, NULL);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	static uint8_t seen[PROXY_REPLY_MAX];
	struct talk *t = io->owner;
	char why[64];
	size_t len;
	unsigned status;
	ssize_t n;

	if (io->events & EPOLLOUT) {
		send_request(t);
		return;
	}
	n = recv(t->fd, seen, sizeof(seen), MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(t, "the proxy closed the connection");
		return;
	}
	switch (proxy_reply_parse(bytes_of(seen, (size_t)n), &len, &status)) {
	case PROXY_REPLY_BAD:
		lose(t, "the proxy's answer is malformed");
		return;
	case PROXY_REPLY_MORE:
		if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
			lose(t, "the proxy closed the connection");
		else
			wait_for_more_than(t, (size_t)n);
		return;
	case PROXY_REPLY_DONE:
		break;
	}
	if (status / 100 == 2) {
		win(t, len);
		return;
	}
	(void)snprintf(why, sizeof(why), "the proxy answered %u", status);
	lose(t, why);
}

bool talk_start(struct talk *t, struct loop *l, int fd, const struct name *name, uint16_t port,
		void (*done)(void *owner, int fd, const char *why), void *owner)
{
	*t = (struct talk){ .loop = l, .fd = fd, .name = *name, .port = port, .done = done, .owner = owner };
	if (loop_timer_arm(l, &t->late, TALK_MS, on_late, t) &&
	    loop_io_add(l, &t->io, fd, EPOLLOUT | EPOLLRDHUP, on_io, t, NULL) == 0)
		return true;
	talk_cancel(t);
	return false;
}
