/* sawd: the control plane of this user on this machine. Without --foreground it goes to the background once everything serves, and returns 0; or says why not, and returns 1. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/launcher/launcher.h"

enum { EXIT_USAGE = 2 };

struct options {
	bool foreground;
	bool lab;
	int ready_fd;
	uint64_t session_max_s;
	uint64_t session_idle_s;
	uint64_t running_max;
	const char *resolv_conf;
};

static void usage(FILE *to)
{
	(void)fputs("usage: sawd [--foreground] [--ready-fd N] [--session-max S] [--session-idle S]\n"
		    "            [--running-max N] [--resolv-conf FILE] [--lab] [--version]\n"
		    "  --foreground      do not go to the background; log to standard error\n"
		    "  --ready-fd N      write \"ready\" to descriptor N when the API serves\n"
		    "  --session-max S   cut a session's tunnels after S seconds (at most and by default 12 hours)\n"
		    "  --session-idle S  cut a tunnel after S seconds without a byte (at most and by default an hour)\n"
		    "  --running-max N   run no more than N workspaces at once (at most and by default 4096)\n"
		    "  --resolv-conf F   name servers that gateways ask, instead of /etc/resolv.conf: an absolute path\n"
		    "  --lab             take workspaces of driver `try`, which isolate nothing: for tests\n",
		    to);
}

static bool read_seconds(const char *option, const char *text, uint64_t max_ms, uint64_t *ret)
{
	uint64_t s;

	if (num_u64(bytes_str(text), max_ms / 1000, &s) && s > 0) {
		*ret = s;
		return true;
	}
	(void)fprintf(stderr, "sawd: --%s %s: a number of seconds from 1 to %llu\n", option, text, (unsigned long long)max_ms / 1000);
	return false;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = { { "foreground", no_argument, NULL, 'f' }, { "ready-fd", required_argument, NULL, 'r' },
					       { "session-max", required_argument, NULL, 'm' },
					       { "session-idle", required_argument, NULL, 'i' },
					       { "resolv-conf", required_argument, NULL, 'R' },
					       { "running-max", required_argument, NULL, 'n' },
					       { "lab", no_argument, NULL, 'l' },	 { "version", no_argument, NULL, 'v' },
					       { "help", no_argument, NULL, 'h' },	 { NULL, 0, NULL, 0 } };
	uint64_t fd;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'f':
			ret->foreground = true;
			break;
		case 'l':
			ret->lab = true;
			break;
		case 'm':
			if (!read_seconds("session-max", optarg, SAWD_SESSION_MAX_MS, &ret->session_max_s))
				return EXIT_USAGE;
			break;
		case 'i':
			if (!read_seconds("session-idle", optarg, SAWD_SESSION_IDLE_MS, &ret->session_idle_s))
				return EXIT_USAGE;
			break;
		case 'n':
			if (!num_u64(bytes_str(optarg), SAWD_RUNNING_MAX, &ret->running_max) || !ret->running_max) {
				(void)fprintf(stderr, "sawd: --running-max %s: a number from 1 to %d\n", optarg, SAWD_RUNNING_MAX);
				return EXIT_USAGE;
			}
			break;
		case 'R':
			if (optarg[0] != '/' || access(optarg, R_OK) < 0) {
				(void)fprintf(stderr, "sawd: --resolv-conf %s: not an absolute path of a readable file\n", optarg);
				return EXIT_USAGE;
			}
			ret->resolv_conf = optarg;
			break;
		case 'r':
			if (!num_u64(bytes_str(optarg), 1023, &fd) || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
				(void)fprintf(stderr, "sawd: --ready-fd %s: not an open descriptor\n", optarg);
				return EXIT_USAGE;
			}
			ret->ready_fd = (int)fd;
			break;
		case 'v':
			(void)puts("sawd " SAW_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "sawd: unexpected argument %s\n", argv[optind]);
		usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

static void on_signal(struct loop_io *io, uint32_t events)
{
	struct launcher *l = io->owner;
	struct signalfd_siginfo info;

	(void)events;
	if (read(io->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	log_line("signal %u: going down", info.ssi_signo);
	roles_stop(l);
}

static int watch_signals(struct launcher *l, struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;
	int fd;

	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, errno, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, errno, "watch signals");
	return loop_io_add(l->loop, &l->signal_io, fd, EPOLLIN, on_signal, l, e);
}

static void find_owner(struct launcher *l)
{
	const struct passwd *p = getpwuid(geteuid());

	if (p && strlen(p->pw_name) < sizeof(l->owner))
		(void)snprintf(l->owner, sizeof(l->owner), "%s", p->pw_name);
	else
		(void)snprintf(l->owner, sizeof(l->owner), "uid-%u", geteuid());
}

/* As many as `wanted`, where keeper, which holds the most descriptors, can have that many. The soft limit is often 1024: behind so many
 * workspaces this process could start no role again. The roles set their own. */
static uint64_t find_running_max(uint64_t wanted)
{
	struct rlimit l;
	uint64_t room;
	rlim_t ours;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return wanted;
	room = l.rlim_max > SAWD_SPARE_FDS + SAWD_RUNNING_FDS ? (l.rlim_max - SAWD_SPARE_FDS) / SAWD_RUNNING_FDS : 1;
	wanted = wanted < room ? wanted : room;
	ours = wanted + SAWD_SPARE_FDS;
	if (l.rlim_cur < ours) {
		l.rlim_cur = ours < l.rlim_max ? ours : l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
	return wanted;
}

/* In the background: what the starter waits for comes over `tell_fd`: "ready", or a sentence, or nothing. */
static int serve(struct launcher *l, const struct options *o)
{
	struct err e = { 0 };
	int r = listen_open(l, &e);

	if (r == 0 && !o->foreground) {
		(void)dup2(l->log_fd, 1);
		(void)dup2(l->log_fd, 2);
	}
	if (r == 0 && o->foreground) {
		(void)fd_close(l->log_fd);
		l->log_fd = fcntl(2, F_DUPFD_CLOEXEC, 3);
	}
	r = r < 0 ? r : loop_new(&l->loop, &e);
	r = r < 0 ? r : watch_signals(l, &e);
	if (r == 0) {
		jobs_sweep(l);
		roles_start(l);
		r = loop_run(l->loop, &e);
		roles_deinit(l);
		jobs_deinit(l);
	}
	if (r < 0) {
		log_line("%s", e.text);
		if (l->ready_fd >= 0)
			(void)dprintf(l->ready_fd, "%s\n", e.text);
	}
	loop_io_remove(&l->signal_io);
	loop_free(l->loop);
	return r == 0 ? 0 : 1;
}

/* Waits for the background process's word. */
static int wait_ready(int fd)
{
	char text[ERR_MAX + 1];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) != 0) {
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	text[len] = '\0';
	if (strncmp(text, "ready\n", 6) == 0)
		return 0;
	(void)fprintf(stderr, "sawd: %s", len ? text : "it ended without a word: see sawd.log in the state folder\n");
	return 1;
}

static int to_background(struct launcher *l, const struct options *o)
{
	int fds[2];
	int null_fd;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		(void)fprintf(stderr, "sawd: go to the background: %s\n", strerror(errno));
		return 1;
	}
	if (pid > 0) {
		(void)fd_close(fds[1]);
		return wait_ready(fds[0]);
	}
	(void)fd_close(fds[0]);
	(void)setsid();
	(void)!chdir("/");
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0)
		for (int fd = 0; fd <= 2; fd++)
			(void)dup2(null_fd, fd);
	(void)fd_close(null_fd);
	l->ready_fd = fds[1];
	return serve(l, o);
}

int main(int argc, char **argv)
{
	static struct launcher l = { .lock_fd = -1, .state_lock_fd = -1, .listen_fd = -1, .log_fd = -1, .ready_fd = -1 };
	struct options o = { .ready_fd = -1, .resolv_conf = "", .session_max_s = SAWD_SESSION_MAX_MS / 1000,
			     .session_idle_s = SAWD_SESSION_IDLE_MS / 1000, .running_max = SAWD_RUNNING_MAX };
	int r;

	fd_hold_standard();
	log_init("sawd");
	if (argc == 4 && strcmp(argv[1], "--make-disks") == 0)
		return jobs_make_disks(argv[2], argv[3]);
	r = read_options(argc, argv, &o);
	if (r >= 0)
		return r;
	l.lab = o.lab;
	l.resolv_conf = o.resolv_conf;
	l.ready_fd = o.ready_fd;
	l.session_max_ms = o.session_max_s * 1000;
	l.session_idle_ms = o.session_idle_s * 1000;
	l.running_max = find_running_max(o.running_max);
	find_owner(&l);
	return o.foreground ? serve(&l, &o) : to_background(&l, &o);
}
