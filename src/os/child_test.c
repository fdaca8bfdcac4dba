#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"

static struct child_end wait_for(struct child *c)
{
	struct child_end end = { 0 };
	struct pollfd p = { .fd = c->pid_fd, .events = POLLIN };

	CHECK(poll(&p, 1, 10000) == 1);
	CHECK(child_reap(c, &end) == 1);
	CHECK(c->pid == 0 && c->pid_fd == -1);
	return end;
}

/* Runs a shell line in a child; gives its output. */
static struct child_end shell(const char *line, unsigned flags, char *out, size_t size)
{
	const char *const args[] = { "-c", line, NULL };
	struct child c = CHILD_NONE;
	struct err e = { 0 };
	int p[2];
	size_t len = 0;
	ssize_t n;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	struct child_fd fds[] = { { .from = p[1], .to = 1 } };
	struct child_spec s = { .path = "/bin/sh", .title = "saw-probe: dev", .args = args, .fds = fds, .n_fds = 1,
				.flags = flags };
	CHECK_INT(child_start(&c, &s, &e), 0);
	(void)fd_close(p[1]);
	while (len + 1 < size && (n = read(p[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	(void)fd_close(p[0]);
	return wait_for(&c);
}

TEST(the_exit_status_comes_back)
{
	char out[64];
	char text[CHILD_END_TEXT_MAX];
	struct child_end end = shell("exit 42", 0, out, sizeof(out));

	CHECK(!end.signalled && end.code == 42);
	child_end_text(&end, text);
	CHECK_STR(text, "exit status 42");
	end = shell("kill -TERM $$", 0, out, sizeof(out));
	CHECK(end.signalled && end.code == SIGTERM);
}

TEST(the_title_is_what_ps_shows)
{
	char out[256];

	(void)shell("head -c 14 /proc/$$/cmdline", 0, out, sizeof(out));
	CHECK_STR(out, "saw-probe: dev");
}

TEST(only_named_descriptors_reach_the_child)
{
	char out[4096];
	int leak = open("/dev/zero", O_RDONLY); /* on purpose without O_CLOEXEC */

	/* No pipe of the shell's own may be open while it is looked at; the `:` keeps it from becoming `ls`. */
	(void)shell("ls /proc/$$/fd; :", 0, out, sizeof(out));
	/* 10: the shell's own copy, if any */
	CHECK(strcmp(out, "0\n1\n2\n") == 0 || strcmp(out, "0\n1\n10\n2\n") == 0);
	(void)fd_close(leak);
}

TEST(descriptors_may_swap_places)
{
	const char *const args[] = { "-c", "printf a >&7; printf b >&8", NULL };
	struct child c = CHILD_NONE;
	struct err e = { 0 };
	int a[2];
	int b[2];
	char got = 0;

	CHECK(pipe2(a, O_CLOEXEC) == 0 && pipe2(b, O_CLOEXEC) == 0);
	CHECK(dup3(a[1], 8, O_CLOEXEC) == 8 && dup3(b[1], 7, O_CLOEXEC) == 7);
	struct child_fd fds[] = { { .from = 8, .to = 7 }, { .from = 7, .to = 8 } };
	struct child_spec s = { .path = "/bin/sh", .title = "sh", .args = args, .fds = fds, .n_fds = 2 };
	CHECK_INT(child_start(&c, &s, &e), 0);
	(void)wait_for(&c);
	CHECK(read(a[0], &got, 1) == 1 && got == 'a');
	CHECK(read(b[0], &got, 1) == 1 && got == 'b');
	for (int fd = 7; fd <= 8; fd++)
		(void)fd_close(fd);
	for (int i = 0; i < 2; i++) {
		(void)fd_close(a[i]);
		(void)fd_close(b[i]);
	}
}

TEST(the_environment_is_empty_and_signals_are_reset)
{
	char out[4096];
	sigset_t set;

	CHECK(setenv("SECRET_OF_PARENT", "x", 1) == 0);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	CHECK(syscall(SYS_rt_sigaction, 32, (uint64_t[4]){ 1 /* SIG_IGN */ }, NULL, 8UL) == 0);
	CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	(void)shell("tr '\\0' '\\n' </proc/$$/environ; grep -E 'SigBlk|SigIgn' /proc/self/status", 0, out, sizeof(out));
	CHECK(strstr(out, "SECRET_OF_PARENT") == NULL);
	CHECK(strstr(out, "SigBlk:\t0000000000000000") != NULL);
	CHECK(strstr(out, "SigIgn:\t0000000000000000") != NULL);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	(void)shell("echo $SECRET_OF_PARENT", CHILD_KEEP_ENV, out, sizeof(out));
	CHECK_STR(out, "x\n");
}

TEST(a_missing_program_is_an_error_with_its_path_and_leaves_nothing)
{
	struct child c = CHILD_NONE;
	struct err e = { 0 };
	struct child_spec s = { .path = "/nonexistent/saw-x", .title = "x" };

	CHECK_INT(child_start(&c, &s, &e), -ENOENT);
	CHECK_STR(e.text, "start /nonexistent/saw-x: execute: No such file or directory");
	CHECK(c.pid == 0 && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

TEST(a_child_dies_with_its_parent)
{
	int p[2];
	pid_t middle;
	pid_t grandchild = 0;
	int pid_fd;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	middle = fork();
	if (middle == 0) {
		const char *const args[] = { "1000", NULL };
		struct child c = CHILD_NONE;
		struct child_spec s = { .path = "/bin/sleep", .title = "sleep", .args = args };

		if (child_start(&c, &s, NULL) < 0 || write(p[1], &c.pid, sizeof(c.pid)) < 0)
			_exit(1);
		for (;;)
			(void)pause();
	}
	CHECK(read(p[0], &grandchild, sizeof(grandchild)) == sizeof(grandchild) && grandchild > 0);
	pid_fd = (int)syscall(SYS_pidfd_open, grandchild, 0U);
	CHECK(pid_fd >= 0);
	CHECK(kill(middle, SIGKILL) == 0 && waitpid(middle, NULL, 0) == middle);
	struct pollfd w = { .fd = pid_fd, .events = POLLIN };
	CHECK_INT(poll(&w, 1, 10000), 1);
	(void)fd_close(pid_fd);
	(void)fd_close(p[0]);
	(void)fd_close(p[1]);
}

struct watched {
	struct loop *loop;
	struct loop_io io;
	struct child child;
	struct child_end end;
	int calls;
};

static void on_watched(struct loop_io *io, uint32_t events)
{
	struct watched *w = io->owner;

	(void)events;
	w->calls++;
	if (child_ended(io, &w->child, &w->end))
		loop_stop(w->loop, 0);
}

TEST(a_watched_child_is_collected_once_and_leaves_no_watch)
{
	const char *const args[] = { "-c", "exit 5", NULL };
	struct child_spec spec = { .path = "/bin/sh", .title = "sh", .args = args };
	struct watched w = { .child = CHILD_NONE };
	struct err e = { 0 };

	CHECK(loop_new(&w.loop, &e) == 0 && child_start(&w.child, &spec, &e) == 0);
	CHECK(loop_io_add(w.loop, &w.io, w.child.pid_fd, EPOLLIN, on_watched, &w, &e) == 0);
	CHECK(loop_run(w.loop, &e) == 0);
	CHECK(w.end.code == 5 && !w.end.signalled && w.child.pid == 0 && w.child.pid_fd == -1 && !w.io.loop);
	CHECK(loop_turn(w.loop, 0, &e) == 0);
	CHECK_INT(w.calls, 1);
	loop_free(w.loop);
}
