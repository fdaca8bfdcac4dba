#include "proxy/http_side.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "os/fd.h"

void http_side_init(struct http_side *s, size_t in_max)
{
	*s = (struct http_side){ .fd = -1 };
	buf_init(&s->in, in_max);
	buf_init(&s->out, SIZE_MAX / 4);
}

int http_side_open(struct http_side *s, struct loop *l, int fd, loop_io_fn fn, void *owner)
{
	const int one = 1;
	int r = loop_io_add(l, &s->io, fd, EPOLLIN, fn, owner, NULL);

	if (r < 0) {
		(void)fd_close(fd);
		return r;
	}
	/* Small pieces (events of a stream) must leave at once. Fails on sockets that are not TCP: no harm. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->fd = fd;
	s->readable = false;
	s->eof = false;
	s->broken = false;
	s->deaf = false;
	return 0;
}

void http_side_close(struct http_side *s)
{
	loop_io_remove(&s->io);
	s->fd = fd_close(s->fd);
	buf_deinit(&s->in);
	buf_deinit(&s->out);
	s->readable = false;
}

void http_side_rest(struct http_side *s)
{
	if (s->in.len == 0)
		buf_deinit(&s->in);
	if (s->out.len == 0)
		buf_deinit(&s->out);
}

size_t http_side_read(struct http_side *s, size_t max)
{
	size_t room = s->in.max - s->in.len;
	uint8_t *p;
	ssize_t n;

	if (room > max)
		room = max;
	if (!s->readable || s->eof || room == 0)
		return 0;
	p = buf_room(&s->in, room);
	n = p ? recv(s->fd, p, room, MSG_DONTWAIT) : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		s->readable = errno == EINTR;
		return 0;
	}
	if (n <= 0) {
		s->eof = true;
		s->broken = n < 0 || !p;
		return 0;
	}
	buf_grew(&s->in, (size_t)n);
	s->moved += (uint64_t)n;
	return (size_t)n;
}

size_t http_side_flush(struct http_side *s)
{
	size_t all = 0;

	while (s->out.len && !s->deaf && !s->out.failed) {
		ssize_t n = send(s->fd, s->out.p, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			s->deaf = true;
		else
			buf_consume(&s->out, (size_t)n);
		all += n > 0 ? (size_t)n : 0;
	}
	s->moved += all;
	if (s->out.failed) /* a piece is missing: what follows would mean something else */
		s->deaf = true;
	if (s->deaf)
		buf_reset(&s->out);
	return all;
}

void http_side_want(struct http_side *s, bool read, bool more)
{
	if (s->io.loop)
		loop_io_want(&s->io, (read && !s->eof ? (uint32_t)EPOLLIN : 0) |
					     (s->out.len || (more && !s->deaf) ? (uint32_t)EPOLLOUT : 0));
}
