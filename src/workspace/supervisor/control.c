#include "workspace/supervisor/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/audit_msg.h"
#include "ipc/chan.h"
#include "os/fd.h"
#include "os/log.h"
#include "workspace/supervisor/gateway.h"
#include "workspace/supervisor/guest_ask.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/reload.h"
#include "workspace/supervisor/trail.h"
#include "workspace/supervisor/ws.h"

/* A peer is known by SO_PEERCRED: our own user, or root. It says HELLO with a version first; until then nothing else is taken.
 * Peers come and go (a control plane that restarts adopts us); nothing of the workspace depends on one. */

enum { ACCEPT_AGAIN_MS = 100 };

struct peer {
	struct control *control;
	struct chan *chan; /* NULL: free */
	bool greeted;
};

struct control {
	struct ws *ws;
	int fd;
	struct loop_io io;
	struct loop_timer again;
	struct peer peers[CONTROL_PEERS_MAX];
};

static struct msg out;

static void send_state(struct peer *p)
{
	struct ws *w = p->control->ws;
	uint64_t n = 0;

	for (size_t i = 0; i < ROLE_COUNT; i++)
		n += w->roles[i].n_restarts;
	msg_start(&out, MSG_STATE);
	msg_u64(&out, w->state);
	msg_u64(&out, w->since_ms);
	msg_u64(&out, hold_generation(w->hold));
	msg_u64(&out, w->accel);
	msg_u64(&out, n);
	msg_str(&out, w->detail[0] ? w->detail : w->policy_note ? w->policy_note : w->limits);
	chan_send(p->chan, &out);
}

void control_tell(struct control *c)
{
	for (size_t i = 0; c && i < CONTROL_PEERS_MAX; i++)
		if (c->peers[i].chan && c->peers[i].greeted)
			send_state(&c->peers[i]);
}

static void drop(struct peer *p)
{
	struct ws *w = p->control->ws;

	trail_forget(w->trail, p);
	guest_ask_forget(w, p);
	reload_forget(p);
	p->chan = chan_free(p->chan);
	p->greeted = false;
}

static bool on_hello(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	struct ws *w = p->control->ws;
	uint64_t version = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SPEC_ID_MAX);

	(void)msg_get_u64(in);
	if (!msg_end(in) || version < IPC_CONTROL_OLDEST || version > IPC_CONTROL_VERSION ||
	    !bytes_eq(id, w->spec.id) || p->greeted)
		return false;
	p->greeted = true;
	msg_start(&out, MSG_HELLO);
	msg_u64(&out, IPC_CONTROL_VERSION);
	msg_bytes(&out, w->spec.id);
	msg_u64(&out, (uint64_t)getpid());
	chan_send(p->chan, &out);
	send_state(p);
	return true;
}

static bool on_shutdown(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	uint64_t grace = msg_get_u64(in);

	if (!msg_end(in) || !p->greeted)
		return false;
	ws_stop(p->control->ws, grace, "stopped by the control plane");
	return true;
}

static void on_guest(void *owner, uint64_t id, int fd, struct bytes why)
{
	struct peer *p = owner;

	msg_start(&out, fd >= 0 ? MSG_GUEST_CONNECTED : MSG_GUEST_REFUSED);
	msg_u64(&out, id);
	if (fd >= 0)
		msg_fd(&out, fd);
	else
		msg_bytes(&out, why);
	chan_send(p->chan, &out);
	(void)fd_close(fd);
}

static bool on_guest_connect(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	uint64_t id = msg_get_u64(in);
	uint16_t port = (uint16_t)msg_get_max(in, UINT16_MAX);

	if (!msg_end(in) || !port || !p->greeted)
		return false;
	guest_ask(p->control->ws, port, id, on_guest, p);
	return true;
}

static void on_reloaded(void *owner, uint64_t generation, enum reload_end end, const char *why)
{
	struct peer *p = owner;

	msg_start(&out, MSG_POLICY_DONE);
	msg_u64(&out, generation);
	msg_u64(&out, end == RELOAD_DONE);
	msg_str(&out, why);
	msg_u64(&out, end == RELOAD_NOT_NOW);
	chan_send(p->chan, &out);
}

static bool on_policy(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	uint64_t generation = msg_get_u64(in);
	int fd = msg_take_fd(in);

	/* A compiled policy is believed only where its user is the one who compiled it. */
	if (!msg_end(in) || !p->greeted || *p->control->ws->keys) {
		(void)fd_close(fd);
		return false;
	}
	reload_start(p->control->ws, fd, generation, on_reloaded, p);
	return true;
}

static bool on_bundle(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	struct bundle_order o = { .generation = msg_get_u64(in) };
	int fd;

	o.rollback = msg_get_u64(in);
	o.channel = msg_get_bytes(in, SPEC_CHANNEL_MAX);
	fd = msg_take_fd(in);
	if (!msg_end(in) || !p->greeted || !*p->control->ws->keys) {
		(void)fd_close(fd);
		return false;
	}
	reload_bundle(p->control->ws, fd, &o, on_reloaded, p);
	return true;
}

static bool on_keeper(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	int fd = msg_take_fd(in);

	if (!msg_end(in) || !p->greeted) {
		(void)fd_close(fd);
		return false;
	}
	gateway_keeper(p->control->ws, in->type, fd);
	return true;
}

static void on_written(void *owner, uint64_t id, bool ok)
{
	struct peer *p = owner;

	msg_start(&out, MSG_EVENT_DONE);
	msg_u64(&out, id);
	msg_u64(&out, ok);
	chan_send(p->chan, &out);
}

/* The control plane writes of sessions here, in the name of this workspace's owner, and of nothing else. */
static bool may_write(const struct ws *w, const struct event *ev)
{
	return ev->kind == EVENT_SESSION && bytes_eq(ev->actor, w->spec.owner);
}

static bool on_event(void *owner, struct msg_in *in)
{
	struct peer *p = owner;
	uint64_t id = msg_get_u64(in);
	struct event ev;

	if (!audit_msg_get(in, &ev) || !msg_end(in) || !p->greeted || !may_write(p->control->ws, &ev))
		return false;
	trail_write(p->control->ws->trail, &ev, id, on_written, p);
	return true;
}

static const struct chan_permit permits[] = {
	{ MSG_HELLO, on_hello },  { MSG_SHUTDOWN, on_shutdown }, { MSG_GUEST_CONNECT, on_guest_connect },
	{ MSG_POLICY, on_policy }, { MSG_EVENT, on_event },	     { MSG_KEEPER_OUTLET, on_keeper },
	{ MSG_KEEPER_INLET, on_keeper }, { MSG_BUNDLE, on_bundle },
};

static void on_end(void *owner, const char *why)
{
	struct peer *p = owner;

	if (strcmp(why, "closed") != 0)
		log_line("control peer: %s", why);
	drop(p);
}

static bool is_ours(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static void on_again(struct loop_timer *t)
{
	struct control *c = t->owner;

	loop_io_want(&c->io, EPOLLIN);
}

static void on_accept(struct loop_io *io, uint32_t events)
{
	struct control *c = io->owner;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p = NULL;
	struct err e = { 0 };

	(void)events;
	/* It stands there still, and would be told of again and again. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) &&
	    loop_timer_arm(c->ws->loop, &c->again, ACCEPT_AGAIN_MS, on_again, c))
		loop_io_want(io, 0);
	if (fd < 0)
		return;
	for (size_t i = 0; i < CONTROL_PEERS_MAX && !p; i++)
		if (!c->peers[i].chan)
			p = &c->peers[i];
	if (!p || !is_ours(fd)) {
		(void)fd_close(fd);
		return;
	}
	*p = (struct peer){ .control = c };
	if (chan_new(&p->chan, c->ws->loop, fd, permits, sizeof(permits) / sizeof(permits[0]), on_end, p, &e) < 0)
		log_line("control peer: %s", e.text);
}

static int listen_at(const char *path, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	FD_AUTO int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(at.sun_path))
		return err_set(e, ENAMETOOLONG, "%s is too long for a socket (%zu bytes at most): set SAW_RUN to a shorter folder",
			       path, sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, path, strlen(path) + 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || chmod(path, 0600) < 0 || listen(fd, 16) < 0)
		return err_sys(e, errno, "listen on %s", path);
	return fd_take(&fd);
}

int control_new(struct control **ret, struct ws *w, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	char path[PATHS_MAX];
	int r;

	if (!c)
		return err_set(e, ENOMEM, "out of memory");
	c->ws = w;
	c->fd = -1;
	r = paths_join(path, w->run, "control.sock", e);
	if (r == 0)
		r = c->fd = listen_at(path, e);
	if (r >= 0)
		r = loop_io_add(w->loop, &c->io, c->fd, EPOLLIN, on_accept, c, e);
	if (r < 0) {
		(void)fd_close(c->fd);
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct control *control_free(struct control *c)
{
	char path[PATHS_MAX];

	if (!c)
		return NULL;
	for (size_t i = 0; i < CONTROL_PEERS_MAX; i++)
		if (c->peers[i].chan)
			drop(&c->peers[i]);
	loop_timer_disarm(&c->again);
	loop_io_remove(&c->io);
	(void)fd_close(c->fd);
	if (paths_join(path, c->ws->run, "control.sock", NULL) == 0)
		(void)unlink(path);
	free(c);
	return NULL;
}
