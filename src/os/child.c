#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "os/fd.h"

/* The child runs on a stack of its own in our memory while we are suspended (CLONE_VM | CLONE_VFORK), as posix_spawn does it: no
 * page tables are copied, and a failure travels back through a plain variable. Between clone and exec only system calls
 * happen; everything they need is made before. All signals are blocked meanwhile, so that no handler of ours can run in the child. */

enum { STACK = 64 * 1024, ARGS_MAX = 256, ENV_MAX = 8, FD_PARKED = CHILD_FD_TO_MAX + 1 };

struct plan {
	const struct child_spec *spec;
	char *const *argv;
	char *const *envp;
	pid_t parent;
	int null_fd;
	int parked[CHILD_FDS_MAX];
	int code;
	const char *what;
};

static int fail(struct plan *p, const char *what)
{
	p->code = errno;
	p->what = what;
	_exit(127);
}

/* CLONE_VM copies the handler table, it does not share it: resetting here leaves the parent's alone. */
static void reset_signals(void)
{
	/* The kernel's own struct, all zero: SIG_DFL. Not sigaction(): glibc keeps 32 and 33 for itself and refuses them, but a parent
	 * that ignores them hands that on through every exec. */
	const uint64_t dfl[4] = { 0 };
	sigset_t none;

	for (int sig = 1; sig < 65; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL, 8UL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First out of the way of every target, then to its place; whatever was not named is closed by exec. */
static void place_fds(struct plan *p)
{
	const struct child_spec *s = p->spec;

	if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) < 0)
		(void)fail(p, "mark descriptors close-on-exec");
	for (size_t i = 0; i < s->n_fds; i++) {
		p->parked[i] = fcntl(s->fds[i].from, F_DUPFD_CLOEXEC, FD_PARKED);
		if (p->parked[i] < 0)
			(void)fail(p, "duplicate a descriptor");
	}
	p->null_fd = fcntl(p->null_fd, F_DUPFD_CLOEXEC, FD_PARKED);
	for (int fd = 0; fd <= 2; fd++)
		if (p->null_fd < 0 || dup2(p->null_fd, fd) < 0)
			(void)fail(p, "place /dev/null");
	for (size_t i = 0; i < s->n_fds; i++)
		if (dup2(p->parked[i], s->fds[i].to) < 0)
			(void)fail(p, "place a descriptor");
}

static int in_child(void *arg)
{
	struct plan *p = arg;
	const struct child_spec *s = p->spec;

	if (!(s->flags & CHILD_OUTLIVES)) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			return fail(p, "arrange to die with the parent");
		if (getppid() != p->parent)
			_exit(127);
	}
	if (!(s->flags & CHILD_SAME_SESSION) && setsid() < 0)
		return fail(p, "start a session");
	place_fds(p);
	reset_signals();
	(void)execve(s->path, p->argv, p->envp);
	return fail(p, "execute");
}

static void fill_env(char *envp[ENV_MAX])
{
	size_t n = 0;
#ifdef SAW_SANITIZED
	static const char *const pass[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
	static char text[3][512];

	for (size_t i = 0; i < 3; i++) {
		const char *v = getenv(pass[i]);

		if (!v)
			continue;
		(void)snprintf(text[i], sizeof(text[i]), "%s=%s", pass[i], v);
		envp[n++] = text[i];
	}
#endif
	envp[n] = NULL;
}

static int run_plan(struct child *ret, struct plan *p, struct err *e)
{
	void *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all;
	sigset_t was;
	int pid_fd = -1;
	pid_t pid;
	int code;

	if (stack == MAP_FAILED)
		return err_sys(e, errno, "start %s", p->spec->path);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &was);
	pid = clone(in_child, (char *)stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, p, &pid_fd);
	code = errno;
	(void)sigprocmask(SIG_SETMASK, &was, NULL);
	(void)munmap(stack, STACK);
	if (pid < 0)
		return err_sys(e, code, "start %s", p->spec->path);
	*ret = (struct child){ .pid = pid, .pid_fd = pid_fd };
	if (!p->what)
		return 0;
	child_kill(ret);
	return err_sys(e, p->code, "start %s: %s", p->spec->path, p->what);
}

int child_start(struct child *ret, const struct child_spec *s, struct err *e)
{
	char *argv[ARGS_MAX + 2] = { (char *)(uintptr_t)s->title };
	char *envp[ENV_MAX];
	struct plan p = { .spec = s, .argv = argv, .envp = envp, .parent = getpid() };
	FD_AUTO int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	must(s->n_fds <= CHILD_FDS_MAX);
	for (size_t i = 0; i < s->n_fds; i++)
		must(s->fds[i].from >= 0 && s->fds[i].to >= 0 && s->fds[i].to <= CHILD_FD_TO_MAX);
	if (null_fd < 0)
		return err_sys(e, errno, "open /dev/null");
	for (size_t i = 0; s->args && s->args[i]; i++) {
		if (i == ARGS_MAX)
			return err_set(e, E2BIG, "start %s: more than %d arguments", s->path, ARGS_MAX);
		argv[i + 1] = (char *)(uintptr_t)s->args[i];
	}
	fill_env(envp);
	if (s->flags & CHILD_KEEP_ENV)
		p.envp = environ;
	p.null_fd = null_fd;
	return run_plan(ret, &p, e);
}

int child_reap(struct child *c, struct child_end *ret)
{
	siginfo_t info = { 0 };

	must(c->pid > 0);
	while (waitid(P_PIDFD, (id_t)c->pid_fd, &info, WEXITED | WNOHANG) < 0)
		if (errno != EINTR)
			return -errno;
	if (info.si_pid == 0)
		return 0;
	ret->signalled = info.si_code != CLD_EXITED;
	ret->code = info.si_status;
	(void)fd_close(c->pid_fd);
	*c = CHILD_NONE;
	return 1;
}

/* The watch goes before the descriptor: a sibling that is just being started holds a copy of it until its exec, and closing
 * ours would leave a watch behind that nobody could remove any more. */
bool child_ended(struct loop_io *io, struct child *c, struct child_end *ret)
{
	siginfo_t info = { 0 };

	must(c->pid > 0);
	if (waitid(P_PIDFD, (id_t)c->pid_fd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return false;
	loop_io_remove(io);
	return child_reap(c, ret) == 1;
}

void child_signal(const struct child *c, int sig)
{
	if (c->pid > 0)
		(void)syscall(SYS_pidfd_send_signal, c->pid_fd, sig, NULL, 0U);
}

void child_kill(struct child *c)
{
	siginfo_t info;

	if (c->pid <= 0)
		return;
	child_signal(c, SIGKILL);
	while (waitid(P_PIDFD, (id_t)c->pid_fd, &info, WEXITED) < 0 && errno == EINTR)
		;
	(void)fd_close(c->pid_fd);
	*c = CHILD_NONE;
}

void child_end_text(const struct child_end *end, char ret[CHILD_END_TEXT_MAX])
{
	const char *name = end->signalled ? sigdescr_np(end->code) : NULL;

	if (end->signalled)
		(void)snprintf(ret, CHILD_END_TEXT_MAX, "signal %d (%s)", end->code, name ? name : "unknown");
	else
		(void)snprintf(ret, CHILD_END_TEXT_MAX, "exit status %d", end->code);
}
