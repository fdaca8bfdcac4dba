#include "proxy/http_side.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/h2.h"
#include "net/held.h"
#include "net/tls.h"
#include "os/fd.h"

void http_side_init(struct http_side *s, size_t in_max)
{
	*s = (struct http_side){ .fd = -1 };
	buf_init(&s->in, in_max);
	buf_init(&s->out, SIZE_MAX / 4);
	held_buf(&s->in);
	held_buf(&s->out);
}

void http_side_wipes(struct http_side *s)
{
	buf_init_wiping(&s->out, s->out.max);
	held_buf(&s->out);
}

void http_side_heeds_leave(struct http_side *s)
{
	s->heeds_leave = true;
}

static void fresh(struct http_side *s, http_side_fn fn, void *owner)
{
	s->fn = fn;
	s->owner = owner;
	s->open = true;
	s->readable = false;
	s->plenty = false;
	s->cramped = false;
	s->starved = false;
	s->read_wants_out = false;
	s->write_wants_in = false;
	s->eof = false;
	s->left = false;
	s->broken = false;
	s->breach = NULL;
	s->deaf = false;
	s->fault = H2_OK;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct http_side *s = io->owner;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || ((events & EPOLLOUT) && (s->read_wants_out || s->tls)))
		s->readable = true;
	if (events & EPOLLRDHUP)
		s->left = true;
	s->fn(s->owner, events);
}

int http_side_open(struct http_side *s, struct loop *l, int fd, struct tls *tls, http_side_fn fn, void *owner)
{
	const int one = 1;
	int r = loop_io_add(l, &s->io, fd, s->heeds_leave ? EPOLLIN | EPOLLRDHUP : EPOLLIN, on_io, s, NULL);

	if (r < 0) {
		tls_free(tls);
		(void)fd_close(fd);
		return r;
	}
	/* Small pieces (events of a stream) must leave at once. Fails on sockets that are not TCP: no harm. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fresh(s, fn, owner);
	s->fd = fd;
	s->tls = tls;
	s->readable = tls && tls_pending(tls);
	return 0;
}

void http_side_asks(struct http_side *s)
{
	loop_io_rank(&s->io, 1);
}

void http_side_open_stream(struct http_side *s, struct h2_stream *stream, http_side_fn fn, void *owner)
{
	fresh(s, fn, owner);
	s->stream = stream;
	s->readable = true;
	h2_stream_set_user(stream, s);
}

static enum h2_fault fault_of(const struct h2_stream *s)
{
	enum h2_fault f = h2_stream_gone(s);
	enum h2_fault all = h2_fault(h2_stream_connection(s));

	return f == H2_CLOSED && all != H2_OK ? all : f;
}

enum reason http_side_reason(unsigned fault)
{
	if (fault >= H2_FLOOD_RESET && fault <= H2_FLOOD_HEADERS)
		return REASON_H2_FLOOD;
	switch (fault) {
	case H2_OK:
	case H2_PEER_RESET:
	case H2_NOT_PROCESSED:
	case H2_CLOSED:
		return REASON_GUEST_CLOSED;
	case H2_OURS:
		return REASON_UPSTREAM_MALFORMED;
	case H2_BAD_METHOD:
		return REASON_HTTP_METHOD;
	case H2_BAD_CONNECT:
		return REASON_HTTP_METHOD_UNLISTED;
	case H2_BAD_AUTHORITY:
		return REASON_HTTP_AUTHORITY;
	case H2_BAD_TARGET:
		return REASON_HTTP_TARGET;
	case H2_BAD_NAME:
	case H2_BAD_VALUE:
		return REASON_HTTP_HEADER;
	case H2_HEAD_TOO_LARGE:
	case H2_TARGET_TOO_LONG:
		return REASON_HTTP_TOO_LARGE;
	case H2_STALLED:
		return REASON_HTTP_TIMEOUT;
	case H2_MEMORY:
		return REASON_TOO_MANY_FLOWS;
	default:
		return REASON_H2_MALFORMED;
	}
}

unsigned http_side_own_fault(const struct http_side *s)
{
	bool own = (s->fault >= H2_BAD_PSEUDO && s->fault < H2_PROTOCOL) || s->fault == H2_OURS || s->fault == H2_MEMORY;

	return own ? s->fault : H2_CLOSED;
}

void http_side_wake(struct http_side *s)
{
	uint32_t events = EPOLLIN | EPOLLOUT;

	s->readable = true;
	if (h2_stream_gone(s->stream) != H2_OK) { /* its connection may be gone sooner than the flow is */
		s->fault = fault_of(s->stream);
		h2_stream_release(s->stream);
		s->stream = NULL;
		s->open = false;
		s->eof = s->broken = s->deaf = true;
		buf_reset(&s->out);
		events |= EPOLLHUP;
	}
	s->fn(s->owner, events);
}

void http_side_close(struct http_side *s)
{
	loop_io_remove(&s->io);
	s->tls = tls_free(s->tls);
	if (s->stream)
		h2_stream_release(s->stream);
	s->stream = NULL;
	s->fd = fd_close(s->fd);
	buf_deinit(&s->in);
	buf_deinit(&s->out);
	s->readable = false;
	s->open = false;
}

bool http_side_move(struct http_side *to, struct http_side *from, http_side_fn fn, void *owner)
{
	bool clean = from->open && !from->stream && !from->eof && !from->deaf && from->in.len == 0 && from->out.len == 0 && from->io.loop;

	if (clean) {
		loop_io_move(&to->io, &from->io, on_io, to);
		loop_io_want(&to->io, EPOLLIN);
		fresh(to, fn, owner);
		to->fd = fd_take(&from->fd);
		to->tls = from->tls;
		to->readable = to->tls && tls_pending(to->tls);
		from->tls = NULL;
	}
	http_side_close(from);
	return clean;
}

void http_side_reset(struct http_side *s)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (s->fd >= 0)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	http_side_close(s);
}

bool http_side_shutdown(struct http_side *s)
{
	if (s->tls && tls_shutdown(s->tls) == TLS_WANT_WRITE)
		return false;
	if (s->stream)
		h2_stream_end(s->stream);
	if (s->fd >= 0)
		(void)shutdown(s->fd, SHUT_WR);
	return true;
}

void http_side_rest(struct http_side *s)
{
	if (s->in.len == 0)
		buf_deinit(&s->in);
	if (s->out.len == 0)
		buf_deinit(&s->out);
}

static size_t end(struct http_side *s, bool broken)
{
	s->eof = true;
	s->left = s->left || !s->stream;
	s->broken = broken;
	return 0;
}

/* After less than there was room for, the loop will tell when there is more, if it still watches. */
static size_t read_tls(struct http_side *s, uint8_t *p, size_t room)
{
	size_t n = 0;

	s->read_wants_out = false;
	switch (tls_read(s->tls, p, room, &n)) {
	case TLS_DONE:
		s->readable = n == room || !s->io.loop || tls_pending(s->tls);
		return n;
	case TLS_WANT_WRITE:
		s->read_wants_out = true;
		s->readable = false;
		return 0;
	case TLS_WANT_READ:
		s->readable = false;
		return 0;
	case TLS_EOF:
		return end(s, false);
	case TLS_FAILED:
		s->breach = tls_fault(s->tls) == TLS_FAULT_PROTOCOL ? tls_detail(s->tls) : NULL;
		break;
	case TLS_TRUNCATED:
		break;
	}
	return end(s, true);
}

static size_t read_socket(struct http_side *s, uint8_t *p, size_t room)
{
	ssize_t n = recv(s->fd, p, room, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		s->readable = errno == EINTR;
		return 0;
	}
	if (n <= 0)
		return end(s, n < 0);
	s->readable = (size_t)n == room || !s->io.loop;
	return (size_t)n;
}

static size_t starve(struct http_side *s)
{
	s->starved = true;
	return end(s, true);
}

static size_t read_stream(struct http_side *s, size_t room)
{
	size_t n = room >= H2_READ_MIN ? h2_stream_read(s->stream, &s->in, room) : 0;

	if (s->in.failed) /* a piece is missing */
		return starve(s);
	if (n == 0 && h2_stream_read_done(s->stream))
		return end(s, false);
	if (n == 0 && h2_stream_gone(s->stream) != H2_OK)
		return end(s, true);
	s->readable = n > 0 || room < H2_READ_MIN;
	return n;
}

/* Most messages are small, and while memory is short everybody reads little at a time. When it is nearly out nobody takes more than a small
 * message needs or `in` has already: who stands goes on with that. */
static size_t room_now(const struct http_side *s, size_t room)
{
	size_t has = s->in.cap > HTTP_SIDE_READ_FIRST ? s->in.cap : HTTP_SIDE_READ_FIRST;

	if ((!s->plenty || !held_may_begin()) && room > HTTP_SIDE_READ_FIRST)
		room = HTTP_SIDE_READ_FIRST;
	if (!held_may_grow() && room > has - s->in.len)
		room = has - s->in.len;
	return room;
}

size_t http_side_read(struct http_side *s, size_t max)
{
	size_t room = s->in.max - s->in.len;
	uint8_t *p;
	size_t n;

	if (room > max)
		room = max;
	if (!s->open || !s->readable || s->eof || room == 0)
		return 0;
	if (s->stream) {
		n = read_stream(s, room);
	} else {
		room = room_now(s, room);
		s->cramped = room == 0;
		if (s->cramped)
			return 0;
		p = buf_room(&s->in, room);
		n = !p ? starve(s) : s->tls ? read_tls(s, p, room) : read_socket(s, p, room);
		buf_grew(&s->in, n);
		s->plenty = n == room;
	}
	s->moved += n;
	return n;
}

bool http_side_ahead(const struct http_side *s)
{
	return s->tls && !s->eof && tls_pending(s->tls);
}

bool http_side_silent(struct http_side *s)
{
	char c;

	if (s->stream)
		return h2_stream_gone(s->stream) == H2_OK;
	if (!s->tls)
		return recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
	/* What lies there may be no data: a host sends its session tickets when it likes. */
	s->readable = true;
	return http_side_read(s, HTTP_SIDE_READ) == 0 && !s->eof && s->in.len == 0;
}

bool http_side_heard_silent(const struct http_side *s)
{
	return !s->stream && !s->readable && loop_io_heard(&s->io);
}

static size_t write_tls(struct http_side *s)
{
	size_t n = 0;
	enum tls_answer a = tls_write(s->tls, buf_view(&s->out), &n);

	s->write_wants_in = a == TLS_WANT_READ;
	if (a != TLS_DONE && a != TLS_WANT_READ && a != TLS_WANT_WRITE)
		s->deaf = true;
	return n;
}

static size_t write_socket(struct http_side *s)
{
	ssize_t n;

	do
		n = send(s->fd, s->out.p, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		s->deaf = true;
	return n > 0 ? (size_t)n : 0;
}

size_t http_side_out_full(void)
{
	return held_may_begin() ? (size_t)HTTP_SIDE_OUT_FULL : (size_t)HTTP_SIDE_OUT_SHORT;
}

bool http_side_full(const struct http_side *s)
{
	return s->out.len >= HTTP_SIDE_OUT_SHORT && s->out.len >= http_side_out_full();
}

size_t http_side_flush(struct http_side *s)
{
	size_t all = 0;

	while (s->open && s->out.len && !s->deaf && !s->out.failed) {
		size_t n = s->stream ? h2_stream_write(s->stream, buf_view(&s->out)) : s->tls ? write_tls(s) : write_socket(s);

		if (n == 0)
			break;
		buf_consume(&s->out, n);
		all += n;
	}
	s->moved += all;
	if (s->out.failed) /* a piece is missing: what follows would mean something else */
		s->deaf = s->starved = true;
	if (s->deaf)
		buf_reset(&s->out);
	return all;
}

bool http_side_unwatched(const struct http_side *s)
{
	return !s->stream && !s->io.loop;
}

bool http_side_watched(const struct http_side *s)
{
	return s->io.loop;
}

void http_side_unwatch(struct http_side *s)
{
	loop_io_remove(&s->io);
}

void http_side_want(struct http_side *s, bool read, bool more)
{
	uint32_t events = 0;

	if (!s->io.loop)
		return;
	if (s->heeds_leave && !s->left) /* once it is told it would be told again and again */
		events |= EPOLLRDHUP;
	if ((read && !s->eof) || s->write_wants_in)
		events |= EPOLLIN;
	if ((s->out.len && !s->write_wants_in) || (more && !s->deaf) ||
	    (read && !s->eof && (s->read_wants_out || (s->tls && tls_pending(s->tls)))))
		events |= EPOLLOUT;
	loop_io_want(&s->io, events);
}
