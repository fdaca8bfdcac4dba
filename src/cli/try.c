/* `saw try`: a command in the guest's place behind a gateway of its own, without a machine. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_out.h"
#include "cli/say.h"
#include "cli/try_keeper.h"
#include "cli/try_policy.h"
#include "cli/try_refusals.h"
#include "cli/verbs.h"
#include "crypt/random.h"
#include "ipc/chan.h"
#include "ipc/spec.h"
#include "ipc/types.h"
#include "os/child.h"
#include "os/fd.h"
#include "os/paths.h"

/* A workspace with the driver "try" in a temporary folder, its supervisor a child of ours in our process group: the terminal's signals
 * reach the command itself, and with us everything ends. */

enum { END_MS = 5000 /* for the supervisor to end by itself */ };

enum option_at { POLICY, SECRET, AUDIT, RESOLV, LOG, AS_ROOT, QUIET, JSON };

static const struct cli_option options[] = {
	[POLICY] = { "policy", "FILE", "the policy to try (required)", CLI_FILE },
	[SECRET] = { "secret", "ID=FILE", "the value of a credential of the policy; several with commas between", CLI_TEXT },
	[AUDIT] = { "audit", "FILE", "keep the audit log there: `saw audit --denied FILE` says what was refused and why", CLI_FILE },
	[RESOLV] = { "resolv-conf", "FILE", "the gateway's resolvers, instead of /etc/resolv.conf", CLI_FILE },
	[LOG] = { "log", "FILE", "keep the gateway's own log there", CLI_FILE },
	[AS_ROOT] = { "root", NULL, "the command is root in its namespace (raw sockets, ports, mounts)", CLI_TEXT },
	[QUIET] = { "quiet", NULL, "do not say that this is no isolation boundary, what has no value, nor how much was refused", CLI_TEXT },
	[JSON] = { "json", NULL, "print the outcome as JSON on standard error", CLI_TEXT },
	{ 0 },
};

struct attempt {
	const struct cli_args *args;
	struct loop *loop;
	struct chan *chan;
	struct child child;
	struct try_keeper *keeper;
	struct loop_io exit_io;
	struct loop_io signal_io;
	char dir[PATHS_MAX];
	char run[PATHS_MAX];
	int dir_fd; /* locked while we live */
	struct buf policy; /* compiled */
	int code; /* of the command; -1: it never ended by itself */
	int stopped_by; /* signal that we passed on; 0: none */
	enum cli_exit lack; /* the code for what it is that keeps the command from being run */
	char audit[PATHS_MAX];
	uint64_t audit_start;
	char failed[ERR_MAX];
};

static struct msg out;

static int absolute(const char *path, char ret[PATHS_MAX], struct err *e)
{
	char cwd[PATH_MAX];

	if (path[0] == '/')
		return snprintf(ret, PATHS_MAX, "%s", path) < PATHS_MAX ? 0 : err_set(e, ENAMETOOLONG, "path too long");
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, errno, "current folder");
	return paths_join(ret, cwd, path, e);
}

static int write_file(const char *dir, const char *name, struct bytes text, struct err *e)
{
	char path[PATHS_MAX];
	FD_AUTO int fd = -1;
	int r;

	if (paths_join(path, dir, name, e) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "make %s", path);
	r = fd_write_all(fd, text);
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

/* What may lie there, and nothing else: a folder with a stranger's file in it is left alone. */
static void remove_folder(const char *dir)
{
	static const char *const names[] = { "spec", "policy.blob", "ca.pem", "ca.jks", "audit.jsonl", "audit.jsonl.journal", "audit.jsonl.torn", "log",
					     "run/lock", "run/control.sock", "run" };
	char path[PATHS_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (paths_join(path, dir, names[i], NULL) == 0)
			(void)remove(path);
	(void)rmdir(dir);
}

/* A `saw try` holds a lock on its folder from before the folder has this name until its own end, whatever that is. One that was killed
 * could not clean up behind itself; the lock says that it is gone. */
static void sweep(const char *top)
{
	DIR *d = opendir(top);
	struct dirent *at;

	while (d && (at = readdir(d)) != NULL) {
		char dir[PATHS_MAX];
		FD_AUTO int fd = -1;

		if (strncmp(at->d_name, "saw-try-", 8) != 0 || paths_join(dir, top, at->d_name, NULL) < 0 ||
		    paths_check_dir(dir, NULL) < 0)
			continue;
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_folder(dir);
	}
	if (d)
		(void)closedir(d);
}

static int make_folder(struct attempt *t, struct err *e)
{
	const char *top = getenv("TMPDIR");
	char fresh[PATHS_MAX];

	/* A socket's path has 107 bytes. */
	if (!top || top[0] != '/' || strlen(top) > 75)
		top = "/tmp";
	sweep(top);
	(void)snprintf(fresh, sizeof(fresh), "%s/saw-new-XXXXXX", top);
	if (!mkdtemp(fresh))
		return err_sys(e, errno, "make a temporary folder in %s", top);
	(void)snprintf(t->dir, sizeof(t->dir), "%s/saw-try-%s", top, fresh + strlen(fresh) - 6);
	t->dir_fd = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (t->dir_fd < 0 || flock(t->dir_fd, LOCK_EX | LOCK_NB) < 0 ||
	    renameat2(AT_FDCWD, fresh, AT_FDCWD, t->dir, RENAME_NOREPLACE) < 0) {
		int code = errno;

		(void)rmdir(fresh);
		t->dir[0] = '\0';
		return err_sys(e, code, "make a temporary folder in %s", top);
	}
	return paths_join(t->run, t->dir, "run", e);
}

static int write_spec(struct attempt *t, struct err *e)
{
	static const char digits[] = "0123456789abcdef";
	const struct passwd *user = getpwuid(getuid());
	char resolv[PATHS_MAX] = "";
	struct spec s = { .driver = SPEC_DRIVER_TRY, .cpus = 1, .generation = 1 };
	char id[16] = "ws-";
	uint8_t random[6];
	int r = 0;

	random_bytes(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		id[3 + 2 * i] = digits[random[i] >> 4];
		id[4 + 2 * i] = digits[random[i] & 15];
	}
	id[15] = '\0';
	if (t->args->value[RESOLV])
		r = absolute(t->args->value[RESOLV], resolv, e);
	if (r < 0)
		return r;
	if (resolv[0] && access(resolv, R_OK) < 0)
		return err_sys(e, errno, "%s", resolv);
	s.id = bytes_str(id);
	s.name = bytes_str("try");
	s.owner = bytes_str(user && strlen(user->pw_name) < SPEC_NAME_MAX ? user->pw_name : "user");
	s.resolv_conf = bytes_str(resolv);
	spec_put(&out, &s);
	return write_file(t->dir, "spec", bytes_of(out.p, out.len), e);
}

static int write_policy(struct attempt *t, struct err *e)
{
	return write_file(t->dir, "policy.blob", buf_view(&t->policy), e);
}

static bool on_done(void *owner, struct msg_in *in)
{
	struct attempt *t = owner;

	t->code = (int)msg_get_max(in, 255);
	return true;
}

static bool on_failed(void *owner, struct msg_in *in)
{
	struct attempt *t = owner;
	struct bytes why = msg_get_bytes(in, ERR_MAX - 1);

	(void)snprintf(t->failed, sizeof(t->failed), "%.*s", (int)why.len, (const char *)why.p);
	return true;
}

static const struct chan_permit permits[] = { { MSG_TRY_DONE, on_done }, { MSG_FAILED, on_failed } };

/* The supervisor speaks last and then ends: its channel's end is the end. */
static void on_chan_end(void *owner, const char *why)
{
	struct attempt *t = owner;

	(void)why;
	loop_stop(t->loop, 0);
}

static void on_signal(struct loop_io *io, uint32_t events)
{
	struct attempt *t = io->owner;
	struct signalfd_siginfo info;

	(void)events;
	if (read(io->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGINT || info.ssi_signo == SIGQUIT)
		return; /* the command has it too, and decides */
	t->stopped_by = (int)info.ssi_signo;
	msg_start(&out, MSG_STOP);
	chan_send(t->chan, &out);
}

static int watch_signals(struct attempt *t, struct err *e)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, errno, "watch signals") :
			loop_io_add(t->loop, &t->signal_io, fd, EPOLLIN, on_signal, t, e);
}

static int open_log(struct attempt *t, struct err *e)
{
	char path[PATHS_MAX];
	int fd;

	if (t->args->value[LOG])
		(void)snprintf(path, sizeof(path), "%s", t->args->value[LOG]);
	else if (paths_join(path, t->dir, "log", e) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

static int spawn(struct attempt *t, const char *const *args, struct err *e)
{
	char path[PATHS_MAX];
	int pair[2];
	FD_AUTO int log_fd = open_log(t, e);
	struct child_fd fds[] = { { .to = IPC_PARENT_FD }, { .from = log_fd, .to = 2 }, { .from = 0, .to = 4 },
				  { .from = 1, .to = 5 },  { .from = 2, .to = 6 } };
	struct child_spec s = { .path = path, .title = "saw-workspace: try", .args = args, .fds = fds, .n_fds = 5,
				.flags = CHILD_SAME_SESSION | CHILD_KEEP_ENV };
	int r = log_fd < 0 ? log_fd : paths_helper("saw-workspace", path, e);

	if (r < 0 || (r = chan_pair(pair, e)) < 0)
		return r;
	fds[0].from = pair[1];
	r = child_start(&t->child, &s, e);
	(void)fd_close(pair[1]);
	if (r < 0) {
		(void)fd_close(pair[0]);
		return r;
	}
	r = chan_new(&t->chan, t->loop, pair[0], permits, 2, on_chan_end, t, e);
	return r < 0 ? r : try_keeper_attach(t->keeper, t->chan, e);
}

static int start(struct attempt *t, struct err *e)
{
	const char *args[CLI_WORDS_MAX + 16];
	char ids[32];
	size_t n = 0;
	bool root = t->args->value[AS_ROOT] != NULL;

	if (t->args->n_rest > CLI_WORDS_MAX)
		return err_set(e, E2BIG, "more than %d words of the command", CLI_WORDS_MAX);
	(void)snprintf(ids, sizeof(ids), "%u:%u", root ? 0 : getuid(), root ? 0 : getgid());
	args[n++] = "--dir";
	args[n++] = t->dir;
	args[n++] = "--run";
	args[n++] = t->run;
	args[n++] = "--try";
	args[n++] = ids;
	if (t->args->value[AUDIT]) {
		args[n++] = "--audit";
		args[n++] = t->audit;
	}
	args[n++] = "--";
	for (size_t i = 0; i < t->args->n_rest; i++)
		args[n++] = t->args->rest[i];
	args[n] = NULL;
	return spawn(t, args, e);
}

static int place_audit(struct attempt *t, struct err *e)
{
	int r = t->args->value[AUDIT] ? absolute(t->args->value[AUDIT], t->audit, e) : paths_join(t->audit, t->dir, "audit.jsonl", e);

	if (r == 0)
		t->audit_start = try_refusals_start(t->audit);
	return r;
}

/* A name that is not listed looks to the command like one that does not exist. */
static void tell_refusals(const struct attempt *t)
{
	uint64_t n = t->args->value[QUIET] || t->args->value[JSON] || !t->audit[0] ? 0 : try_refusals_count(t->audit, t->audit_start);

	if (!n)
		return;
	if (t->args->value[AUDIT])
		say_warn("%llu refused: `saw audit --denied %s` says what, why, and what would allow it", (unsigned long long)n, t->args->value[AUDIT]);
	else
		say_warn("%llu refused: with --audit FILE, `saw audit --denied FILE` says what, why, and what would allow it", (unsigned long long)n);
}

static void print_json(const struct attempt *t)
{
	BUF_AUTO struct buf text;
	struct json_out j;

	buf_init(&text, 16384);
	json_out_init(&j, &text);
	json_out_object(&j);
	if (t->code >= 0)
		json_out_key_u64(&j, "exit_code", (uint64_t)t->code);
	if (t->failed[0])
		json_out_key_str(&j, "error", t->failed);
	if (t->args->value[AUDIT])
		json_out_key_str(&j, "audit", t->args->value[AUDIT]);
	json_out_object_end(&j);
	buf_byte(&text, '\n');
	if (!text.failed)
		(void)!write(2, text.p, text.len);
}

static int outcome(struct attempt *t)
{
	if (t->code < 0 && t->stopped_by)
		t->code = 128 + t->stopped_by;
	if (t->code < 0 && !t->failed[0])
		(void)snprintf(t->failed, sizeof(t->failed), "the gateway ended before the command did");
	if (t->args->value[JSON])
		print_json(t);
	else if (t->code < 0)
		return say_fail(t->lack, "%s", t->failed);
	return t->code < 0 ? (int)t->lack : t->code;
}

static int take_secrets(struct attempt *t, struct err *e)
{
	int r = try_keeper_new(&t->keeper, t->loop, buf_view(&t->policy), t->dir, t->args->value[SECRET],
			       t->args->value[QUIET] || t->args->value[JSON], e);

	if (r == -EINVAL || r == -ENOENT)
		t->lack = r == -EINVAL ? CLI_USAGE : CLI_NOT_FOUND;
	return r;
}

/* Why was said already. */
static int refused(struct attempt *t, int code)
{
	buf_deinit(&t->policy);
	(void)snprintf(t->failed, sizeof(t->failed), "the policy %s", code == CLI_NOT_FOUND ? "was not found" : "was refused");
	if (t->args->value[JSON])
		print_json(t);
	return code;
}

/* It has told the end, or sees ours, and then closes the audit log: that it may do. */
static void end_supervisor(struct attempt *t)
{
	struct pollfd p = { .fd = t->child.pid_fd, .events = POLLIN };

	if (t->child.pid_fd >= 0)
		(void)poll(&p, 1, END_MS);
	child_kill(&t->child);
}

static int run(const struct cli_args *a)
{
	struct attempt t = { .args = a, .child = CHILD_NONE, .dir_fd = -1, .code = -1, .lack = CLI_FAILED };
	struct err e = { 0 };
	int r;

	if (!a->value[POLICY] || !a->rest || !a->n_rest)
		return say_fail(CLI_USAGE, "%s; see `saw try --help`",
				a->value[POLICY] ? "a command is needed after --" : "--policy is needed");
	r = try_policy(a->value[POLICY], &t.policy);
	if (r != CLI_DONE)
		return refused(&t, r);
	if (!a->value[QUIET] && !a->value[JSON])
		say_warn("saw try is for trying out policies: it is no isolation boundary");
	r = make_folder(&t, &e);
	r = r < 0 ? r : write_policy(&t, &e);
	r = r < 0 ? r : write_spec(&t, &e);
	r = r < 0 ? r : loop_new(&t.loop, &e);
	r = r < 0 ? r : place_audit(&t, &e);
	r = r < 0 ? r : take_secrets(&t, &e);
	r = r < 0 ? r : watch_signals(&t, &e);
	r = r < 0 ? r : start(&t, &e);
	r = r < 0 ? r : loop_run(t.loop, &e);
	if (r < 0)
		(void)snprintf(t.failed, sizeof(t.failed), "%s", e.text);
	loop_io_remove(&t.signal_io);
	t.chan = chan_free(t.chan);
	try_keeper_free(t.keeper);
	end_supervisor(&t);
	loop_free(t.loop);
	tell_refusals(&t);
	if (t.dir[0])
		remove_folder(t.dir);
	(void)fd_close(t.dir_fd);
	buf_deinit(&t.policy);
	return outcome(&t);
}

const struct cli_verb cli_try_verb = {
	.name = "try",
	.args = "--policy FILE -- COMMAND [ARGUMENTS]",
	.help = "run a command behind a gateway of its own, without a machine",
	.more = "The command sees the network that a workspace would see: names that the policy lists, and nothing else. Its exit\n"
		"code is passed on. Everything but the network is shared with this host: it is no isolation boundary.",
	.options = options,
	.rest = true,
	.run = run,
};
