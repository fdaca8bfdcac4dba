#include "store/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "store/sync_kit.h"

static char dir[] = "/tmp/saw-audit-XXXXXX";
static char path[128];
static char torn_path[160];
static char journal_path[160];
static struct err e;
static const struct ocsf_source source = { .version = { (const uint8_t *)"1", 1 } };

static void fresh(void)
{
	if (!path[0]) {
		CHECK(mkdtemp(dir) != NULL);
		(void)snprintf(path, sizeof(path), "%s/audit.jsonl", dir);
		(void)snprintf(torn_path, sizeof(torn_path), "%s.torn", path);
		(void)snprintf(journal_path, sizeof(journal_path), "%s.journal", path);
	}
	(void)unlink(path);
	(void)unlink(torn_path);
	(void)unlink(journal_path);
	e.text[0] = '\0';
}

static struct audit_log *open_log(void)
{
	struct audit_log *l = NULL;
	int r = audit_log_open(&l, path, &source, &e);

	CHECK_INT(r, 0);
	if (r)
		printf("# %s\n", e.text);
	return l;
}

static bool add(struct audit_log *l, const char *detail)
{
	struct event ev = { .kind = EVENT_FLOW, .action = EVENT_DENIED, .detail = bytes_str(detail) };

	return audit_log_add(l, &ev, "code", "sentence");
}

static long file_size(const char *name)
{
	struct stat st;

	return stat(name, &st) ? -1 : (long)st.st_size;
}

static uint64_t verified(int want, uint64_t *ret_torn)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct audit_log_head head = { 0 };
	uint64_t torn = 0;

	CHECK_INT(audit_log_verify(fd, &head, &torn, &e), want);
	(void)close(fd);
	if (ret_torn)
		*ret_torn = torn;
	return head.sequence;
}

/* Puts `n` bytes over the file at `at`. */
static void scribble(long at, const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(pwrite(fd, bytes, n, at) == (ssize_t)n);
	(void)close(fd);
}

static void append(const char *bytes)
{
	scribble(file_size(path), bytes, strlen(bytes));
}

TEST(events_are_on_disk_after_a_commit_and_not_before)
{
	struct audit_log *l;
	struct audit_log_head head;
	struct stat st;

	fresh();
	l = open_log();
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(add(l, "one"));
	CHECK(add(l, "two"));
	CHECK_INT(audit_log_pending(l), 2);
	CHECK_INT(file_size(path), 0);
	CHECK_INT(audit_log_commit(l, &e), 0);
	CHECK_INT(audit_log_pending(l), 0);
	audit_log_last(l, &head);
	CHECK_INT(head.sequence, 2);
	CHECK_INT(verified(0, NULL), 2);
	CHECK(add(l, "never committed"));
	audit_log_free(l);
	CHECK_INT(verified(0, NULL), 2);
}

TEST(a_log_is_continued_where_it_ended)
{
	struct audit_log *l;

	fresh();
	for (unsigned i = 0; i < 3; i++) {
		l = open_log();
		CHECK_INT(audit_log_torn(l), 0);
		CHECK(add(l, "x"));
		CHECK_INT(audit_log_commit(l, &e), 0);
		audit_log_free(l);
	}
	CHECK_INT(verified(0, NULL), 3);
}

TEST(a_second_writer_is_refused)
{
	struct audit_log *l;
	struct audit_log *other = NULL;

	fresh();
	l = open_log();
	CHECK_INT(audit_log_open(&other, path, &source, &e), -EWOULDBLOCK);
	audit_log_free(l);
}

TEST(a_torn_last_line_is_moved_aside_and_the_chain_goes_on)
{
	struct audit_log *l;
	uint64_t torn;
	long whole;

	fresh();
	l = open_log();
	CHECK(add(l, "one"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	whole = file_size(path);
	append("{\"unmapped\":{\"prev");
	CHECK_INT(verified(0, &torn), 1);
	CHECK_INT(torn, 18);
	l = open_log();
	CHECK_INT(audit_log_torn(l), 18);
	CHECK_INT(file_size(path), whole);
	CHECK_INT(file_size(torn_path), 19);
	CHECK(add(l, "two"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	CHECK_INT(verified(0, &torn), 2);
	CHECK_INT(torn, 0);
}

TEST(a_log_that_is_nothing_but_a_torn_line_starts_anew)
{
	struct audit_log *l;

	fresh();
	l = open_log();
	audit_log_free(l);
	append("{\"unm");
	l = open_log();
	CHECK_INT(audit_log_torn(l), 5);
	CHECK_INT(file_size(path), 0);
	CHECK(add(l, "one"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	CHECK_INT(verified(0, NULL), 1);
}

TEST(a_foreign_last_line_is_refused_untouched)
{
	struct audit_log *l = NULL;

	fresh();
	l = open_log();
	audit_log_free(l);
	l = NULL;
	append("hello\n");
	CHECK_INT(audit_log_open(&l, path, &source, &e), -EBADMSG);
	CHECK(strstr(e.text, "saw audit verify") != NULL);
	CHECK_INT(file_size(path), 6);
	CHECK_INT(file_size(torn_path), -1);
}

TEST(verify_names_the_line_that_was_changed_removed_or_moved)
{
	struct audit_log *l;
	char byte;
	long ends[4] = { 0 };
	int fd;

	fresh();
	l = open_log();
	for (unsigned i = 1; i < 4; i++) {
		CHECK(add(l, "abcdef"));
		CHECK_INT(audit_log_commit(l, &e), 0);
		ends[i] = file_size(path);
	}
	audit_log_free(l);
	for (long at = ends[1]; at < ends[2]; at++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(pread(fd, &byte, 1, at) == 1);
		(void)close(fd);
		scribble(at, byte == '9' ? "8" : "9", 1);
		CHECK(verified(-EBADMSG, NULL) <= 2);
		CHECK(strstr(e.text, "line 2") || strstr(e.text, "line 3"));
		scribble(at, &byte, 1);
	}
	CHECK_INT(verified(0, NULL), 3);
	CHECK(truncate(path, ends[1]) == 0);
	CHECK_INT(verified(0, NULL), 1);
	append("\n");
	CHECK_INT(verified(-EBADMSG, NULL), 1);
	CHECK(strstr(e.text, "line 2 is not an audit event") != NULL);
}

TEST(verify_sees_a_line_taken_out)
{
	struct audit_log *l;
	static char text[65536];
	long ends[4] = { 0 };
	int fd;

	fresh();
	l = open_log();
	for (unsigned i = 1; i < 4; i++) {
		CHECK(add(l, "abcdef"));
		CHECK_INT(audit_log_commit(l, &e), 0);
		ends[i] = file_size(path);
	}
	audit_log_free(l);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(pread(fd, text, sizeof(text), 0) == ends[3]);
	CHECK(pwrite(fd, text + ends[2], (size_t)(ends[3] - ends[2]), ends[1]) == ends[3] - ends[2]);
	CHECK(ftruncate(fd, ends[3] - ends[2] + ends[1]) == 0);
	(void)close(fd);
	CHECK_INT(verified(-EBADMSG, NULL), 1);
	CHECK(strstr(e.text, "line 2 has sequence 3, expected 2") != NULL);
}

/* No file may grow past `size` and a bit, which no line fits in; gives the limit of before. */
static struct rlimit limit_files(long size)
{
	struct rlimit old = { 0 };
	struct rlimit small;

	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small = (struct rlimit){ .rlim_cur = (rlim_t)size + 100, .rlim_max = old.rlim_max };
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	return old;
}

TEST(a_commit_that_does_not_fit_leaves_nothing_behind_and_a_later_one_works)
{
	struct rlimit old;
	struct audit_log *l;
	long before;

	fresh();
	l = open_log();
	CHECK(add(l, "one"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	before = file_size(path);
	old = limit_files(before);
	CHECK(add(l, "two"));
	CHECK(add(l, "three"));
	CHECK_INT(audit_log_commit(l, &e), -EFBIG);
	CHECK_INT(audit_log_pending(l), 0);
	CHECK_INT(file_size(path), before);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK(add(l, "four"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	CHECK_INT(verified(0, NULL), 2);
}

/* 0: passed; 2: this host does not let us mount; else the line that failed. */
static int on_a_small_disk(bool read_only)
{
	struct audit_log *l = NULL;
	unsigned n = 0;
	int r = 0;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("saw", dir, "tmpfs", 0, "size=16k"))
		return 2;
	if (audit_log_open(&l, path, &source, &e) || !add(l, "one") || audit_log_commit(l, &e))
		return __LINE__;
	if (read_only) {
		/* the kernel refuses to remount while a writer has the file open */
		audit_log_free(l);
		if (mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL))
			return __LINE__;
		return audit_log_open(&l, path, &source, &e) == -EROFS ? 0 : __LINE__;
	}
	while (r == 0 && n++ < 1000)
		r = add(l, "filling") ? audit_log_commit(l, &e) : -1;
	if (r != -ENOSPC)
		return __LINE__;
	if (!add(l, "still full") || audit_log_commit(l, &e) != -ENOSPC)
		return __LINE__;
	if (mount(NULL, dir, NULL, MS_REMOUNT, "size=1m") || !add(l, "room again") || audit_log_commit(l, &e))
		return __LINE__;
	audit_log_free(l);
	return verified(0, NULL) > 10 ? 0 : __LINE__;
}

static void small_disk(bool read_only)
{
	int status = 0;
	pid_t pid;

	fresh();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(on_a_small_disk(read_only));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		tap_skip("this user may not mount a small tmpfs");
	else
		CHECK_INT(WEXITSTATUS(status), 0);
}

TEST(a_full_disk_refuses_whole_groups_and_recovers_with_room)
{
	small_disk(false);
}

TEST(a_read_only_disk_is_refused_at_open)
{
	small_disk(true);
}

TEST(what_is_written_is_in_the_file_at_once_and_committed_with_the_next_group)
{
	struct audit_log *l;
	struct audit_log_head head;
	long one;

	fresh();
	l = open_log();
	CHECK(add(l, "one"));
	CHECK_INT(audit_log_write(l, &e), 0);
	one = file_size(path);
	CHECK_INT(verified(0, NULL), 1);
	CHECK_INT(audit_log_pending(l), 1);
	audit_log_last(l, &head);
	CHECK_INT(head.sequence, 0);
	CHECK_INT(audit_log_write(l, &e), 0);
	CHECK_INT(file_size(path), one);
	CHECK(add(l, "two"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	CHECK_INT(audit_log_pending(l), 0);
	audit_log_last(l, &head);
	CHECK_INT(head.sequence, 2);
	CHECK(add(l, "three"));
	CHECK_INT(audit_log_write(l, &e), 0);
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_last(l, &head);
	CHECK_INT(head.sequence, 3);
	CHECK(add(l, "four"));
	CHECK_INT(audit_log_write(l, &e), 0);
	audit_log_free(l); /* as a crash does */
	l = open_log();
	CHECK(add(l, "five"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	CHECK_INT(verified(0, NULL), 5);
}

TEST(what_was_written_stays_when_what_comes_after_it_cannot_be)
{
	struct rlimit old;
	struct audit_log *l;
	char away[160];
	long one;

	fresh();
	l = open_log();
	CHECK(add(l, "one"));
	CHECK_INT(audit_log_write(l, &e), 0);
	one = file_size(path);
	old = limit_files(one);
	CHECK(add(l, "two"));
	CHECK_INT(audit_log_write(l, &e), -EFBIG);
	CHECK(add(l, "three"));
	CHECK_INT(audit_log_commit(l, &e), -EFBIG);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK_INT(file_size(path), one);
	CHECK_INT(audit_log_pending(l), 1);
	(void)snprintf(away, sizeof(away), "%s.away", path);
	CHECK(rename(path, away) == 0);
	CHECK(add(l, "four"));
	CHECK_INT(audit_log_commit(l, &e), -ESTALE);
	CHECK(rename(away, path) == 0);
	CHECK(add(l, "five"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	CHECK_INT(verified(0, NULL), 2);
}

/* 0: passed; 2: this host does not let us filter; else the line that failed. */
static int with_a_disk_that_does_not_sync(void)
{
	struct audit_log *l = NULL;
	long before;

	if (audit_log_open(&l, path, &source, &e) || !add(l, "one") || audit_log_commit(l, &e))
		return __LINE__;
	before = file_size(path);
	if (!kit_sync_fails(-1))
		return 2;
	if (!add(l, "two") || audit_log_write(l, &e) || file_size(path) == before)
		return __LINE__;
	if (!add(l, "three") || audit_log_commit(l, &e) != -EIO)
		return __LINE__;
	if (file_size(path) != before || audit_log_pending(l) || !add(l, "four") || audit_log_write(l, &e))
		return __LINE__;
	return 0;
}

TEST(a_sync_that_fails_takes_back_all_that_waited_for_it)
{
	int status = 0;
	pid_t pid;

	fresh();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(with_a_disk_that_does_not_sync());
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 2) {
		tap_skip("this host does not let a process filter its system calls");
		return;
	}
	CHECK_INT(WEXITSTATUS(status), 0);
	CHECK_INT(verified(0, NULL), 2);
}

TEST(a_log_that_was_moved_away_or_written_by_others_is_refused)
{
	struct audit_log *l;
	char other[160];

	fresh();
	l = open_log();
	CHECK(add(l, "one"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	(void)snprintf(other, sizeof(other), "%s.moved", path);
	CHECK(rename(path, other) == 0);
	CHECK(add(l, "two"));
	CHECK_INT(audit_log_commit(l, &e), -ESTALE);
	(void)close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	CHECK(add(l, "into another file"));
	CHECK_INT(audit_log_commit(l, &e), -ESTALE);
	CHECK_INT(file_size(path), 0);
	CHECK(rename(other, path) == 0);
	CHECK(add(l, "three"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	append("foreign\n");
	CHECK(add(l, "four"));
	CHECK_INT(audit_log_commit(l, &e), -ESTALE);
	audit_log_free(l);
}

TEST(what_a_guest_puts_into_a_name_does_not_spoil_the_log)
{
	struct event ev = { .kind = EVENT_FLOW, .action = EVENT_DENIED };
	uint8_t all[256];
	struct audit_log *l;

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	ev.name = ev.path = ev.detail = ev.verb = bytes_of(all, sizeof(all));
	fresh();
	l = open_log();
	for (int kind = 1; kind < EVENT_KIND_END; kind++) {
		ev.kind = (enum event_kind)kind;
		CHECK(audit_log_add(l, &ev, "code", "sentence"));
	}
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	CHECK_INT(verified(0, NULL), EVENT_KIND_END - 1);
}

TEST(more_than_the_cap_waits_for_a_commit)
{
	static char big[EVENT_TEXT_MAX + 1];
	struct audit_log *l;
	unsigned n = 0;

	fresh();
	memset(big, 'x', EVENT_TEXT_MAX);
	l = open_log();
	while (n < 10000 && add(l, big))
		n++;
	CHECK(n > 1000 && n < 10000);
	CHECK_INT(audit_log_pending(l), n);
	CHECK_INT(audit_log_commit(l, &e), 0);
	CHECK(add(l, big));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	CHECK_INT(verified(0, NULL), n + 1);
}

TEST(policy_and_lab_marker_are_those_of_the_moment)
{
	static char text[65536];
	struct audit_log *l;
	int fd;

	fresh();
	l = open_log();
	CHECK(add(l, "one"));
	CHECK_INT(audit_log_policy(l, bytes_str("corporate"), true, &e), 0);
	CHECK(add(l, "two"));
	CHECK_INT(audit_log_commit(l, &e), 0);
	audit_log_free(l);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	CHECK(strstr(strchr(text, '\n'), "\"lab\":true") != NULL);
	CHECK(strstr(strchr(text, '\n'), "\"corporate\"") != NULL);
	*strchr(text, '\n') = '\0';
	CHECK(strstr(text, "\"lab\"") == NULL);
}

TEST(the_folder_of_this_test_is_removed)
{
	char other[160];

	fresh();
	(void)snprintf(other, sizeof(other), "%s.moved", path);
	(void)unlink(other);
	CHECK(rmdir(dir) == 0);
}
