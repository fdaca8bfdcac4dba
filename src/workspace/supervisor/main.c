/* saw-workspace: the supervisor of one workspace. It parses no byte from outside: typed messages of its children and of the control
 * plane, and files that the control plane wrote. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/num.h"
#include "os/fd.h"
#include "os/lock.h"
#include "os/log.h"
#include "workspace/supervisor/bundle.h"
#include "workspace/supervisor/command.h"
#include "workspace/supervisor/control.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/listeners.h"
#include "workspace/supervisor/resolv.h"
#include "workspace/supervisor/trail.h"
#include "workspace/supervisor/ws.h"

enum { TERM_GRACE_MS = 20000 };

static const char usage[] =
	"usage: saw-workspace --dir FOLDER --run FOLDER [--keys FOLDER]\n"
	"       saw-workspace --dir FOLDER --run FOLDER --try UID:GID [--audit FILE] -- COMMAND [ARGUMENTS]\n"
	"It is started by sawd or by `saw try`; descriptor 3 is then the channel to `saw try`, 4 to 6 are the command's.\n";

static int set_path(char ret[PATHS_MAX], const char *v)
{
	return snprintf(ret, PATHS_MAX, "%s", v) < PATHS_MAX && v[0] == '/' ? 0 : -1;
}

static bool set_ids(struct ws_try *t, const char *text)
{
	struct bytes all = bytes_str(text);
	size_t colon = bytes_find(all, ':');

	return colon < all.len && num_u64(bytes_of(all.p, colon), UINT32_MAX - 1, &t->uid) &&
	       num_u64(bytes_skip(all, colon + 1), UINT32_MAX - 1, &t->gid);
}

static bool parse_args(struct ws *w, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "run", required_argument, NULL, 'r' },
		{ "keys", required_argument, NULL, 'k' },
		{ "try", required_argument, NULL, 't' },
		{ "audit", required_argument, NULL, 'a' },
		{ 0 },
	};
	bool is_try = false;
	bool ok = true;
	int c;

	while (ok && (c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'd')
			ok = set_path(w->dir, optarg) == 0;
		else if (c == 'r')
			ok = set_path(w->run, optarg) == 0;
		else if (c == 'k')
			ok = set_path(w->keys, optarg) == 0;
		else if (c == 'a')
			w->command.audit = optarg;
		else if (c == 't')
			ok = is_try = set_ids(&w->command, optarg);
		else
			ok = false;
	}
	if (is_try && optind < argc) {
		w->command.command = argv + optind;
		w->command.parent_fd = IPC_PARENT_FD;
		for (int i = 0; i < 3; i++)
			w->command.stdio[i] = IPC_PARENT_FD + 1 + i;
	}
	return ok && w->dir[0] && w->run[0] && is_try == (optind < argc);
}

/* The spec's texts borrow from this for as long as we live. */
static uint8_t spec_raw[MSG_MAX];

static int read_spec(struct ws *w, struct err *e)
{
	char path[PATHS_MAX];
	struct msg_in in;
	int r = paths_join(path, w->dir, "spec", e);
	FD_AUTO int fd = r < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (r < 0)
		return r;
	n = fd < 0 ? -1 : read(fd, spec_raw, sizeof(spec_raw));
	if (n < 0)
		return err_sys(e, errno, "read %s", path);
	if (!msg_open(&in, bytes_of(spec_raw, (size_t)n)) || !spec_get(&in, &w->spec))
		return err_set(e, EBADMSG, "%s is malformed or of a newer version: create the workspace again", path);
	if ((w->spec.driver == SPEC_DRIVER_TRY) != (w->command.command != NULL))
		return err_set(e, EINVAL, "%s is for another driver than the arguments", path);
	return 0;
}

static uint8_t hex(uint8_t c)
{
	return (uint8_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* From the id's twelve digits, as a local unicast address: two workspaces have two, and a restart keeps it. */
static int derive_mac(struct ws *w, struct err *e)
{
	static const char alphabet[] = "0123456789abcdef";
	struct bytes id = w->spec.id;

	if (id.len != 15 || memcmp(id.p, "ws-", 3) != 0)
		return err_set(e, EINVAL, "spec: the id is not \"ws-\" and 12 hex digits");
	for (size_t i = 3; i < id.len; i++)
		if (!memchr(alphabet, id.p[i], 16))
			return err_set(e, EINVAL, "spec: the id is not \"ws-\" and 12 hex digits");
	for (size_t i = 0; i < WS_MAC_LEN; i++)
		w->mac[i] = (uint8_t)(hex(id.p[3 + 2 * i]) << 4 | hex(id.p[4 + 2 * i]));
	w->mac[0] = (uint8_t)((w->mac[0] & 0xfc) | 0x02);
	return 0;
}

static void on_signal(struct loop_io *io, uint32_t events)
{
	struct signalfd_siginfo info;
	struct ws *w = io->owner;

	(void)events;
	if (read(io->fd, &info, sizeof(info)) != sizeof(info))
		return;
	/* At a terminal, these are for the command of `saw try`, which got them too. */
	if (w->command.command && (info.ssi_signo == SIGINT || info.ssi_signo == SIGQUIT))
		return;
	ws_stop(w, TERM_GRACE_MS, "stopped by a signal");
}

static int watch_signals(struct ws *w, struct loop_io *io, struct err *e)
{
	sigset_t set;
	int fd;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, errno, "watch signals");
	return loop_io_add(w->loop, io, fd, EPOLLIN, on_signal, w, e);
}

static int open_ws(struct ws *w, struct loop_io *signals, struct err *e)
{
	char lock[PATHS_MAX];
	int r = loop_new(&w->loop, e);

	r = r < 0 ? r : watch_signals(w, signals, e);
	if (r == 0 && w->command.command)
		r = command_parent(w, e);
	r = r < 0 ? r : paths_check_dir(w->dir, e);
	r = r < 0 ? r : paths_make_dir(w->run, e);
	r = r < 0 ? r : paths_join(lock, w->run, "lock", e);
	if (r == 0)
		r = w->lock_fd = lock_take(lock, e);
	r = r < 0 ? r : read_spec(w, e);
	r = r < 0 ? r : derive_mac(w, e);
	return r < 0 ? r : ws_start(w, e);
}

static void close_ws(struct ws *w)
{
	bundle_cancel();
	w->control = control_free(w->control);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		if (w->roles[i].ops)
			role_deinit(&w->roles[i]);
	w->listeners = listeners_free(w->listeners);
	w->resolv = resolv_free(w->resolv);
	w->trail = trail_free(w->trail);
	w->hold = hold_free(w->hold);
	cgroup_leave(&w->cgroup);
	w->loop = loop_free(w->loop);
}

int main(int argc, char **argv)
{
	static struct ws w = { .exit_code = -1, .lock_fd = -1, .user_fd = -1, .net_fd = -1, .tap_fd = -1, .journal_fd = -1,
			       .keeper_fds = { -1, -1 }, .roots_fd = -1 };
	static struct loop_io signals;
	struct err e = { 0 };
	int r;

	log_init("supervisor");
	if (!parse_args(&w, argc, argv)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	r = open_ws(&w, &signals, &e);
	if (r < 0) {
		log_line("%s", e.text);
		w.state = IPC_STATE_FAILED;
		(void)snprintf(w.detail, sizeof(w.detail), "%.390s", e.text);
		command_tell_end(&w);
	} else {
		r = loop_run(w.loop, &e);
	}
	if (r < 0)
		log_line("stopped: %s", e.text);
	close_ws(&w);
	return r == 0 ? 0 : 1;
}
