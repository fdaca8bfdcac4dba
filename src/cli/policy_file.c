#include "cli/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"
#include "crypt/sha256.h"
#include "os/fd.h"
#include "rules/policy_blob.h"

static int read_file(const char *path, struct buf *ret, struct err *e)
{
	bool standard = strcmp(path, "-") == 0;
	FD_AUTO int opened = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int fd = standard ? STDIN_FILENO : opened;
	int r;

	buf_init(ret, POLICY_BLOB_MAX);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	r = fd_read_all(fd, ret);
	if (r == -EFBIG)
		return err_set(e, EFBIG, "%s: larger than any policy; is it the right file?", path);
	if (r == -EISDIR)
		return err_set(e, EISDIR, "%s: Is a directory: of a bundle give %s/policy.yaml", path, path);
	return r < 0 ? err_sys(e, -r, "read %s", path) : 0;
}

int policy_file_read(const char *path, struct buf *ret, struct err *e)
{
	int r = read_file(path, ret, e);

	return r == 0 ? CLI_DONE : r == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED;
}

/* A pipe or a device is written to; to put a file in its place would take it away from everybody. */
static int write_through(const char *path, struct bytes data, struct err *e)
{
	FD_AUTO int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	int r = fd < 0 ? -errno : fd_write_all(fd, data);

	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

int policy_file_write(const char *path, struct bytes data, struct err *e)
{
	char beside[4096];
	int r = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	FD_AUTO int fd = -1;
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return write_through(path, data, e);
	if (r < 0 || (size_t)r >= sizeof(beside))
		return err_set(e, ENAMETOOLONG, "%s: the path is too long", path);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "create a file beside %s", path);
	r = fd_write_all(fd, data);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(beside);
		return err_sys(e, -r, "write %s", path);
	}
	return 0;
}

bool policy_file_compile(struct bytes text, bool production, struct buf *ret_blob,
			 struct policy_problems *problems)
{
	const struct policy_options options = { .sha256 = sha256, .production = production };

	return policy_compile(text, &options, ret_blob, problems);
}

void policy_file_print(const char *path, const struct policy_problems *problems)
{
	BUF_AUTO struct buf out;

	buf_init(&out, 4 * 1024 * 1024);
	for (size_t i = 0; i < problems->n; i++) {
		const struct policy_problem *p = &problems->v[i];
		bool warning = p->severity == POLICY_WARNING;

		buf_fmt(&out, "%s%s:%u:%u:%s %s", say_colour(stderr, warning ? SAY_YELLOW : SAY_RED), path, p->line, p->column,
			say_colour(stderr, SAY_PLAIN), warning ? "warning: " : "");
		(void)say_clean(&out, bytes_str(p->text)); /* it quotes the file */
		buf_byte(&out, '\n');
	}
	if (problems->full)
		buf_fmt(&out, "%s: more problems than fit here; mend these first\n", path);
	if (out.len)
		(void)fwrite(out.p, 1, out.len, stderr);
}

void policy_file_json(struct json_out *j, const struct policy_problems *problems)
{
	json_out_key(j, "problems");
	json_out_array(j);
	for (size_t i = 0; i < problems->n; i++) {
		json_out_object(j);
		json_out_key_str(j, "severity", policy_severity_text(problems->v[i].severity));
		json_out_key_u64(j, "line", problems->v[i].line);
		json_out_key_u64(j, "column", problems->v[i].column);
		json_out_key_str(j, "text", problems->v[i].text);
		json_out_object_end(j);
	}
	json_out_array_end(j);
}

static void on_rule(void *owner, uint32_t line)
{
	(void)buf_add(owner, &line, sizeof(line));
}

int policy_file_open_lines(const char *path, struct buf *ret_blob, struct policy *ret, struct buf *lines)
{
	const struct policy_options options = { .sha256 = sha256, .rule_fn = lines ? on_rule : NULL, .owner = lines };
	POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
	BUF_AUTO struct buf file;
	struct err e = { 0 };
	bool ok;
	int r;

	buf_init(ret_blob, POLICY_BLOB_MAX);
	r = policy_file_read(path, &file, &e);
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "%s", e.text);
	if (bytes_starts(buf_view(&file), bytes_str(POLICY_BLOB_MAGIC))) {
		ok = buf_bytes(ret_blob, buf_view(&file));
	} else {
		ok = policy_compile(buf_view(&file), &options, ret_blob, &problems);
		if (!ok) {
			policy_file_print(path, &problems);
			return CLI_FAILED;
		}
	}
	if (!ok || !policy_open(ret, buf_view(ret_blob), &e))
		return say_fail(CLI_FAILED, "%s: %s", path, ok ? e.text : "out of memory");
	return CLI_DONE;
}

int policy_file_open(const char *path, struct buf *ret_blob, struct policy *ret)
{
	return policy_file_open_lines(path, ret_blob, ret, NULL);
}
