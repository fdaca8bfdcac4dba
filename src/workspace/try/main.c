/* saw-try: runs the command of `saw try` where a guest would be. Descriptors 4 to 6 are the command's standard ones. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/chan.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "workspace/try/place.h"

/* Three processes: this one outside the new PID namespace, the namespace's first process (it mounts /proc, reaps, and takes everything
 * with it when it ends), and the command. The first process dies with this one, this one with the supervisor. */

enum { STDIO_FD = IPC_PARENT_FD + 1, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

struct try {
	struct loop *loop;
	struct chan *parent;
	char **command;
	struct loop_io init_io;
	pid_t init;
	int init_fd;
	bool placed;
};

static struct msg out;

static void fail(struct try *t, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&out, MSG_FAILED);
	msg_str(&out, e->text);
	chan_send(t->parent, &out);
	loop_stop(t->loop, 1);
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct try *t = owner;
	uint32_t uid = (uint32_t)msg_get_max(in, UINT32_MAX - 1);
	uint32_t gid = (uint32_t)msg_get_max(in, UINT32_MAX - 1);
	FD_AUTO int front = msg_take_fd(in);
	FD_AUTO int net = -1;
	struct err e = { 0 };

	if (!msg_end(in) || t->placed)
		return false;
	t->placed = true;
	net = place_enter(front, uid, gid, &e);
	if (net < 0) {
		fail(t, &e);
		return true;
	}
	msg_start(&out, MSG_TRY_NETNS);
	msg_fd(&out, net);
	chan_send(t->parent, &out);
	return true;
}

static void run_command(char **command)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < 65; sig++)
		(void)sigaction(sig, &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 3; i++)
		if (dup2(STDIO_FD + i, i) < 0)
			_exit(NOT_EXECUTABLE);
	for (int i = 0; i < 3; i++)
		(void)close(STDIO_FD + i);
	(void)execvp(command[0], command);
	(void)fprintf(stderr, "saw try: %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

static int code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The first process of the namespace. Its end is the end of all in it. */
static void run_init(char **command, int outer_fd)
{
	struct pollfd outer = { .fd = outer_fd, .events = POLLIN };
	struct err e = { 0 };
	int status = 0;
	pid_t pid;
	pid_t done;

	/* getppid() is 0 across PID namespaces, whether the parent lives or not: its pidfd says it. */
	(void)fd_close(IPC_PARENT_FD);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&outer, 1, 0) != 0)
		_exit(NOT_EXECUTABLE);
	if (place_files(&e) < 0) {
		log_line("%s", e.text);
		dprintf(STDIO_FD + 2, "saw try: %s\n", e.text);
		_exit(NOT_EXECUTABLE);
	}
	pid = fork();
	if (pid == 0)
		run_command(command);
	for (int i = 0; i < 3; i++)
		(void)close(STDIO_FD + i);
	do
		done = waitpid(-1, &status, 0);
	while (done != pid && (done > 0 || errno == EINTR));
	_exit(done == pid ? code_of(status) : NOT_EXECUTABLE);
}

static void on_init_end(struct loop_io *io, uint32_t events)
{
	struct try *t = io->owner;
	siginfo_t info = { 0 };

	(void)events;
	loop_io_remove(io);
	(void)waitid(P_PIDFD, (id_t)t->init_fd, &info, WEXITED);
	msg_start(&out, MSG_TRY_DONE);
	msg_u64(&out, info.si_code == CLD_EXITED ? (uint64_t)info.si_status : 128 + (uint64_t)info.si_status);
	chan_send(t->parent, &out);
	loop_stop(t->loop, 0);
}

static int pid_fd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0U);
}

static bool on_go(void *owner, struct msg_in *in)
{
	struct try *t = owner;
	FD_AUTO int own_fd = pid_fd_of(getpid());
	struct err e = { 0 };

	if (!msg_end(in) || !t->placed || t->init)
		return false;
	if ((own_fd < 0 ? err_sys(&e, errno, "watch this process") : place_network(&e)) < 0) {
		fail(t, &e);
		return true;
	}
	t->init = fork();
	if (t->init == 0)
		run_init(t->command, own_fd);
	for (int i = 0; i < 3; i++)
		(void)close(STDIO_FD + i);
	t->init_fd = t->init < 0 ? -1 : pid_fd_of(t->init);
	if (t->init_fd < 0 || loop_io_add(t->loop, &t->init_io, t->init_fd, EPOLLIN, on_init_end, t, &e) < 0) {
		(void)err_sys(&e, errno, "start the command");
		fail(t, &e);
	}
	return true;
}

static bool on_stop(void *owner, struct msg_in *in)
{
	struct try *t = owner;

	(void)in;
	loop_stop(t->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct try *t = owner;

	(void)why;
	loop_stop(t->loop, 1);
}

static const struct chan_permit permits[] = {
	{ MSG_TRY_CONFIG, on_config },
	{ MSG_TRY_GO, on_go },
	{ MSG_STOP, on_stop },
};

int main(int argc, char **argv)
{
	static struct try t = { .init_fd = -1 };
	struct err e = { 0 };
	int r;

	log_init("try");
	if (argc < 2)
		return 2;
	t.command = argv + 1;
	/* Signals of the terminal are for the command. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	r = jail_identity(0, &e);
	r = r < 0 ? r : loop_new(&t.loop, &e);
	r = r < 0 ? r : chan_new(&t.parent, t.loop, IPC_PARENT_FD, permits, 3, on_parent_end, &t, &e);
	r = r < 0 ? r : loop_run(t.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	/* The namespace's first process ends with us, and with it everything in there. Nothing can be cloned any more once it has
	 * ended, a leak checker's helper included: hence no exit handlers. */
	_exit(r == 0 ? 0 : 1);
}
