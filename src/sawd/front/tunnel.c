#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/front/front.h"

/* Raw bytes between a client and the guest's sshd: what is inside is SSH's business. Each direction has one buffer; while it is full
 * nothing more is read. */

enum { HALF_MAX = 64 * 1024 };

struct half {
	size_t at;
	size_t len;
	bool eof; /* nothing more comes */
	bool shut; /* and the other side was told */
	uint64_t total;
	uint8_t p[HALF_MAX];
};

struct tunnel {
	struct front *front;
	struct tunnel *next;
	uint64_t id;
	char session[SAWD_ID_LEN + 1];
	char workspace[SAWD_ID_LEN + 1];
	struct loop_io client;
	struct loop_io guest;
	int client_fd;
	int guest_fd;
	bool client_gone; /* it hung up: watched for what can still be done only */
	bool guest_gone;
	struct half in; /* towards the guest */
	struct half out; /* towards the client */
	uint64_t started_ms;
	uint64_t ends_ms;
	uint64_t last_ms;
	struct loop_timer timer;
};

void tunnel_closed(struct front *f, uint64_t id, uint64_t in, uint64_t out, uint64_t ms, const char *why)
{
	if (!f->core)
		return;
	msg_start(&front_out, MSG_API_TUNNEL_CLOSED);
	msg_u64(&front_out, id);
	msg_u64(&front_out, in);
	msg_u64(&front_out, out);
	msg_u64(&front_out, ms);
	msg_str(&front_out, why);
	chan_send(f->core, &front_out);
}

static void tunnel_free(struct tunnel *t, const char *why)
{
	struct front *f = t->front;

	for (struct tunnel **at = &f->tunnels; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			f->n_tunnels--;
			break;
		}
	loop_io_remove(&t->client);
	loop_io_remove(&t->guest);
	loop_timer_disarm(&t->timer);
	(void)fd_close(t->client_fd);
	(void)fd_close(t->guest_fd);
	tunnel_closed(f, t->id, t->in.total, t->out.total, loop_now_ms(f->loop) - t->started_ms, why);
	free(t);
}

/* False when the tunnel is broken. */
static bool fill(struct half *h, int from)
{
	ssize_t n;

	if (h->eof || h->len)
		return true;
	n = recv(from, h->p, sizeof(h->p), MSG_DONTWAIT); /* who else holds the guest's end can make it block */
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	h->eof = n == 0;
	h->at = 0;
	h->len = (size_t)n;
	return true;
}

static bool drain(struct half *h, int to)
{
	while (h->len) {
		ssize_t n = send(to, h->p + h->at, h->len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		h->at += (size_t)n;
		h->len -= (size_t)n;
		h->total += (uint64_t)n;
	}
	if (h->eof && !h->shut) {
		h->shut = true;
		(void)shutdown(to, SHUT_WR);
	}
	return true;
}

static void on_io(struct loop_io *io, uint32_t events);

/* A hang-up is told without being asked for, again and again: who has hung up and can do nothing now is not watched. */
static bool watch(struct tunnel *t, struct loop_io *io, int fd, bool gone, uint32_t events)
{
	if (io->loop && (!gone || events)) {
		loop_io_want(io, events);
		return true;
	}
	loop_io_remove(io);
	return (gone && !events) || loop_io_add(t->front->loop, io, fd, events, on_io, t, NULL) == 0;
}

static bool want(struct tunnel *t)
{
	uint32_t client = (t->in.len == 0 && !t->in.eof ? EPOLLIN : 0U) | (t->out.len ? EPOLLOUT : 0U);
	uint32_t guest = (t->out.len == 0 && !t->out.eof ? EPOLLIN : 0U) | (t->in.len ? EPOLLOUT : 0U);

	return watch(t, &t->client, t->client_fd, t->client_gone, client) && watch(t, &t->guest, t->guest_fd, t->guest_gone, guest);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct tunnel *t = io->owner;
	bool ok;

	t->last_ms = loop_now_ms(t->front->loop);
	if (events & EPOLLHUP)
		*(io == &t->client ? &t->client_gone : &t->guest_gone) = true;
	ok = fill(&t->in, t->client_fd) && drain(&t->in, t->guest_fd) && fill(&t->out, t->guest_fd) && drain(&t->out, t->client_fd);
	if (ok && (events & EPOLLERR))
		ok = false;
	if (!ok || (t->in.shut && t->out.shut) || (t->client_gone && t->in.eof) || (t->guest_gone && t->out.eof) || !want(t))
		tunnel_free(t, ok ? "" : "connection lost");
}

static void on_timer(struct loop_timer *timer)
{
	struct tunnel *t = timer->owner;
	uint64_t now = loop_now_ms(t->front->loop);
	uint64_t idle_at = t->last_ms + t->front->idle_ms;

	if (now >= t->ends_ms) {
		tunnel_free(t, "the session's longest time is over");
		return;
	}
	if (now >= idle_at) {
		tunnel_free(t, "idle for too long");
		return;
	}
	(void)loop_timer_arm(t->front->loop, timer, (idle_at < t->ends_ms ? idle_at : t->ends_ms) - now, on_timer, t);
}

static bool start(struct tunnel *t, struct bytes rest, struct err *e)
{
	struct loop *l = t->front->loop;

	if (rest.len > sizeof(t->in.p)) {
		(void)err_set(e, EMSGSIZE, "too many bytes before the tunnel was open");
		return false;
	}
	if (rest.len)
		memcpy(t->in.p, rest.p, rest.len);
	t->in.len = rest.len;
	return fd_nonblock(t->guest_fd, e) == 0 && loop_io_add(l, &t->client, t->client_fd, EPOLLIN, on_io, t, e) == 0 &&
	       loop_io_add(l, &t->guest, t->guest_fd, EPOLLIN | (rest.len ? EPOLLOUT : 0U), on_io, t, e) == 0;
}

void tunnel_new(struct front *f, struct conn *grant, int client_fd, int guest_fd, struct bytes rest)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	struct err e = { 0 };

	if (!t) {
		(void)fd_close(client_fd);
		(void)fd_close(guest_fd);
		tunnel_closed(f, grant->tunnel_id, 0, 0, 0, "out of memory");
		return;
	}
	t->front = f;
	t->next = f->tunnels;
	t->id = grant->tunnel_id;
	t->client_fd = client_fd;
	t->guest_fd = guest_fd;
	memcpy(t->session, grant->session, sizeof(t->session));
	memcpy(t->workspace, grant->workspace, sizeof(t->workspace));
	t->started_ms = t->last_ms = loop_now_ms(f->loop);
	t->ends_ms = t->started_ms + grant->tunnel_ms;
	f->tunnels = t;
	f->n_tunnels++;
	if (!start(t, rest, &e)) {
		log_line("tunnel: %s", e.text);
		tunnel_free(t, e.text);
		return;
	}
	(void)want(t); /* both are watched */
	t->timer.owner = t;
	on_timer(&t->timer);
}

void tunnel_cut(struct front *f, const char *session, const char *workspace, const char *why)
{
	for (struct tunnel *t = f->tunnels, *next; t; t = next) {
		next = t->next;
		if ((!session || strcmp(session, t->session) == 0) && (!workspace || strcmp(workspace, t->workspace) == 0))
			tunnel_free(t, why);
	}
}
