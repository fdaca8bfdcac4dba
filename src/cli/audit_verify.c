#include "cli/audit_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/say.h"
#include "os/fd.h"
#include "os/paths.h"
#include "store/audit_log.h"

/* The id behind a name, as far as the control plane runs and knows it. */
static void look_up(const char *name, char ret[API_NAME_MAX + 1])
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf text BUF_AUTO = { 0 };
	struct err e = { "" };
	char target[128];

	snprintf(ret, API_NAME_MAX + 1, "%s", name);
	snprintf(target, sizeof(target), "/v1/workspaces/%s", name);
	if (strncmp(name, "ws-", 3) != 0 && api_try("GET", target, NULL, &doc, &e) == CLI_DONE && api_name_ok(api_text(&doc, "id", &text)))
		snprintf(ret, API_NAME_MAX + 1, "%s", buf_cstr(&text));
}

/* Of the control plane, of a workspace, or what a deleted workspace left. */
static int open_kept(const char *log)
{
	char state[PATHS_MAX];
	char path[PATHS_MAX + 256];
	char id[API_NAME_MAX + 1];
	int fd;

	if (!api_name_ok(log) || paths_state(state, NULL) < 0) {
		errno = ENOENT;
		return -1;
	}
	if (strcmp(log, "control") == 0) {
		snprintf(path, sizeof(path), "%s/audit/control.jsonl", state);
		return open(path, O_RDONLY | O_CLOEXEC);
	}
	look_up(log, id);
	snprintf(path, sizeof(path), "%s/workspaces/%s/audit.jsonl", state, id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "%s/audit/workspaces/%s.jsonl", state, id);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* A word with a dot or a slash is a file, as for `saw audit`. No id or name has these: what lies in this folder never stands in for a log that
 * the state folder keeps. */
static int open_log(const char *log, struct err *e)
{
	struct stat st;
	int fd = strpbrk(log, "./") ? open(log, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : open_kept(log);

	if (fd < 0)
		return err_sys(e, errno, "%s", log);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		(void)fd_close(fd);
		return err_set(e, EINVAL, "%s is not a file: name an audit log or the id of a workspace", log);
	}
	return fd;
}

static bool print_json(const char *log, int r, const struct audit_log_head *head, uint64_t torn, const struct err *e)
{
	struct buf out BUF_AUTO;
	struct json_out j;

	buf_init(&out, 64 * 1024);
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_str(&j, "log", log);
	json_out_key_bool(&j, "ok", r == 0);
	json_out_key_u64(&j, "events", head->sequence);
	json_out_key_str(&j, "last_sha256", head->sha256);
	json_out_key_u64(&j, "torn_bytes", torn);
	if (r)
		json_out_key_str(&j, "error", e->text);
	json_out_object_end(&j);
	(void)buf_byte(&out, '\n');
	return say_out(&out) == CLI_DONE;
}

static bool print_text(const char *log, int r, const struct audit_log_head *head, uint64_t torn, const struct err *e)
{
	struct buf out BUF_AUTO;

	if (r) {
		(void)say_fail(CLI_FAILED, "audit verify: %s: %s; good up to sequence %" PRIu64, log, e->text, head->sequence);
		return true;
	}
	buf_init(&out, 64 * 1024);
	(void)buf_fmt(&out, "%s: whole, %" PRIu64 " events, last %s\n", log, head->sequence, head->sha256);
	if (torn)
		(void)buf_fmt(&out, "%s: %" PRIu64 " bytes of an unfinished last line: being written, or left by a crash\n", log, torn);
	return say_out(&out) == CLI_DONE;
}

static int verify(const char *log, bool json)
{
	struct audit_log_head head = { .sequence = 0 };
	struct err e = { "" };
	FD_AUTO int fd = open_log(log, &e);
	uint64_t torn = 0;
	int r;

	if (fd < 0 && json)
		(void)print_json(log, fd, &head, torn, &e);
	if (fd == -ENOENT)
		return say_fail(CLI_NOT_FOUND, strpbrk(log, "./") ? "audit verify: %s: there is no such file" :
							   "audit verify: %s: no workspace has this name or id; names need the control plane, and a file is "
							   "named with a `.` or a `/`", log);
	if (fd < 0)
		return say_fail(CLI_FAILED, "audit verify: %s", e.text);
	r = audit_log_verify(fd, &head, &torn, &e);
	if (!(json ? print_json : print_text)(log, r, &head, torn, &e))
		return CLI_FAILED;
	return r ? CLI_FAILED : CLI_DONE;
}

int cli_audit_verify(const char *const *logs, size_t n, bool json)
{
	int worst = CLI_DONE;

	for (size_t i = 0; i < n; i++) {
		int r = verify(logs[i], json);

		if (r == CLI_FAILED || worst == CLI_DONE)
			worst = r;
	}
	return worst;
}
