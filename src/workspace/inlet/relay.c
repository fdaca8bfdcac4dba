#include "workspace/inlet/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "net/held.h"
#include "os/fd.h"

/* Level-triggered. A direction is in one of two states: reading (its source is watched for
 * input) or blocked (bytes lie in the head or in the pipe, its target is watched for output, its
 * source is not read). Interest changes only when a direction blocks or unblocks, which moves a
 * whole socket buffer each time.
 *
 * Small messages are cheapest copied: one read, one write. A read that fills the copy buffer
 * makes the direction `bulk`: from then on its bytes are spliced and never touched, until a
 * splice brings little. A turn costs one wait, one call in and one call out; a short read is not
 * followed by a second one, since the loop tells when there is more.
 *
 * A pipe is taken when bytes are about to move and given back when it is empty, so that idle
 * flows hold none. */

enum {
	COPY_MAX = 16 * 1024,
	MORE_MIN = 64 * 1024, /* a splice of this many bytes is followed by another one at once */
};

/* One direction at a time is served on the one thread. */
static uint8_t copy[COPY_MAX];

static struct relay_pipe kept[RELAY_PIPES_KEPT];
static unsigned n_kept;

static bool pipe_take(struct relay_way *w)
{
	int fds[2];

	if (w->has_pipe)
		return true;
	if (n_kept) {
		w->pipe = kept[--n_kept];
	} else {
		if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
			return false;
		/* Refused when our uid has too many big pipes: a small one works as well, only
		 * slower. */
		(void)fcntl(fds[1], F_SETPIPE_SZ, RELAY_PIPE_BYTES);
		w->pipe = (struct relay_pipe){ .read_fd = fds[0], .write_fd = fds[1] };
	}
	w->has_pipe = true;
	return true;
}

static void pipe_close(struct relay_pipe p)
{
	(void)fd_close(p.read_fd);
	(void)fd_close(p.write_fd);
}

/* A pipe that still holds bytes of a broken flow must never serve another one. */
static void pipe_give(struct relay_way *w)
{
	if (!w->has_pipe)
		return;
	w->has_pipe = false;
	if (!w->in_pipe && n_kept < RELAY_PIPES_KEPT)
		kept[n_kept++] = w->pipe;
	else
		pipe_close(w->pipe);
	w->in_pipe = 0;
}

void relay_pipes_drop(void)
{
	while (n_kept)
		pipe_close(kept[--n_kept]);
}

/* What became of an attempt to move bytes. */
enum moved { MOVED_SOME, MOVED_BLOCKED, MOVED_FAILED };

static enum moved blocked_or_failed(void)
{
	return errno == EAGAIN || errno == EINTR ? MOVED_BLOCKED : MOVED_FAILED;
}

static enum moved send_head(struct relay *r, struct relay_way *w)
{
	while (w->head && w->head->len) {
		ssize_t n = send(r->end[w->to].fd, w->head->p, w->head->len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return blocked_or_failed();
		w->moved += (uint64_t)n;
		buf_consume(w->head, (size_t)n);
	}
	if (w->head)
		buf_deinit(w->head);
	w->head = NULL;
	return MOVED_SOME;
}

static enum moved drain_pipe(struct relay *r, struct relay_way *w)
{
	while (w->in_pipe) {
		ssize_t n = splice(w->pipe.read_fd, NULL, r->end[w->to].fd, NULL, w->in_pipe,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n <= 0)
			return n < 0 ? blocked_or_failed() : MOVED_FAILED;
		w->moved += (uint64_t)n;
		w->in_pipe -= (size_t)n;
	}
	return MOVED_SOME;
}

static enum moved fill_pipe(struct relay *r, struct relay_way *w)
{
	ssize_t n;

	if (!pipe_take(w))
		return MOVED_FAILED;
	n = splice(r->end[w->from].fd, NULL, w->pipe.write_fd, NULL, RELAY_PIPE_BYTES,
		   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n < 0)
		return blocked_or_failed();
	w->in_pipe = (size_t)n;
	w->eof = n == 0;
	w->bulk = n >= COPY_MAX;
	w->more = n >= MORE_MIN;
	return drain_pipe(r, w);
}

static enum moved copy_some(struct relay *r, struct relay_way *w)
{
	ssize_t n = recv(r->end[w->from].fd, copy, sizeof(copy), MSG_DONTWAIT);
	ssize_t sent;

	if (n < 0)
		return blocked_or_failed();
	w->eof = n == 0;
	w->bulk = w->more = n == COPY_MAX;
	if (n == 0)
		return MOVED_SOME;
	sent = send(r->end[w->to].fd, copy, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && blocked_or_failed() == MOVED_FAILED)
		return MOVED_FAILED;
	sent = sent < 0 ? 0 : sent;
	w->moved += (uint64_t)sent;
	if (sent == n)
		return MOVED_SOME;
	w->head = &w->rest;
	r->starved = !buf_add(w->head, copy + sent, (size_t)(n - sent));
	return r->starved ? MOVED_FAILED : MOVED_BLOCKED;
}

/* Moves what can be moved now. False: this direction has failed. */
static bool way_run(struct relay *r, struct relay_way *w)
{
	enum moved m = send_head(r, w);

	if (m == MOVED_SOME)
		m = drain_pipe(r, w);
	w->more = true;
	for (unsigned i = 0; i < RELAY_ROUNDS && m == MOVED_SOME && !w->eof && w->more; i++)
		m = w->bulk ? fill_pipe(r, w) : copy_some(r, w);
	if (m == MOVED_FAILED)
		return false;
	if (w->head || w->in_pipe)
		return true;
	pipe_give(w);
	if (w->eof && !w->through) {
		w->through = true;
		(void)shutdown(r->end[w->to].fd, SHUT_WR);
	}
	return true;
}

static bool way_blocked(const struct relay_way *w)
{
	return w->head || w->in_pipe;
}

static void on_io(struct loop_io *io, uint32_t events);

/* What end `i` is watched for: input of the way that starts there, output for the way that ends
 * there. */
static uint32_t wanted(const struct relay *r, unsigned i)
{
	const struct relay_way *out = &r->way[i];
	const struct relay_way *in = &r->way[!i];

	return (!out->eof && !way_blocked(out) ? (uint32_t)EPOLLIN : 0) |
	       (way_blocked(in) ? (uint32_t)EPOLLOUT : 0);
}

static int watch(struct relay *r, unsigned i, struct err *e)
{
	struct relay_end *end = &r->end[i];
	uint32_t events = wanted(r, i);

	if (end->io.loop && (!end->gone || events)) {
		loop_io_want(&end->io, events);
		return 0;
	}
	loop_io_remove(&end->io);
	return events || !end->gone ? loop_io_add(r->loop, &end->io, end->fd, events, on_io, end, e)
				    : 0;
}

static void finish(struct relay *r, bool clean)
{
	void (*on_end)(void *owner, bool clean) = r->on_end;

	relay_stop(r);
	on_end(r->owner, clean);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct relay_end *end = io->owner;
	struct relay *r = end->relay;
	unsigned i = end == &r->end[1];

	/* Hang-up is told without being asked for, again and again: an end that has nothing else
	 * to tell is watched no longer. */
	if (events & EPOLLHUP)
		end->gone = true;
	if (((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !way_blocked(&r->way[i]) &&
	     !r->way[i].eof && !way_run(r, &r->way[i])) ||
	    ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && way_blocked(&r->way[!i]) &&
	     !way_run(r, &r->way[!i])) ||
	    (events & EPOLLERR)) {
		finish(r, false);
		return;
	}
	if (r->way[0].through && r->way[1].through)
		finish(r, true);
	else if (watch(r, 0, NULL) < 0 || watch(r, 1, NULL) < 0)
		finish(r, false);
}

/* Small writes leave at once; a peer that is gone without a word is noticed within a quarter of
 * an hour. */
static void tune(int fd)
{
	static const struct {
		int level;
		int name;
		int value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },    { IPPROTO_TCP, TCP_KEEPIDLE, 600 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 60 }, { IPPROTO_TCP, TCP_KEEPCNT, 5 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				 sizeof(int));
}

int relay_start(struct relay *r, struct loop *l, int fd0, int fd1, struct buf *head,
		void (*on_end)(void *owner, bool clean), void *owner, struct err *e)
{
	int code = 0;

	*r = (struct relay){ .loop = l, .on_end = on_end, .owner = owner };
	for (unsigned i = 0; i < 2; i++) {
		r->end[i] = (struct relay_end){ .relay = r, .fd = i ? fd1 : fd0 };
		r->way[i] = (struct relay_way){ .from = i, .to = !i };
		buf_init(&r->way[i].rest, COPY_MAX);
		held_buf(&r->way[i].rest);
		tune(r->end[i].fd);
	}
	r->way[0].head = head && head->len ? head : NULL;
	/* The connection to end 1 is fresh: what a hello has fits its buffer, as a rule. */
	if (send_head(r, &r->way[0]) == MOVED_FAILED)
		code = err_set(e, EPIPE, "the host closed the connection before its first byte");
	for (unsigned i = 0; i < 2 && code == 0; i++)
		code = watch(r, i, e);
	if (code < 0)
		relay_stop(r);
	return code;
}

void relay_stop(struct relay *r)
{
	for (unsigned i = 0; i < 2; i++) {
		loop_io_remove(&r->end[i].io);
		pipe_give(&r->way[i]);
		r->way[i].head = NULL;
		buf_deinit(&r->way[i].rest);
	}
}
