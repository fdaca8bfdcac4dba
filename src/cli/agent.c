/* Asking the agent. Who finds nobody listening takes the lock, looks again, and starts one; an agent that ends takes the same lock first,
 * so that it never removes the socket of its successor. A request that meets an agent on its way out is asked once more. */
#include "cli/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/child.h"
#include "os/fd.h"
#include "wire/ssh_agent.h"

enum { ATTEMPTS = 3, ANSWER_WAIT_S = 60, READY_FD = 3 };

static int path_in(char ret[PATHS_MAX], const char *folder, const char *base, const char *suffix, struct err *e)
{
	char file[128];

	snprintf(file, sizeof(file), "%s.%s", base, suffix);
	return paths_join(ret, folder, file, e);
}

int agent_place_init(struct agent_place *ret, const char *name, bool forward, struct err *e)
{
	struct sockaddr_un un;
	char run[PATHS_MAX];
	char folder[PATHS_MAX];
	char base[64];
	int r = paths_run(run, e);

	*ret = (struct agent_place){ .forward = forward };
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	snprintf(base, sizeof(base), "%s%s", name, forward ? ".saw" : "");
	r = r < 0 ? r : paths_join(folder, run, "agent", e);
	r = r < 0 ? r : paths_make_dir(folder, e);
	r = r < 0 ? r : path_in(ret->socket, folder, base, "sock", e);
	r = r < 0 ? r : path_in(ret->lock, folder, base, "lock", e);
	r = r < 0 ? r : path_in(ret->known_hosts, folder, base, "known_hosts", e);
	if (r == 0 && strlen(ret->socket) >= sizeof(un.sun_path))
		return err_set(e, ENAMETOOLONG, "%.200s is too long for a socket's name: set SAW_RUN to a shorter folder", ret->socket);
	return r;
}

bool agent_user_ok(const char *user)
{
	size_t n = strspn(user, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n < 64 && user[n] == '\0' && user[0] != '-';
}

void agent_end(const char *name)
{
	char run[PATHS_MAX];
	char folder[PATHS_MAX];
	char path[PATHS_MAX];
	const struct dirent *d;
	struct err e = { "" };
	DIR *dir = NULL;

	if (paths_run(run, &e) == 0 && paths_join(folder, run, "agent", &e) == 0)
		dir = opendir(folder);
	while (dir && (d = readdir(dir)) != NULL) {
		size_t base = strcspn(d->d_name, ".");
		const char *suffix = strrchr(d->d_name, '.');

		if (!suffix || strcmp(suffix, ".sock") != 0 || (name && (strlen(name) != base || memcmp(name, d->d_name, base) != 0)))
			continue;
		/* each watches its socket */
		if (paths_join(path, folder, d->d_name, &e) == 0)
			unlink(path);
	}
	if (dir)
		closedir(dir);
}

static int connect_agent(const struct agent_place *p)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = ANSWER_WAIT_S };
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, p->socket, strlen(p->socket));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd_take(&fd);
}

/* The agent says "ok", or why not, on its end of the pipe. */
static int read_ready(int fd, struct err *e)
{
	char text[ERR_MAX];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (strcmp(text, "ok") == 0)
		return 0;
	return err_set(e, EIO, "the SSH agent did not start: %s", len ? text : "it ended without a word");
}

static int start_agent(const struct agent_place *p, struct err *e)
{
	const char *args[] = { "ssh-agent", p->name, "--ready-fd", "3", p->forward ? "--forward" : NULL, NULL };
	char exe[PATHS_MAX];
	char title[80];
	struct child child = CHILD_NONE;
	FD_AUTO int in = -1;
	FD_AUTO int out = -1;
	struct child_fd fds[1];
	struct child_spec spec = { .path = exe, .title = title, .args = args, .fds = fds, .n_fds = 1,
				   .flags = CHILD_OUTLIVES | CHILD_KEEP_ENV };
	int ends[2];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int r;

	if (n < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "start the SSH agent");
	exe[n] = '\0';
	in = ends[0];
	out = ends[1];
	snprintf(title, sizeof(title), "saw ssh-agent: %s", p->name);
	fds[0] = (struct child_fd){ .from = out, .to = READY_FD };
	r = child_start(&child, &spec, e);
	if (r < 0)
		return err_in(e, r, "start the SSH agent");
	/* it lives on without us; init collects it */
	fd_close(child.pid_fd);
	/* so that the end of the agent is the end of the pipe */
	fd_closep(&out);
	return read_ready(in, e);
}

/* A connection to an agent that runs or has just been started. */
static int reach(const struct agent_place *p, struct err *e)
{
	FD_AUTO int lock = -1;
	int fd = connect_agent(p);
	int r;

	if (fd >= 0)
		return fd;
	lock = open(p->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_sys(e, errno, "lock %s", p->lock);
	fd = connect_agent(p);
	if (fd >= 0)
		return fd;
	r = start_agent(p, e);
	if (r < 0)
		return r;
	fd = connect_agent(p);
	return fd >= 0 ? fd : err_sys(e, -fd, "reach the SSH agent at %s", p->socket);
}

static bool copy(struct bytes from, char *to, size_t size)
{
	if (from.len >= size)
		return false;
	if (from.len)
		memcpy(to, from.p, from.len);
	to[from.len] = '\0';
	return true;
}

static int take_reply(const struct ssh_agent_reply *reply, struct agent_session *ret, struct err *e)
{
	const struct ssh_agent_session *s = &reply->session;

	if (reply->kind != SSH_AGENT_REPLY_SESSION || s->exit > CLI_UNREACHABLE) {
		err_set(e, EPROTO, "the SSH agent is of another version; it ends by itself after ten idle minutes");
		return CLI_FAILED;
	}
	if (s->exit != CLI_DONE) {
		err_set(e, EIO, "%.*s", (int)s->why.len, s->why.len ? (const char *)s->why.p : "");
		return (int)s->exit;
	}
	if (!copy(s->session_id, ret->session_id, sizeof(ret->session_id)) || !api_name_ok(ret->session_id) ||
	    !copy(s->workspace_id, ret->workspace_id, sizeof(ret->workspace_id)) ||
	    !copy(s->user, ret->user, sizeof(ret->user)) || !agent_user_ok(ret->user)) {
		err_set(e, EPROTO, "the SSH agent's answer is malformed");
		return CLI_FAILED;
	}
	return CLI_DONE;
}

/* One question. CLI_DONE and the other exit codes are answers; -EAGAIN: the agent went away, ask again. */
static int ask_once(int fd, bool fresh, struct agent_session *ret, struct err *e)
{
	const struct ssh_agent_request request = { .ask = SSH_AGENT_ASK_SESSION, .fresh = fresh };
	struct ssh_agent_reply reply;
	struct buf io BUF_AUTO = { 0 };
	const char *why = "";
	size_t used;
	enum ssh_agent_answer a;

	buf_init(&io, SSH_AGENT_MESSAGE_MAX + 4);
	if (!ssh_agent_put_request(&io, &request) || send(fd, io.p, io.len, MSG_NOSIGNAL) != (ssize_t)io.len)
		return -EAGAIN;
	buf_reset(&io);
	while ((a = ssh_agent_read_reply(buf_view(&io), &reply, &used, &why)) == SSH_AGENT_MORE) {
		uint8_t *room = buf_room(&io, 4096);
		ssize_t n = room ? recv(fd, room, 4096, 0) : -1;

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return -EAGAIN;
		if (n < 0) {
			err_sys(e, errno, "read the SSH agent's answer");
			return CLI_FAILED;
		}
		buf_grew(&io, (size_t)n);
	}
	if (a == SSH_AGENT_BAD) {
		err_set(e, EPROTO, "the SSH agent's answer is malformed: %s", why);
		return CLI_FAILED;
	}
	return take_reply(&reply, ret, e);
}

int agent_ask(const struct agent_place *p, bool fresh, struct agent_session *ret, struct err *e)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		FD_AUTO int fd = reach(p, e);
		int r;

		if (fd < 0)
			return CLI_FAILED;
		r = ask_once(fd, fresh, ret, e);
		if (r != -EAGAIN)
			return r;
	}
	err_set(e, EAGAIN, "the SSH agent ends as soon as it is asked: see whether another program removes %s", p->socket);
	return CLI_FAILED;
}
