#include "cli/image_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "os/child.h"
#include "os/fd.h"

/* One poll over everything: both programs' ends, their words, the output that is wanted, and the signals that mean "stop". */

enum { PROGRAMS = 2, LINE_LEN_MAX = 400, TAIL_LINES = 6, PATH_LEN = 4096 };
enum { P_SIGNAL, P_OUT, P_ERR, P_END = P_ERR + PROGRAMS, P_COUNT = P_END + PROGRAMS };

static int signal_fd = -1;

struct run {
	struct child child[PROGRAMS];
	bool runs[PROGRAMS];
	bool bad[PROGRAMS];
	unsigned first_bad; /* which failed first: the other only lost its partner */
	struct child_end end[PROGRAMS];
	int err_fd[PROGRAMS];
	int joint_fd; /* what the first says to the second: for a look whether it still may, and never read */
	bool first_over; /* it had closed that when the second failed */
	int out_fd;
	char line[PROGRAMS][LINE_LEN_MAX];
	size_t line_len[PROGRAMS];
	char tail[PROGRAMS][TAIL_LINES][LINE_LEN_MAX]; /* each one's own: who lost its partner says nothing that helps */
	unsigned n_tail[PROGRAMS];
	bool stopped;
	struct buf *out;
	image_run_line_fn on_line;
};

int image_run_begin(struct err *e)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, errno, "block signals");
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signal_fd < 0 ? err_sys(e, errno, "watch signals") : 0;
}

static bool find(const char *program, char ret[PATH_LEN])
{
	const char *path = getenv("PATH");
	struct bytes left = bytes_str(path && *path ? path : "/usr/bin:/bin");
	static const char *const system_folders[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };

	while (left.len) {
		size_t n = bytes_find(left, ':');

		(void)snprintf(ret, PATH_LEN, "%.*s/%s", (int)n, (const char *)left.p, program);
		if (ret[0] == '/' && access(ret, X_OK) == 0)
			return true;
		left = bytes_skip(left, n < left.len ? n + 1 : n);
	}
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(system_folders[0]); i++) {
		(void)snprintf(ret, PATH_LEN, "%s/%s", system_folders[i], program);
		if (access(ret, X_OK) == 0)
			return true;
	}
	return false;
}

bool image_run_has(const char *program)
{
	char path[PATH_LEN];

	return find(program, path);
}

static void take_line(struct run *x, unsigned i)
{
	x->line[i][x->line_len[i]] = '\0';
	x->line_len[i] = 0;
	if (!x->line[i][0])
		return;
	if (x->on_line)
		x->on_line(x->line[i]);
	/* how far it is, is not why it failed */
	if (strncmp(x->line[i], "I: ", 3) != 0)
		memcpy(x->tail[i][x->n_tail[i]++ % TAIL_LINES], x->line[i], LINE_LEN_MAX);
}

static void on_words(struct run *x, unsigned i)
{
	char chunk[4096];
	ssize_t n = read(x->err_fd[i], chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		take_line(x, i);
		x->err_fd[i] = fd_close(x->err_fd[i]);
		return;
	}
	for (ssize_t k = 0; k < n; k++) {
		if (chunk[k] == '\n' || chunk[k] == '\r')
			take_line(x, i);
		else if (x->line_len[i] < LINE_LEN_MAX - 1)
			x->line[i][x->line_len[i]++] = (char)chunk[k];
	}
}

static void on_output(struct run *x)
{
	uint8_t chunk[4096];
	ssize_t n = read(x->out_fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		x->out_fd = fd_close(x->out_fd);
	else
		(void)buf_add(x->out, chunk, (size_t)n);
}

static void stop_all(struct run *x)
{
	struct signalfd_siginfo ignored;
	ssize_t n = read(signal_fd, &ignored, sizeof(ignored));

	(void)n;
	/* SIGTERM: mmdebstrap cleans up its temporary tree. A second Ctrl-C does not wait for that. */
	for (unsigned i = 0; i < PROGRAMS; i++)
		if (x->runs[i])
			child_signal(&x->child[i], x->stopped ? SIGKILL : SIGTERM);
	x->stopped = true;
}

/* Nobody writes there any more. A program that ends closes its files first, and the other may be seen to fail of that before it is seen to have ended. */
static bool is_over(int fd)
{
	struct pollfd p = { .fd = fd };

	return fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static void on_end(struct run *x, unsigned i)
{
	if (child_reap(&x->child[i], &x->end[i]) == 0)
		return;
	x->runs[i] = false;
	x->bad[i] = x->end[i].signalled || x->end[i].code;
	if (i == 1) {
		x->first_over = is_over(x->joint_fd);
		x->joint_fd = fd_close(x->joint_fd); /* with us as a reader the first would wait for room for ever */
	}
	if (x->bad[i] && (!x->bad[1 - i] || (i == 0 && x->first_over)))
		x->first_bad = i;
}

static bool busy(const struct run *x)
{
	for (unsigned i = 0; i < PROGRAMS; i++)
		if (x->runs[i] || x->err_fd[i] >= 0)
			return true;
	return x->out_fd >= 0;
}

static void watch(struct run *x)
{
	while (busy(x)) {
		struct pollfd p[P_COUNT];

		p[P_SIGNAL].fd = signal_fd;
		p[P_OUT].fd = x->out_fd;
		for (int i = 0; i < PROGRAMS; i++) {
			p[P_ERR + i].fd = x->err_fd[i];
			p[P_END + i].fd = x->runs[i] ? x->child[i].pid_fd : -1;
		}
		for (int i = 0; i < P_COUNT; i++) {
			p[i].events = POLLIN;
			p[i].revents = 0;
		}
		if (poll(p, P_COUNT, -1) < 0)
			continue;
		if (p[P_SIGNAL].revents)
			stop_all(x);
		if (p[P_OUT].revents)
			on_output(x);
		for (unsigned i = 0; i < PROGRAMS; i++) {
			if (p[P_ERR + i].revents)
				on_words(x, i);
			if (p[P_END + i].revents)
				on_end(x, i);
		}
	}
}

static int start(struct run *x, unsigned i, const char *const argv[], int in_fd, int out_fd, struct err *e)
{
	char path[PATH_LEN];
	int words[2];
	struct child_fd fds[3];
	struct child_spec spec = { .path = path, .title = argv[0], .args = argv + 1, .fds = fds,
				   .flags = CHILD_SAME_SESSION | CHILD_KEEP_ENV };
	int r;

	if (!find(argv[0], path))
		return err_set(e, ENOENT, "%s is missing: install it (Debian: apt install %s)", argv[0],
			       strcmp(argv[0], "sqfstar") == 0 ? "squashfs-tools" : argv[0]);
	if (pipe2(words, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	fds[spec.n_fds++] = (struct child_fd){ .from = words[1], .to = 2 };
	if (in_fd >= 0)
		fds[spec.n_fds++] = (struct child_fd){ .from = in_fd, .to = 0 };
	if (out_fd >= 0)
		fds[spec.n_fds++] = (struct child_fd){ .from = out_fd, .to = 1 };
	r = child_start(&x->child[i], &spec, e);
	(void)fd_close(words[1]);
	if (r < 0) {
		(void)fd_close(words[0]);
		return r;
	}
	x->runs[i] = true;
	x->err_fd[i] = words[0];
	return 0;
}

static int start_all(struct run *x, const char *const argv[], const char *const then[], struct err *e)
{
	FD_AUTO int in = -1, out = -1;
	int joint[2];
	int r;

	if (then || x->out) {
		if (pipe2(joint, O_CLOEXEC) < 0)
			return err_sys(e, errno, "make a pipe");
		in = joint[0];
		out = joint[1];
	}
	r = start(x, 0, argv, -1, out, e);
	out = fd_close(out);
	if (r == 0 && then)
		r = start(x, 1, then, in, -1, e);
	if (r == 0 && then)
		x->joint_fd = fd_take(&in);
	else if (r == 0 && x->out)
		x->out_fd = fd_take(&in);
	return r;
}

static int judge(const struct run *x, const char *const argv[], const char *const then[], struct err *e)
{
	BUF_AUTO struct buf tail = { 0 };
	char how[CHILD_END_TEXT_MAX];
	unsigned i = x->first_bad;

	if (x->stopped)
		return err_set(e, EINTR, "interrupted");
	if (!x->bad[i])
		return x->out && x->out->failed ? err_set(e, EFBIG, "%s says too much", argv[0]) : 0;
	buf_init(&tail, ERR_MAX);
	for (unsigned k = x->n_tail[i] > TAIL_LINES ? x->n_tail[i] - TAIL_LINES : 0; k < x->n_tail[i]; k++)
		(void)buf_fmt(&tail, "\n  %.120s", x->tail[i][k % TAIL_LINES]);
	child_end_text(&x->end[i], how);
	return err_set(e, EIO, "%s failed with %s%s", i ? then[0] : argv[0], how, buf_cstr(&tail));
}

int image_run(const char *const argv[], const char *const then[], struct buf *out, image_run_line_fn on_line, struct err *e)
{
	struct run *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_set(e, ENOMEM, "out of memory");
	x->out = out;
	x->joint_fd = -1;
	x->out_fd = -1;
	x->on_line = on_line;
	for (unsigned i = 0; i < PROGRAMS; i++) {
		x->child[i] = CHILD_NONE;
		x->err_fd[i] = -1;
	}
	r = start_all(x, argv, then, e);
	if (r == 0) {
		watch(x);
		r = judge(x, argv, then, e);
	}
	for (unsigned i = 0; i < PROGRAMS; i++) {
		child_kill(&x->child[i]);
		(void)fd_close(x->err_fd[i]);
	}
	(void)fd_close(x->joint_fd);
	(void)fd_close(x->out_fd);
	free(x);
	return r;
}
