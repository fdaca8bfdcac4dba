/* `saw ssh-proxy NAME`: what ssh runs as its ProxyCommand. Opens the tunnel to the guest's sshd and copies both ways until the far side
 * closes. Our end of the pipe closing only ends the one direction. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/agent.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "os/fd.h"

enum { PIPE_SIZE = 64 * 1024 };

/* One direction. */
struct flow {
	int from;
	int to;
	bool ended; /* nothing more comes from `from` */
	bool broken; /* nobody reads `to` any more */
	struct buf data;
};

static bool blocked(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void fill(struct flow *f)
{
	uint8_t *room = buf_room(&f->data, PIPE_SIZE);
	ssize_t n = room ? read(f->from, room, PIPE_SIZE) : -1;

	if (n > 0)
		buf_grew(&f->data, (size_t)n);
	else if (n == 0 || !blocked())
		f->ended = true;
}

static void drain(struct flow *f)
{
	ssize_t n = write(f->to, f->data.p, f->data.len);

	if (n > 0)
		buf_consume(&f->data, (size_t)n);
	else if (n < 0 && !blocked())
		f->broken = true;
}

static void copy_both(struct flow *up, struct flow *down)
{
	bool half_closed = false;

	while (!down->broken && !(down->ended && down->data.len == 0)) {
		bool up_reads = !up->ended && !up->broken && up->data.len == 0;
		struct pollfd fds[4] = {
			{ .fd = up_reads ? up->from : -1, .events = POLLIN },
			{ .fd = up->data.len && !up->broken ? up->to : -1, .events = POLLOUT },
			{ .fd = !down->ended && down->data.len == 0 ? down->from : -1, .events = POLLIN },
			{ .fd = down->data.len ? down->to : -1, .events = POLLOUT },
		};

		if (poll(fds, 4, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents)
			fill(up);
		if (fds[1].revents)
			drain(up);
		if (fds[2].revents)
			fill(down);
		if (fds[3].revents)
			drain(down);
		if (up->ended && up->data.len == 0 && !half_closed) {
			shutdown(up->to, SHUT_WR);
			half_closed = true;
		}
	}
}

/* The session may have been cut, or the workspace made anew, since the agent got it: then a fresh one is asked for, once. */
static int open_tunnel(const struct agent_place *place, int *ret_fd, struct buf *early, struct err *e)
{
	struct agent_session session;
	char target[200];
	unsigned status = 0;
	int r = CLI_FAILED;

	for (int fresh = 0; fresh < 2; fresh++) {
		r = agent_ask(place, fresh == 1, &session, e);
		if (r != CLI_DONE)
			return r;
		snprintf(target, sizeof(target), "/v1/workspaces/%s/tunnel?session=%s", place->name, session.session_id);
		r = api_upgrade(target, "saw-tunnel", ret_fd, early, &status, e);
		if (r == CLI_DONE || (status != 403 && status != 404 && status != 409))
			return r;
	}
	return r;
}

static int proxy_run(const struct cli_args *a)
{
	struct agent_place place;
	struct flow up = { .from = STDIN_FILENO };
	struct flow down = { .to = STDOUT_FILENO };
	struct err e = { "" };
	FD_AUTO int fd = -1;
	char name[API_NAME_MAX + 8];
	size_t len;
	int r;

	/* stock clients call it "NAME.saw" */
	snprintf(name, sizeof(name), "%s", a->word[0]);
	len = strlen(name);
	if (len > 4 && strcmp(name + len - 4, ".saw") == 0)
		name[len - 4] = '\0';
	if (strlen(a->word[0]) >= sizeof(name) || !api_name_ok(name))
		return say_fail(CLI_USAGE, "ssh-proxy: `%s` is no name of a workspace", a->word[0]);
	buf_init(&up.data, 2 * PIPE_SIZE);
	buf_init(&down.data, 2 * PIPE_SIZE);
	r = agent_place_init(&place, name, a->value[0] != NULL, &e) < 0 ? (int)CLI_FAILED :
									   open_tunnel(&place, &fd, &down.data, &e);
	if (r == CLI_DONE && (fd_nonblock(fd, &e) < 0 || fd_nonblock(STDIN_FILENO, &e) < 0 || fd_nonblock(STDOUT_FILENO, &e) < 0))
		r = CLI_FAILED;
	if (r != CLI_DONE) {
		r = say_fail((enum cli_exit)r, "%s", e.text);
	} else {
		up.to = fd;
		down.from = fd;
		copy_both(&up, &down);
	}
	buf_deinit(&up.data);
	buf_deinit(&down.data);
	return r;
}

static const struct cli_option proxy_options[] = {
	{ "forward", NULL, "use the session that may forward ports", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_ssh_proxy_verb = {
	.name = "ssh-proxy",
	.args = "NAME",
	.help = "be the ProxyCommand of ssh: bytes to and from the workspace's sshd",
	.options = proxy_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = 1,
	.hidden = true,
	.run = proxy_run,
};
