/* `saw ssh-agent NAME`: the process that holds the key. It lists one certificate and signs with its key, for processes of this user only,
 * and ends after ten minutes in which nobody asked, or when its socket is removed. It is started by agent_ask() and has given up all it does not need before it says
 * that it is ready. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/agent_keys.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/loop.h"
#include "wire/ssh_agent.h"
#include "wire/ssh_cert.h"

enum { CLIENTS_MAX = 32, IDLE_MS = 10 * 60 * 1000, READ_SIZE = 16 * 1024, OUT_MAX = 2 * SSH_AGENT_MESSAGE_MAX, FDS_MAX = 64 };

struct client {
	struct agent *agent;
	struct loop_io io;
	struct loop_later gone;
	int fd;
	struct buf in;
	struct buf out;
};

struct agent {
	struct agent_place place;
	struct agent_keys keys;
	struct loop *loop;
	struct loop_io listener;
	struct loop_io watch;
	struct loop_timer idle;
	struct client *client[CLIENTS_MAX];
	uint64_t idle_ms;
	int listen_fd;
	int watch_fd;
	dev_t dev; /* of our socket's file */
	ino_t ino;
};

static void client_free(struct loop_later *later)
{
	struct client *c = later->owner;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (c->agent->client[i] == c)
			c->agent->client[i] = NULL;
	fd_close(c->fd);
	buf_deinit(&c->in);
	buf_deinit(&c->out);
	free(c);
}

static void client_end(struct client *c)
{
	loop_io_remove(&c->io);
	loop_later(c->agent->loop, &c->gone, client_free, c);
}

static bool list(struct agent *a, struct buf *out)
{
	struct ssh_agent_key key = { .comment = bytes_str(a->place.name) };
	struct err e = { "" };

	if (agent_keys_refresh(&a->keys, false, &e) != CLI_DONE)
		return ssh_agent_put_keys(out, NULL, 0);
	key.blob = buf_view(&a->keys.certificate);
	return ssh_agent_put_keys(out, &key, 1);
}

/* Ed25519 knows no flags: those that ask for other RSA hashes are refused. */
static bool sign(struct agent *a, const struct ssh_agent_request *r, struct buf *out)
{
	uint8_t signature[ED25519_SIGNATURE];

	if (r->flags != 0 || a->keys.certificate.len == 0 || !bytes_eq(r->key, buf_view(&a->keys.certificate)) ||
	    !ed25519_sign(a->keys.key, r->data, signature))
		return ssh_agent_put_failure(out);
	return ssh_agent_put_signature(out, bytes_of(signature, sizeof(signature)));
}

static bool tell_session(struct agent *a, bool fresh, struct buf *out)
{
	struct err e = { "" };
	struct ssh_agent_session s = { .exit = (uint32_t)agent_keys_refresh(&a->keys, fresh, &e) };

	s.why = bytes_str(e.text);
	if (s.exit == CLI_DONE) {
		s.why = bytes_of(NULL, 0);
		s.session_id = bytes_str(a->keys.session.session_id);
		s.workspace_id = bytes_str(a->keys.session.workspace_id);
		s.user = bytes_str(a->keys.session.user);
	}
	return ssh_agent_put_session(out, &s);
}

static bool answer(struct agent *a, const struct ssh_agent_request *r, struct buf *out)
{
	switch (r->ask) {
	case SSH_AGENT_LIST:
		return list(a, out);
	case SSH_AGENT_SIGN:
		return sign(a, r, out);
	case SSH_AGENT_ASK_SESSION:
		return tell_session(a, r->fresh, out);
	case SSH_AGENT_OTHER:
		break;
	}
	return ssh_agent_put_failure(out);
}

/* False: the client is of no further use. */
static bool serve(struct client *c)
{
	struct ssh_agent_request request;
	const char *why;
	size_t used;

	for (;;) {
		switch (ssh_agent_read_request(buf_view(&c->in), &request, &used, &why)) {
		case SSH_AGENT_MORE:
			return true;
		case SSH_AGENT_BAD:
			return false;
		case SSH_AGENT_DONE:
			break;
		}
		if (!answer(c->agent, &request, &c->out))
			return false;
		buf_consume(&c->in, used);
	}
}

static bool flush(struct client *c)
{
	ssize_t n;

	while (c->out.len > 0) {
		n = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		buf_consume(&c->out, (size_t)n);
	}
	return true;
}

static void idle(struct loop_timer *t);

static void client_ready(struct loop_io *io, uint32_t events)
{
	struct client *c = io->owner;
	uint8_t *room;
	ssize_t n = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		room = buf_room(&c->in, READ_SIZE);
		n = room ? recv(c->fd, room, READ_SIZE, 0) : 0;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			client_end(c);
			return;
		}
		if (n > 0)
			buf_grew(&c->in, (size_t)n);
	}
	loop_timer_arm(c->agent->loop, &c->agent->idle, c->agent->idle_ms, idle, c->agent);
	if (!serve(c) || !flush(c)) {
		client_end(c);
		return;
	}
	/* who does not read its answers gets no further question read */
	loop_io_want(&c->io, c->out.len ? EPOLLOUT : EPOLLIN);
}

static bool peer_is_us(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static void accept_client(struct loop_io *io, uint32_t events)
{
	struct agent *a = io->owner;
	FD_AUTO int fd = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;
	size_t at = 0;

	(void)events;
	if (fd < 0 || !peer_is_us(fd))
		return;
	while (at < CLIENTS_MAX && a->client[at])
		at++;
	c = at < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return;
	c->agent = a;
	c->fd = fd_take(&fd);
	buf_init(&c->in, SSH_AGENT_MESSAGE_MAX + 4 + READ_SIZE);
	buf_init(&c->out, OUT_MAX);
	a->client[at] = c;
	if (loop_io_add(a->loop, &c->io, c->fd, EPOLLIN, client_ready, c, NULL) < 0)
		client_end(c);
}

/* Ends only with the starters' lock held: nobody is about to rely on us, and nobody has put another socket in our place. Without a lock
 * to hold, the folder is gone, and nobody can reach us any more. */
static void idle(struct loop_timer *t)
{
	struct agent *a = t->owner;
	int lock = open(a->place.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) == 0) {
		unlink(a->place.socket);
		loop_stop(a->loop, CLI_DONE);
		return;
	}
	fd_close(lock);
	loop_timer_arm(a->loop, &a->idle, a->idle_ms, idle, a);
}

static int listen_at(struct agent *a, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, a->place.socket, strlen(a->place.socket));
	/* whoever starts us holds the lock, and has found nobody answering here */
	unlink(a->place.socket);
	a->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	umask(0177);
	if (a->listen_fd < 0 || bind(a->listen_fd, (const struct sockaddr *)&un, sizeof(un)) < 0 || listen(a->listen_fd, 64) < 0)
		return err_sys(e, errno, "listen at %s", a->place.socket);
	umask(0077);
	return 0;
}

/* `saw rm` and `saw down` end us by removing our socket; so does whoever removes the whole folder. */
static void folder_changed(struct loop_io *io, uint32_t events)
{
	struct agent *a = io->owner;
	char text[4096];
	struct stat st;

	(void)events;
	while (read(a->watch_fd, text, sizeof(text)) > 0)
		continue;
	if (lstat(a->place.socket, &st) < 0 || st.st_dev != a->dev || st.st_ino != a->ino)
		loop_stop(a->loop, CLI_DONE);
}

static int watch_socket(struct agent *a, struct err *e)
{
	char folder[PATHS_MAX];
	struct stat st;

	snprintf(folder, sizeof(folder), "%s", a->place.socket);
	*strrchr(folder, '/') = '\0';
	a->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (a->watch_fd < 0 || inotify_add_watch(a->watch_fd, folder, IN_DELETE | IN_MOVE | IN_DELETE_SELF) < 0 ||
	    lstat(a->place.socket, &st) < 0)
		return err_sys(e, errno, "watch %s", folder);
	a->dev = st.st_dev;
	a->ino = st.st_ino;
	return loop_io_add(a->loop, &a->watch, a->watch_fd, EPOLLIN, folder_changed, a, e);
}

/* What is left: the runtime folder (known_hosts, the socket of the control plane), unix sockets, and our own memory. */
static int give_up_the_rest(struct err *e)
{
	char run[PATHS_MAX];
	struct jail_path paths[] = { { run, JAIL_READ | JAIL_WRITE | JAIL_CREATE, 1 } };
	int r = paths_run(run, e);

	r = r < 0 ? r : jail_capabilities(0, FDS_MAX, 0, e);
	r = r < 0 ? r : jail_files(paths, 1, JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_BASE | JAIL_SYS_ACCEPT | JAIL_SYS_UNIX | JAIL_SYS_FILES | JAIL_SYS_APPEND |
						JAIL_SYS_WATCH,
						e);
}

static int begin(struct agent *a, struct err *e)
{
	int r = agent_keys_init(&a->keys, &a->place, e);

	r = r < 0 ? r : listen_at(a, e);
	r = r < 0 ? r : loop_new(&a->loop, e);
	r = r < 0 ? r : loop_io_add(a->loop, &a->listener, a->listen_fd, EPOLLIN, accept_client, a, e);
	r = r < 0 ? r : watch_socket(a, e);
	r = r < 0 ? r : give_up_the_rest(e);
	if (r == 0 && !loop_timer_arm(a->loop, &a->idle, a->idle_ms, idle, a))
		return err_set(e, ENOMEM, "out of memory");
	return r;
}

static void say_ready(int fd, const char *text)
{
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return;
	fd_close(fd);
}

static int agent_run(const struct cli_args *args)
{
	static struct agent agent = { .idle_ms = IDLE_MS, .listen_fd = -1, .watch_fd = -1 };
	struct err e = { "" };
	uint64_t ready_fd = 0;
	int r;

	if (!api_name_ok(args->word[0]))
		return say_fail(CLI_USAGE, "ssh-agent: `%s` is no name of a workspace", args->word[0]);
	if (args->value[1] && !num_u64(bytes_str(args->value[1]), 63, &ready_fd))
		return say_fail(CLI_USAGE, "ssh-agent: --ready-fd %s: give a descriptor", args->value[1]);
	if (args->value[2] && (!num_u64(bytes_str(args->value[2]), IDLE_MS, &agent.idle_ms) || agent.idle_ms == 0))
		return say_fail(CLI_USAGE, "ssh-agent: --idle-ms %s: give 1 to %d", args->value[2], (int)IDLE_MS);
	r = agent_place_init(&agent.place, args->word[0], args->value[0] != NULL, &e);
	r = r < 0 ? r : begin(&agent, &e);
	say_ready(args->value[1] ? (int)ready_fd : -1, r < 0 ? e.text : "ok");
	if (r < 0)
		return say_fail(CLI_FAILED, "ssh-agent: %s", e.text);
	return loop_run(agent.loop, &e) < 0 ? say_fail(CLI_FAILED, "ssh-agent: %s", e.text) : CLI_DONE;
}

static const struct cli_option agent_options[] = {
	{ "forward", NULL, "ask for sessions that may forward ports", CLI_TEXT },
	{ "ready-fd", "N", "say \"ok\" there once it listens", CLI_TEXT },
	{ "idle-ms", "N", "end when nobody asked for so long (default ten minutes)", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_ssh_agent_verb = {
	.name = "ssh-agent",
	.args = "NAME",
	.help = "hold the key of a workspace's sessions; started on demand",
	.options = agent_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = 1,
	.hidden = true,
	.run = agent_run,
};
