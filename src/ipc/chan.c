#include "ipc/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/pack.h"
#include "os/fd.h"

/* One datagram to be: a pack with room for more messages, sent without its frame while there is only one in it. */
struct queued {
	struct queued *next;
	size_t len;
	size_t cap;
	unsigned n; /* messages */
	bool wipe;
	unsigned n_fds;
	int fds[MSG_FDS_MAX];
	uint8_t p[];
};

struct chan {
	struct loop *loop;
	struct loop_io io;
	struct loop_later end;
	struct loop_later post; /* sends what chan_post() left */
	struct loop_timer again; /* sends what the kernel would not take for now */
	int fd;
	const struct chan_permit *permits;
	size_t n_permits;
	chan_end_fn on_end;
	void *owner;
	const char *why; /* set once, when the channel is at its end */
	struct queued *first;
	struct queued *last; /* NULL when there is none */
	size_t n_queued;
	bool wipe;
	bool held;
	bool mute; /* the peer is gone: nothing more is sent, and what it said last is still to be read */
};

enum {
	BATCH = 16, /* datagrams of one system call */
	TURN_MAX = 64, /* messages, and then no further system call, of one turn, so that one chatty peer cannot starve the others */
	POSTED_MAX = 64 * 1024, /* bytes that wait for the turn's end */
	PACK_LIKE = 20, /* messages of the first one's length that a pack of ours has room for */
	PACK_ROOM = 8 * 1024, /* and its most bytes: the kernel takes them in one piece of memory */
	FRAME = PACK_HEAD + PACK_EACH,
	AGAIN_MS = 10,
};

_Static_assert(BATCH * PACK_MESSAGES_MAX == CHAN_BATCH_MAX, "what chan_hold() promises");

struct control {
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
};

/* All channels of a process are read on its one thread, one batch at a time. */
static uint8_t incoming[BATCH][MSG_MAX];

static void end_later(struct loop_later *later)
{
	struct chan *c = later->owner;

	c->on_end(c->owner, c->why);
}

static void finish(struct chan *c, const char *why)
{
	if (c->why)
		return;
	c->why = why;
	loop_io_remove(&c->io);
	loop_later(c->loop, &c->end, end_later, c);
}

/* `h` borrows all the rest. */
static void put_header(struct msghdr *h, struct iovec *iov, struct control *control, const int *fds, unsigned n_fds)
{
	struct cmsghdr *c;

	*h = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
	if (!n_fds)
		return;
	*control = (struct control){ 0 };
	h->msg_control = control->space;
	h->msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
}

static ssize_t send_one(int fd, const struct msg *m)
{
	struct control control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)m->p, .iov_len = m->len };
	struct msghdr h;

	put_header(&h, &iov, &control, m->fds, m->n_fds);
	return sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* As many of those queued as one system call takes. Gives how many went, or -1 with errno. */
static int send_queued(const struct chan *c)
{
	struct control control[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr h[BATCH];
	unsigned n = 0;

	for (struct queued *q = c->first; q && n < BATCH; q = q->next, n++) {
		size_t frame = q->n == 1 ? FRAME : 0;

		iov[n] = (struct iovec){ .iov_base = q->p + frame, .iov_len = q->len - frame };
		put_header(&h[n].msg_hdr, &iov[n], &control[n], q->fds, q->n_fds);
	}
	return sendmmsg(c->fd, h, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void queued_free(struct queued *q)
{
	for (unsigned i = 0; i < q->n_fds; i++)
		(void)fd_close(q->fds[i]);
	if (q->wipe)
		explicit_bzero(q->p, q->len);
	free(q);
}

static void drop_first(struct chan *c)
{
	struct queued *q = c->first;

	c->first = q->next;
	if (!c->first)
		c->last = NULL;
	c->n_queued -= q->len;
	queued_free(q);
}

/* ETOOMANYREFS: this user has more descriptors under way, in all its processes, than this process may have open. */
static bool is_for_now(int error)
{
	return error == EAGAIN || error == EINTR || error == ETOOMANYREFS;
}

/* The peer closed its end. Its last words wait to be read, and then the end shows there. */
static bool is_gone(int error)
{
	return error == EPIPE || error == ECONNRESET || error == ECONNREFUSED || error == ENOTCONN;
}

static void want(struct chan *c, uint32_t events)
{
	if (!c->held)
		loop_io_want(&c->io, events);
}

static void fall_mute(struct chan *c)
{
	c->mute = true;
	while (c->first)
		drop_first(c);
	want(c, EPOLLIN);
}

static void on_again(struct loop_timer *t);

static void send_again(struct chan *c, int error)
{
	if (error != ETOOMANYREFS)
		want(c, EPOLLIN | EPOLLOUT);
	/* The socket itself takes writes, so that only time can tell. */
	else if (loop_timer_arm(c->loop, &c->again, AGAIN_MS, on_again, c))
		want(c, EPOLLIN);
	else
		finish(c, "out of memory");
}

static void flush(struct chan *c)
{
	while (c->first) {
		int n = send_queued(c);

		if (n < 0 && is_for_now(errno)) {
			send_again(c, errno);
			return;
		}
		if (n < 0 && is_gone(errno)) {
			fall_mute(c);
			return;
		}
		if (n <= 0) {
			finish(c, "closed");
			return;
		}
		while (n--)
			drop_first(c);
	}
	want(c, EPOLLIN);
}

static void on_again(struct loop_timer *t)
{
	struct chan *c = t->owner;

	if (!c->why)
		flush(c);
}

static void put_message(struct queued *q, const struct msg *m)
{
	pack_put_len(q->p + q->len, m->len);
	memcpy(q->p + q->len + PACK_EACH, m->p, m->len);
	q->len += PACK_EACH + m->len;
	q->n++;
}

static struct queued *queued_new(const struct chan *c, const struct msg *m, size_t room)
{
	size_t cap = FRAME + m->len > room ? FRAME + m->len : room;
	struct queued *q = malloc(sizeof(*q) + cap);

	if (!q)
		return NULL;
	*q = (struct queued){ .len = PACK_HEAD, .cap = cap, .wipe = c->wipe };
	pack_put_head(q->p);
	put_message(q, m);
	for (unsigned i = 0; i < m->n_fds; i++) {
		q->fds[i] = fcntl(m->fds[i], F_DUPFD_CLOEXEC, 3);
		if (q->fds[i] < 0) {
			queued_free(q);
			return NULL;
		}
		q->n_fds++;
	}
	return q;
}

static bool fits(const struct queued *q, const struct msg *m)
{
	return q && m->n_fds == 0 && q->n < PACK_MESSAGES_MAX && PACK_EACH + m->len <= q->cap - q->len;
}

/* `room`: of a pack that is begun with it; 0: it travels alone. */
static bool enqueue(struct chan *c, const struct msg *m, size_t room)
{
	struct queued *q = room && fits(c->last, m) ? c->last : NULL;
	size_t had = q ? q->len : 0;

	if ((q ? PACK_EACH : FRAME) + m->len > CHAN_QUEUE_MAX - c->n_queued) /* as much as is counted below */
		return false;
	if (q) {
		put_message(q, m);
	} else {
		q = queued_new(c, m, m->n_fds ? 0 : room);
		if (!q)
			return false;
		if (c->last)
			c->last->next = q;
		else
			c->first = q;
		c->last = q;
	}
	c->n_queued += q->len - had;
	return true;
}

static bool sendable(struct chan *c, const struct msg *m)
{
	if (!c->why && !msg_done(m))
		finish(c, "a message of ours was too long");
	return !c->why && !c->mute;
}

void chan_send(struct chan *c, const struct msg *m)
{
	int error = 0;

	if (!sendable(c, m))
		return;
	if (!c->first) {
		if (send_one(c->fd, m) >= 0)
			return;
		error = errno;
		if (is_gone(error)) {
			fall_mute(c);
			return;
		}
		if (!is_for_now(error)) {
			finish(c, "closed");
			return;
		}
	}
	if (!enqueue(c, m, 0))
		finish(c, "the peer does not read");
	else if (c->post.loop)
		flush(c);
	else if (error)
		send_again(c, error);
}

static void post_later(struct loop_later *later)
{
	struct chan *c = later->owner;

	if (!c->why)
		flush(c);
}

void chan_post(struct chan *c, const struct msg *m)
{
	size_t room = PACK_HEAD + PACK_LIKE * (PACK_EACH + m->len);

	if (!sendable(c, m))
		return;
	if (!enqueue(c, m, room < PACK_ROOM ? room : PACK_ROOM))
		finish(c, "the peer does not read");
	else if (c->n_queued > POSTED_MAX)
		flush(c);
	else
		loop_later(c->loop, &c->post, post_later, c);
}

static void take_fds(struct msghdr *h, struct msg_in *in)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (in->n_fds < MSG_FDS_MAX)
				in->fds[in->n_fds++] = fd;
			else
				(void)fd_close(fd);
		}
	}
}

static bool dispatch(struct chan *c, struct msg_in *in)
{
	for (size_t i = 0; i < c->n_permits; i++)
		if (c->permits[i].type == in->type)
			return c->permits[i].fn(c->owner, in) && msg_end(in);
	return false;
}

/* Gives how many messages there were. */
static unsigned take_pack(struct chan *c, struct pack *p, bool *ret_ok)
{
	struct bytes raw;
	struct msg_in in;

	while (*ret_ok && !c->why && pack_next(p, &raw))
		*ret_ok = msg_open(&in, raw) && dispatch(c, &in);
	*ret_ok = *ret_ok && !p->bad;
	return p->n;
}

static bool take_one(struct chan *c, struct bytes raw, struct msg_in *fds)
{
	struct msg_in in;
	bool ok;

	if (!msg_open(&in, raw))
		return false;
	memcpy(in.fds, fds->fds, sizeof(in.fds));
	in.n_fds = fds->n_fds;
	in.lost = fds->lost;
	ok = dispatch(c, &in);
	memcpy(fds->fds, in.fds, sizeof(fds->fds));
	fds->at_fd = in.at_fd;
	return ok;
}

/* One datagram of `n` bytes in `p`; its descriptors are taken or closed. Gives how many messages there were. */
static unsigned take(struct chan *c, uint8_t *p, size_t n, struct msghdr *h)
{
	struct bytes raw = bytes_of(p, n);
	struct msg_in fds = { 0 };
	struct pack pack;
	unsigned messages = 1;
	bool ok;

	take_fds(h, &fds);
	fds.lost = h->msg_flags & MSG_CTRUNC;
	ok = n && !c->why && !(h->msg_flags & MSG_TRUNC);
	if (ok && !fds.n_fds && !fds.lost && pack_open(&pack, raw))
		messages = take_pack(c, &pack, &ok);
	else if (ok)
		ok = take_one(c, raw, &fds);
	for (unsigned i = fds.at_fd; i < fds.n_fds; i++)
		(void)fd_close(fds.fds[i]);
	if (c->wipe)
		explicit_bzero(p, n);
	if (!ok)
		finish(c, n ? "a message that is not permitted or malformed" : "closed");
	return messages;
}

/* Gives how many messages came; 0: there is nothing more to read now. */
static unsigned receive(struct chan *c)
{
	struct control control[BATCH] = { 0 };
	struct iovec iov[BATCH];
	struct mmsghdr h[BATCH];
	unsigned messages = 0;
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = incoming[i], .iov_len = MSG_MAX };
		h[i].msg_hdr = (struct msghdr){
			.msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = control[i].space, .msg_controllen = sizeof(control[i].space)
		};
	}
	n = recvmmsg(c->fd, h, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
	/* The peer ended with something of ours unread: said once, in front of what it said last. */
	if (n < 0 && errno == ECONNRESET)
		n = recvmmsg(c->fd, h, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		finish(c, "closed");
	for (int i = 0; i < n; i++)
		messages += take(c, incoming[i], h[i].msg_len, &h[i].msg_hdr);
	return n < BATCH ? 0 : messages;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct chan *c = io->owner;

	if (events & EPOLLOUT)
		flush(c);
	for (unsigned n = 0; n < TURN_MAX && !c->why && !c->held;) {
		unsigned got = receive(c);

		if (!got)
			break;
		n += got;
	}
}

int chan_new(struct chan **ret, struct loop *l, int fd, const struct chan_permit *permits, size_t n_permits,
	     chan_end_fn on_end, void *owner, struct err *e)
{
	struct chan *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		(void)fd_close(fd);
		return err_set(e, ENOMEM, "out of memory for a channel");
	}
	*c = (struct chan){ .loop = l, .fd = fd, .permits = permits, .n_permits = n_permits, .on_end = on_end,
			    .owner = owner };
	r = loop_io_add(l, &c->io, fd, EPOLLIN, on_io, c, e);
	if (r < 0) {
		chan_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct chan *chan_free(struct chan *c)
{
	if (!c)
		return NULL;
	loop_io_remove(&c->io);
	loop_later_cancel(&c->end);
	loop_later_cancel(&c->post);
	loop_timer_disarm(&c->again);
	while (c->first)
		drop_first(c);
	(void)fd_close(c->fd);
	free(c);
	return NULL;
}

void chan_hold(struct chan *c, bool held)
{
	unsigned rank = c->io.rank;
	struct err e = { 0 };

	if (c->why || c->held == held)
		return;
	c->held = held;
	/* Asking for nothing would not do: the end of a peer is told all the same, again and again. */
	if (held)
		loop_io_remove(&c->io);
	else if (loop_io_add(c->loop, &c->io, c->fd, EPOLLIN | (c->first ? EPOLLOUT : 0), on_io, c, &e) < 0)
		finish(c, "out of memory");
	else
		loop_io_rank(&c->io, rank);
}

void chan_last(struct chan *c)
{
	loop_io_rank(&c->io, LOOP_RANK_MAX);
}

void chan_wipe(struct chan *c)
{
	c->wipe = true;
}

size_t chan_queued(const struct chan *c)
{
	return c->n_queued;
}

int chan_pair(int ret_fds[2], struct err *e)
{
	int size = 512 * 1024;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return err_sys(e, errno, "create a channel");
	for (int i = 0; i < 2; i++)
		(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}
