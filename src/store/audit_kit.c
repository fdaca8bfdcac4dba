#include "store/audit_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"
#include "store/sync_kit.h"

char kit_dir[64];
char kit_path[128];
char kit_journal[160];
char kit_torn[160];
struct err kit_err;

void kit_use_folder(const char *below)
{
	(void)snprintf(kit_dir, sizeof(kit_dir), "%s/saw-audit-file-XXXXXX", below);
	CHECK(mkdtemp(kit_dir) != NULL);
	(void)snprintf(kit_path, sizeof(kit_path), "%s/audit.jsonl", kit_dir);
	(void)snprintf(kit_journal, sizeof(kit_journal), "%s.journal", kit_path);
	(void)snprintf(kit_torn, sizeof(kit_torn), "%s.torn", kit_path);
}

void kit_fresh(void)
{
	if (!kit_path[0])
		kit_use_folder("/tmp");
	(void)unlink(kit_path);
	(void)unlink(kit_journal);
	(void)unlink(kit_torn);
	kit_err.text[0] = '\0';
}

void kit_remove_folder(void)
{
	kit_fresh();
	CHECK(rmdir(kit_dir) == 0);
	kit_path[0] = '\0';
}

struct buf kit_content(const char *name)
{
	int fd FD_AUTO = open(name, O_RDONLY | O_CLOEXEC);
	struct buf b;

	buf_init(&b, 64 * 1024 * 1024);
	if (fd >= 0)
		CHECK_INT(fd_read_all(fd, &b), 0);
	return b;
}

void kit_put_content(const char *name, struct bytes data)
{
	int fd FD_AUTO = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && fd_write_all(fd, data) == 0);
}

bool kit_add(struct audit_log *l, const char *detail)
{
	struct event ev = { .kind = EVENT_FLOW, .action = EVENT_DENIED, .detail = bytes_str(detail) };

	return audit_log_add(l, &ev, "code", "sentence");
}

struct audit_log *kit_open(int want)
{
	struct ocsf_source source = { .version = bytes_str("1") };
	struct audit_log *l = NULL;

	CHECK_INT(audit_log_open(&l, kit_path, &source, &kit_err), want);
	return l;
}

int kit_commits(struct audit_log *l, unsigned n)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < n; i++)
		r = kit_add(l, "x") ? audit_log_commit(l, &kit_err) : -ENOMEM;
	return r;
}

/* Lines of all lengths: some lie within a page, some over its end, one fills two. */
static bool add_pages(struct audit_log *l)
{
	static char text[9000];
	bool good = true;

	for (size_t i = 0; good && i < 40; i++) {
		memset(text, 'p', sizeof(text));
		text[i == 20 ? sizeof(text) - 1 : i * 37] = '\0';
		good = kit_add(l, text);
	}
	return good;
}

bool kit_child_passed(pid_t pid)
{
	int status = 0;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == KIT_CANNOT_FILTER) {
		tap_skip("this host does not let a process filter its system calls");
		return false;
	}
	CHECK_INT(WEXITSTATUS(status), 0);
	return true;
}

bool kit_crash_behind(unsigned n, enum kit_end how)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct audit_log *l = kit_open(0);
		bool good = kit_commits(l, n) == 0;

		if (how == KIT_LEAVES_LAZY_LINES)
			good = good && kit_add(l, "lazy") && audit_log_write(l, &kit_err) == 0;
		if (how == KIT_LEAVES_LAZY_PAGES)
			good = good && add_pages(l) && audit_log_write(l, &kit_err) == 0;
		if (how == KIT_FAILS_TO_SYNC && !kit_sync_fails(-1))
			_exit(KIT_CANNOT_FILTER);
		if (how == KIT_FAILS_TO_SYNC)
			good = good && kit_add(l, "refused") && audit_log_commit(l, &kit_err) == -EIO;
		_exit(good ? 0 : 1);
	}
	return kit_child_passed(pid);
}

struct audit_journal_held kit_held(void)
{
	struct buf b BUF_AUTO = kit_content(kit_journal);
	struct audit_journal_held h;

	CHECK_INT(audit_journal_read(buf_view(&b), &h), 0);
	return h;
}

uint64_t kit_verified(void)
{
	int fd FD_AUTO = open(kit_path, O_RDONLY | O_CLOEXEC);
	struct audit_log_head head = { 0 };
	uint64_t behind = 0;

	CHECK_INT(audit_log_verify(fd, &head, &behind, &kit_err), 0);
	CHECK_INT(behind, 0);
	return head.sequence;
}

uint64_t kit_reopened(void)
{
	struct audit_log *l = kit_open(0);
	uint64_t n;

	if (!l) {
		printf("# %s\n", kit_err.text);
		return UINT64_MAX;
	}
	n = kit_verified();
	CHECK_INT(kit_commits(l, 1), 0);
	audit_log_free(l);
	CHECK_INT(kit_verified(), n + 1);
	return n;
}
