/* `saw up` and `saw down`: the control plane of this user on this machine. sawd goes to the background by itself and says on fd 2 why it
 * cannot, which is passed on in our own words unless another one serves; it holds <run>/sawd.lock while it lives. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/agent.h"
#include "cli/api.h"
#include "cli/probe.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "os/child.h"
#include "os/fd.h"
#include "os/paths.h"

enum { DOWN_WAIT_S = 180, OTHER_WAIT_MS = 10000, OTHER_MS = 50, SAID_MAX = 4096 };
enum { U_RESOLV, U_LAB, U_JSON };

static int wait_child(struct child *c, struct child_end *end)
{
	struct pollfd p = { .fd = c->pid_fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, -1);
	} while (r < 0 && errno == EINTR);
	return child_reap(c, end);
}

/* Some sawd of these folders lives. */
static bool is_locked(void)
{
	char run[PATHS_MAX];
	char path[PATHS_MAX];
	FD_AUTO int fd = -1;

	if (paths_run(run, NULL) < 0 || paths_join(path, run, "sawd.lock", NULL) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* "sawd: sentence\n" -> "sentence"; its last line is why it did not start. Changes `said`. */
static const char *sentence(char *said)
{
	size_t len = strlen(said);
	char *last;

	while (len && said[len - 1] == '\n')
		said[--len] = '\0';
	last = strrchr(said, '\n') ? strrchr(said, '\n') + 1 : said;
	return strncmp(last, "sawd: ", 6) == 0 ? last + 6 : last;
}

/* Whose control plane runs after we tried to start one. */
enum whose { NOBODYS, OURS, ANOTHERS, GONE /* another had the lock and let go of it: try again */ };

/* One that another `saw up` of the same moment started is meant, too: it takes its lock first, then listens, and answers once it serves. `said`: why
 * ours did not start. */
static int not_started(char *said, enum whose *ret)
{
	uint64_t end = clock_mono_ms() + OTHER_WAIT_MS;
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct err e = { "" };
	bool locked = is_locked();

	for (bool first = true; locked && clock_mono_ms() < end; first = false) {
		if (!first)
			(void)poll(NULL, 0, OTHER_MS);
		locked = is_locked();
		*ret = !locked ? GONE : api_try("GET", "/v1/version", NULL, &doc, &e) == CLI_DONE ? ANOTHERS : NOBODYS;
		if (*ret != NOBODYS)
			return CLI_DONE;
	}
	if (locked)
		return say_fail(CLI_FAILED, "up: %s and does not answer: give it a moment, or end that process, and say `saw up` again", sentence(said));
	if (*sentence(said))
		return say_fail(CLI_FAILED, "up: the control plane did not start: %s", sentence(said));
	return say_fail(CLI_FAILED, "up: the control plane did not start; `saw doctor` says what this host lacks");
}

/* All that sawd says before it is in the background. */
static int run_sawd(const char *const *args, struct buf *said, struct child_end *end)
{
	char path[PATHS_MAX];
	struct child_fd fds[] = { { -1, STDERR_FILENO } };
	const struct child_spec spec = { .path = path, .title = "sawd", .args = args, .fds = fds, .n_fds = 1,
					 .flags = CHILD_OUTLIVES | CHILD_KEEP_ENV };
	struct child child = CHILD_NONE;
	struct err e = { "" };
	int ends[2];
	int r;

	if (paths_helper("sawd", path, &e) < 0)
		return say_fail(CLI_FAILED, "up: %s", e.text);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return say_fail(CLI_FAILED, "up: make a pipe: %s", strerror(errno));
	fds[0].from = ends[1];
	r = child_start(&child, &spec, &e);
	(void)fd_close(ends[1]);
	if (r == 0)
		(void)fd_read_all(ends[0], said); /* of a long complaint its beginning will do */
	(void)fd_close(ends[0]);
	if (r < 0)
		return say_fail(CLI_FAILED, "up: %s", e.text);
	return wait_child(&child, end) == 1 ? CLI_DONE : say_fail(CLI_FAILED, "up: wait for sawd: %s", strerror(errno));
}

static int start_sawd(bool lab, const char *resolv_conf, enum whose *ret)
{
	const char *args[4] = { NULL };
	size_t n = 0;
	struct buf said BUF_AUTO = { .max = SAID_MAX };
	struct child_end end = { .code = 1 };
	char text[SAID_MAX + 1];
	int r;

	if (resolv_conf) {
		args[n++] = "--resolv-conf";
		args[n++] = resolv_conf;
	}
	if (lab)
		args[n++] = "--lab";
	r = run_sawd(args, &said, &end);
	if (r != CLI_DONE)
		return r;
	(void)snprintf(text, sizeof(text), "%.*s", (int)said.len, said.len ? (const char *)said.p : "");
	if (end.signalled || end.code != 0)
		return not_started(text, ret);
	(void)fputs(text, stderr);
	*ret = OURS;
	return CLI_DONE;
}

static void show(const struct api_doc *doc, bool was_up)
{
	const struct passwd *p = getpwuid(geteuid());
	struct buf text BUF_AUTO = { 0 };
	bool writable;

	printf("%s (sawd %s, process %llu)\n", was_up ? "The control plane is running already" : "The control plane is running",
	       api_text(doc, "version", &text), (unsigned long long)api_number(doc, doc->nodes, "pid"));
	printf("socket    %s/api.sock\n", api_text(doc, "run_dir", &text));
	printf("state     %s\n", api_text(doc, "state_dir", &text));
	printf("identity  %s (uid %u): this machine's user is the identity, there is no other login\n", p ? p->pw_name : "-",
	       geteuid());
	if (json_bool(json_get(doc->nodes, doc->nodes, "audit_writable"), &writable) && !writable)
		say_warn("the audit log cannot be written: nothing will be changed until there is room");
}

/* *ret_other: it is not ours that runs now. */
static int start_up(const struct cli_args *a, bool *ret_other)
{
	const char *given = a->value[U_RESOLV];
	char *resolv = given ? realpath(given, NULL) : NULL;
	enum whose whose = NOBODYS;
	int r = CLI_DONE;

	if (given && !resolv)
		return say_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "up: %s: %s", given, strerror(errno));
	do {
		r = start_sawd(a->value[U_LAB] != NULL, resolv, &whose);
	} while (r == CLI_DONE && whose == GONE);
	*ret_other = whose == ANOTHERS;
	free(resolv);
	return r;
}

/* What was asked for and is not done. */
static void say_unused(const struct cli_args *a, const struct api_doc *doc)
{
	bool lab = false;

	(void)json_bool(json_get(doc->nodes, doc->nodes, "lab"), &lab);
	if (a->value[U_RESOLV])
		say_warn("--resolv-conf has no effect on a control plane that runs: `saw down` first");
	if (a->value[U_LAB] && !lab)
		say_warn("--lab has no effect on a control plane that runs: `saw down` first");
}

/* It goes on in the background, but perhaps where nobody finds it. */
static void say_logout(void)
{
	struct probe p = { .level = PROBE_OK };

	probe_logout(&p);
	if (p.level != PROBE_OK)
		say_warn("%s: %s", p.found, p.remedy);
}

static int up_run(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct err e = { "" };
	bool was_up = api_try("GET", "/v1/version", NULL, &doc, &e) == CLI_DONE;
	int r = CLI_DONE;

	if (!was_up) {
		r = start_up(a, &was_up);
		if (r == CLI_DONE)
			r = api_call("GET", "/v1/version", NULL, &doc);
	}
	if (r != CLI_DONE)
		return r;
	if (!doc.nodes)
		return say_fail(CLI_FAILED, "up: the control plane's answer is empty");
	if (was_up)
		say_unused(a, &doc);
	else
		say_logout();
	if (a->value[U_JSON]) {
		buf_byte(&doc.text, '\n');
		return say_out(&doc.text);
	}
	show(&doc, was_up);
	return CLI_DONE;
}

static const struct cli_option up_options[] = {
	[U_RESOLV] = { "resolv-conf", "FILE", "the gateways' resolvers, instead of /etc/resolv.conf", CLI_FILE },
	[U_LAB] = { "lab", NULL, "take workspaces of driver `try`, which isolate nothing: for tests", CLI_TEXT },
	[U_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_up_verb = {
	.name = "up",
	.args = "",
	.help = "start the control plane of this user on this machine",
	.more = "Harmless when it runs already. Workspaces that were running are adopted or started again.",
	.options = up_options,
	.run = up_run,
};

static void on_alarm(int signal_number)
{
	(void)signal_number;
}

/* Blocks until sawd has let go of its lock. */
static int wait_gone(void)
{
	const struct sigaction wake = { .sa_handler = on_alarm };
	const struct itimerval limit = { .it_value = { .tv_sec = DOWN_WAIT_S } };
	char run[PATHS_MAX];
	char path[PATHS_MAX];
	struct err e = { "" };
	FD_AUTO int fd = -1;

	if (paths_run(run, &e) < 0 || paths_join(path, run, "sawd.lock", &e) < 0)
		return say_fail(CLI_FAILED, "down: %s", e.text);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return CLI_DONE;
	sigaction(SIGALRM, &wake, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	if (flock(fd, LOCK_SH) < 0)
		return say_fail(CLI_FAILED, "down: it still runs after %d s; see sawd.log in the state folder", DOWN_WAIT_S);
	return CLI_DONE;
}

enum { D_ALL, D_JSON };

static int down_run(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf body BUF_AUTO = { 0 };
	struct json_out j;
	struct err e = { "" };
	int fd = -1;
	bool was_up = api_connect(&fd, &e) == CLI_DONE;
	int r = CLI_DONE;

	fd_close(fd);
	if (was_up) {
		buf_init(&body, 100);
		json_out_init(&j, &body);
		json_out_object(&j);
		json_out_key_bool(&j, "workspaces", a->value[D_ALL] != NULL);
		json_out_object_end(&j);
		r = api_call("POST", "/v1/shutdown", &body, &doc);
		if (r == CLI_DONE) {
			say_progress("going down%s", a->value[D_ALL] ? "; workspaces are being stopped" : "");
			r = wait_gone();
			agent_end(NULL);
			say_progress_end();
		}
	}
	if (r != CLI_DONE)
		return r;
	if (a->value[D_JSON])
		printf("{\"was_running\":%s}\n", was_up ? "true" : "false");
	else
		puts(!was_up		? "The control plane was not running." :
		     a->value[D_ALL]	? "The control plane is down; its workspaces are stopped." :
					  "The control plane is down; its workspaces go on.");
	return CLI_DONE;
}

static const struct cli_option down_options[] = {
	[D_ALL] = { "all", NULL, "stop the workspaces too", CLI_TEXT },
	[D_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_down_verb = {
	.name = "down",
	.args = "",
	.help = "stop the control plane; workspaces go on unless --all",
	.options = down_options,
	.run = down_run,
};
