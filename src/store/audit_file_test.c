#include "store/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"
#include "store/audit_log.h"
#include "store/sync_kit.h"

enum {
	WARM = 64,
	MORE = 20, /* commits by the journal */
	ROWS = AUDIT_JOURNAL_SIZE / AUDIT_JOURNAL_BLOCK, /* of one line that it holds */
};

static char dir[64];
static char path[128];
static char journal[160];
static char torn[160];
static struct err e;

/* What happens right before the next lock is taken. */
static void (*before_lock)(void);

int flock(int fd, int operation)
{
	void (*fn)(void) = before_lock;

	before_lock = NULL;
	if (fn)
		fn();
	return (int)syscall(SYS_flock, fd, operation);
}

static void use_folder(const char *below)
{
	(void)snprintf(dir, sizeof(dir), "%s/saw-audit-file-XXXXXX", below);
	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/audit.jsonl", dir);
	(void)snprintf(journal, sizeof(journal), "%s.journal", path);
	(void)snprintf(torn, sizeof(torn), "%s.torn", path);
}

static void fresh(void)
{
	if (!path[0])
		use_folder("/tmp");
	(void)unlink(path);
	(void)unlink(journal);
	(void)unlink(torn);
	e.text[0] = '\0';
}

static void remove_folder(void)
{
	fresh();
	CHECK(rmdir(dir) == 0);
	path[0] = '\0';
}

static struct buf content(const char *name)
{
	int fd FD_AUTO = open(name, O_RDONLY | O_CLOEXEC);
	struct buf b;

	buf_init(&b, 64 * 1024 * 1024);
	if (fd >= 0)
		CHECK_INT(fd_read_all(fd, &b), 0);
	return b;
}

static void put_content(const char *name, struct bytes data)
{
	int fd FD_AUTO = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && fd_write_all(fd, data) == 0);
}

static bool add(struct audit_log *l, const char *detail)
{
	struct event ev = { .kind = EVENT_FLOW, .action = EVENT_DENIED, .detail = bytes_str(detail) };

	return audit_log_add(l, &ev, "code", "sentence");
}

static struct audit_log *open_log(int want)
{
	struct ocsf_source source = { .version = bytes_str("1") };
	struct audit_log *l = NULL;

	CHECK_INT(audit_log_open(&l, path, &source, &e), want);
	return l;
}

static int commits(struct audit_log *l, unsigned n)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < n; i++)
		r = add(l, "x") ? audit_log_commit(l, &e) : -ENOMEM;
	return r;
}

enum end { ENDS, LEAVES_LAZY_LINES, LEAVES_LAZY_PAGES, FAILS_TO_SYNC };

/* Lines of all lengths: some lie within a page, some over its end, one fills two. */
static bool add_pages(struct audit_log *l)
{
	static char text[9000];
	bool good = true;

	for (size_t i = 0; good && i < 40; i++) {
		memset(text, 'p', sizeof(text));
		text[i == 20 ? sizeof(text) - 1 : i * 37] = '\0';
		good = add(l, text);
	}
	return good;
}

enum { CANNOT_FILTER = 2 };

/* How a child of ours ended. False: it cannot be shown here, which is said. */
static bool child_passed(pid_t pid)
{
	int status = 0;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT_FILTER) {
		tap_skip("this host does not let a process filter its system calls");
		return false;
	}
	CHECK_INT(WEXITSTATUS(status), 0);
	return true;
}

/* A writer that is killed behind `n` commits. */
static bool crash_behind(unsigned n, enum end how)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct audit_log *l = open_log(0);
		bool good = commits(l, n) == 0;

		if (how == LEAVES_LAZY_LINES)
			good = good && add(l, "lazy") && audit_log_write(l, &e) == 0;
		if (how == LEAVES_LAZY_PAGES)
			good = good && add_pages(l) && audit_log_write(l, &e) == 0;
		if (how == FAILS_TO_SYNC && !kit_sync_fails(-1))
			_exit(CANNOT_FILTER);
		if (how == FAILS_TO_SYNC)
			good = good && add(l, "refused") && audit_log_commit(l, &e) == -EIO;
		_exit(good ? 0 : 1);
	}
	return child_passed(pid);
}

static struct audit_journal_held held(void)
{
	struct buf b BUF_AUTO = content(journal);
	struct audit_journal_held h;

	CHECK_INT(audit_journal_read(buf_view(&b), &h), 0);
	return h;
}

static uint64_t verified(void)
{
	int fd FD_AUTO = open(path, O_RDONLY | O_CLOEXEC);
	struct audit_log_head head = { 0 };
	uint64_t behind = 0;

	CHECK_INT(audit_log_verify(fd, &head, &behind, &e), 0);
	CHECK_INT(behind, 0);
	return head.sequence;
}

static uint64_t reopened(void)
{
	struct audit_log *l = open_log(0);
	uint64_t n;

	if (!l) {
		printf("# %s\n", e.text);
		return UINT64_MAX;
	}
	n = verified();
	CHECK_INT(commits(l, 1), 0);
	audit_log_free(l);
	CHECK_INT(verified(), n + 1);
	return n;
}

TEST(a_log_of_few_events_is_one_file_and_a_busy_one_goes_by_its_journal)
{
	struct audit_journal_held h;
	struct stat st;

	fresh();
	(void)crash_behind(WARM - 1, ENDS);
	CHECK(stat(journal, &st) == 0 && st.st_size == 0 && (st.st_mode & 0777) == 0600);
	CHECK_INT(reopened(), WARM - 1);
	fresh();
	(void)crash_behind(WARM + MORE, ENDS);
	CHECK(stat(journal, &st) == 0 && st.st_size == AUDIT_JOURNAL_SIZE);
	h = held();
	CHECK_INT(h.before.sequence, WARM);
	CHECK_INT(h.last.sequence, WARM + MORE);
	audit_journal_held_deinit(&h);
	CHECK_INT(verified(), WARM + MORE);
}

TEST(what_a_crash_of_the_machine_took_from_the_log_comes_back)
{
	struct buf log;
	struct buf kept;
	struct audit_journal_held h;

	fresh();
	(void)crash_behind(WARM + MORE, ENDS);
	log = content(path);
	kept = content(journal);
	h = held();
	/* The length that the disk had, and what it had of the last blocks: all, a part, or nothing but zeros. */
	for (size_t len = (size_t)h.base; len <= log.len; len += (log.len - (size_t)h.base) / 7)
		for (unsigned hole = 0; hole < 2; hole++) {
			struct buf was BUF_AUTO;
			struct buf now BUF_AUTO;
			struct buf aside BUF_AUTO;

			buf_init(&was, log.len);
			CHECK(buf_add(&was, log.p, len));
			if (hole)
				memset(was.p + h.base, 0, len - (size_t)h.base);
			put_content(path, buf_view(&was));
			put_content(journal, buf_view(&kept));
			(void)unlink(torn);
			audit_log_free(open_log(0));
			now = content(path);
			CHECK(bytes_eq(buf_view(&now), buf_view(&log)));
			aside = content(torn);
			CHECK_INT(aside.len, hole && len > h.base ? len - (size_t)h.base + 1 : 0);
		}
	CHECK_INT(reopened(), WARM + MORE);
	audit_journal_held_deinit(&h);
	buf_deinit(&log);
	buf_deinit(&kept);
}

TEST(lines_that_wait_for_their_sync_stay_behind_those_of_the_journal)
{
	fresh();
	(void)crash_behind(WARM + MORE, LEAVES_LAZY_LINES);
	CHECK_INT(reopened(), WARM + MORE + 1);
}

enum { PAGE = 4096, MORE_THAN_WAITS = 5 * 1024 * 1024 };

/* A log as the crash of a process left it, and what of it the disk is sure to have. */
struct left {
	struct buf log;
	struct buf journal;
	size_t synced; /* bytes of the log */
	size_t answered; /* bytes, also those that only the journal is sure to have */
	uint64_t n; /* lines of those */
};

static void leave(struct left *ret, unsigned n)
{
	struct audit_journal_held h;
	size_t lines = 0;

	fresh();
	(void)crash_behind(n, LEAVES_LAZY_PAGES);
	ret->log = content(path);
	ret->journal = content(journal);
	ret->n = n;
	for (ret->answered = 0; lines < n; ret->answered++)
		lines += ret->log.p[ret->answered] == '\n';
	h = held();
	CHECK(!h.lines.len || h.base + h.lines.len == ret->answered);
	ret->synced = h.lines.len ? (size_t)h.base : ret->answered;
	audit_journal_held_deinit(&h);
}

static void left_deinit(struct left *w)
{
	buf_deinit(&w->log);
	buf_deinit(&w->journal);
}

/* The machine crashed: the log has `len` bytes, of which the pages of `a` and `b` did not reach the disk (0: all did). Each of its bytes is then
 * in the log or in FILE.torn, and what was answered is in the log. */
static void after_power_loss(const struct left *w, size_t len, size_t a, size_t b)
{
	struct buf was BUF_AUTO;
	struct buf now BUF_AUTO;
	struct buf aside BUF_AUTO;
	size_t kept;
	uint64_t n;

	buf_init(&was, len);
	CHECK(buf_add(&was, w->log.p, len));
	for (size_t i = w->synced; i < len; i++)
		if ((a && i / PAGE == a / PAGE) || (b && i / PAGE == b / PAGE))
			was.p[i] = 0;
	put_content(path, buf_view(&was));
	put_content(journal, buf_view(&w->journal));
	(void)unlink(torn);
	n = reopened();
	CHECK(n != UINT64_MAX && n >= w->n);
	now = content(path);
	CHECK(now.len > w->answered && memcmp(now.p, w->log.p, w->answered) == 0);
	aside = content(torn);
	kept = len - (aside.len ? aside.len - 1 : 0);
	CHECK(now.len >= kept && memcmp(now.p, was.p, kept) == 0);
	CHECK(!aside.len || memcmp(aside.p, was.p + kept, len - kept) == 0);
}

TEST(whatever_pages_a_crash_of_the_machine_took_the_log_goes_on_with_all_that_was_answered)
{
	static const unsigned commits_before[] = { 3, WARM + MORE };

	/* hundreds of logs, each synced some times: where that costs nothing */
	if (access("/dev/shm", W_OK) == 0) {
		remove_folder();
		use_folder("/dev/shm");
	}
	for (size_t i = 0; i < 2; i++) {
		struct left w;

		leave(&w, commits_before[i]);
		CHECK(w.log.len - w.synced > 9 * (size_t)PAGE);
		for (size_t a = w.synced; a < w.log.len; a = (a / PAGE + 1) * PAGE) {
			after_power_loss(&w, a, 0, 0);
			for (size_t b = a; b < w.log.len; b = (b / PAGE + 1) * PAGE) {
				after_power_loss(&w, w.log.len, a, b);
				after_power_loss(&w, b, a, 0);
			}
		}
		left_deinit(&w);
	}
	remove_folder();
}

/* One that an earlier crash left so, and that has answered lines since. */
TEST(a_hole_in_a_log_that_was_closed_in_order_is_refused_untouched_with_the_remedy)
{
	struct left w;
	struct buf now;

	leave(&w, 3);
	memset(w.log.p + w.answered + 100, 0, PAGE);
	put_content(path, buf_view(&w.log));
	for (int i = 0; i < 2; i++) {
		(void)unlink(journal);
		CHECK(open_log(-EBADMSG) == NULL);
		CHECK(strstr(e.text, "zeros stand between its last lines, which no crash left: run `saw audit verify`, then move it away") != NULL);
		CHECK(access(journal, F_OK) < 0);
	}
	now = content(path);
	CHECK(bytes_eq(buf_view(&now), buf_view(&w.log)));
	CHECK(access(torn, F_OK) < 0);
	buf_deinit(&now);
	left_deinit(&w);
}

TEST(more_that_does_not_chain_than_a_crash_leaves_is_refused_untouched)
{
	struct left w;
	struct stat st;

	leave(&w, WARM + MORE);
	put_content(path, bytes_of(w.log.p, w.answered));
	CHECK(truncate(path, (off_t)(w.answered + MORE_THAN_WAITS)) == 0);
	CHECK(open_log(-EBADMSG) == NULL);
	CHECK(strstr(e.text, "more of its end does not chain than a crash leaves: run `saw audit verify`, then move it away") != NULL);
	CHECK(stat(path, &st) == 0 && (size_t)st.st_size == w.answered + MORE_THAN_WAITS);
	CHECK(access(torn, F_OK) < 0);
	left_deinit(&w);
}

TEST(a_fifo_or_foreign_file_for_what_is_put_aside_is_refused_at_once)
{
	struct left w;

	leave(&w, 3);
	CHECK(truncate(path, (off_t)(w.answered + 10)) == 0);
	CHECK(mkfifo(torn, 0600) == 0);
	(void)alarm(30);
	CHECK(open_log(-EBADMSG) == NULL);
	(void)alarm(0);
	CHECK(strstr(e.text, "audit.jsonl.torn is not a regular file: move it away") != NULL);
	CHECK(unlink(torn) == 0);
	put_content(torn, bytes_str(""));
	CHECK(chmod(torn, 0666) == 0 && open_log(-EPERM) == NULL);
	CHECK(strstr(e.text, "audit.jsonl.torn may be written by others") != NULL);
	CHECK(unlink(torn) == 0);
	CHECK_INT(reopened(), 3);
	left_deinit(&w);
}

TEST(a_group_whose_sync_failed_does_not_come_back)
{
	fresh();
	if (!crash_behind(WARM + MORE, FAILS_TO_SYNC))
		return;
	CHECK_INT(verified(), WARM + MORE);
	CHECK_INT(reopened(), WARM + MORE);
}

TEST(a_torn_record_is_none_and_those_before_it_count)
{
	struct audit_journal_held h;
	struct buf kept;
	uint64_t base;

	fresh();
	(void)crash_behind(WARM + MORE, ENDS);
	kept = content(journal);
	h = held();
	base = h.base;
	audit_journal_held_deinit(&h);
	/* Each byte of the last record's head, and some of its line. */
	for (size_t at = 0; at < 400; at += at < 140 ? 1 : 37) {
		size_t where = (size_t)(MORE - 1) * AUDIT_JOURNAL_BLOCK + at;

		kept.p[where] ^= 0x20;
		put_content(journal, buf_view(&kept));
		CHECK(truncate(path, (off_t)base) == 0);
		audit_log_free(open_log(0));
		CHECK_INT(verified(), WARM + MORE - 1);
		kept.p[where] ^= 0x20;
	}
	buf_deinit(&kept);
}

TEST(a_journal_that_is_full_starts_over_behind_a_log_that_is_synced)
{
	struct audit_journal_held h;

	fresh();
	(void)crash_behind(WARM + ROWS + MORE, ENDS);
	h = held();
	CHECK(h.before.sequence > WARM);
	CHECK_INT(h.last.sequence, WARM + ROWS + MORE);
	CHECK(truncate(path, (off_t)h.base) == 0);
	CHECK_INT(reopened(), h.last.sequence);
	audit_journal_held_deinit(&h);
}

static int put_line(struct audit_file *f, struct bytes *left)
{
	size_t len = bytes_find(*left, '\n') + 1;
	struct bytes line = bytes_of(left->p, len);
	struct audit_log_head last;
	int r;

	audit_chain_hash(bytes_of(line.p, len - 1), last.sha256);
	r = audit_file_put(f, line, &e);
	r = r ? r : audit_file_sync(f, line, &last, &e);
	if (r == 0)
		*left = bytes_skip(*left, len);
	return r;
}

/* Continues a log of `size` bytes with the lines that follow them in `all`. 0, or the line that failed. */
static int with_a_log_that_does_not_sync(struct bytes all, size_t size)
{
	static const char zeros[64 * 1024];
	struct bytes left = bytes_skip(all, size);
	struct audit_log_head head;
	struct audit_file f;
	struct buf now;
	unsigned n = 0;
	int fd;

	if (audit_file_open(&f, path, 0, &head, &e))
		return __LINE__;
	if (!kit_sync_fails(f.fd))
		return CANNOT_FILTER;
	while (put_line(&f, &left) == 0)
		n++;
	if (n != ROWS || !f.lost || f.size != all.len - left.len)
		return __LINE__;
	/* The kernel forgot what it could not write; then the disk works again. */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (pwrite(fd, zeros, sizeof(zeros), (off_t)size) != (ssize_t)sizeof(zeros))
		return __LINE__;
	f.fd = dup(f.fd);
	if (put_line(&f, &left) || f.lost)
		return __LINE__;
	now = content(path);
	return bytes_eq(buf_view(&now), bytes_of(all.p, all.len - left.len)) ? 0 : __LINE__;
}

TEST(a_full_journal_is_kept_until_the_log_is_synced)
{
	static const uint8_t blocks[AUDIT_JOURNAL_SIZE];
	struct buf all;
	struct stat st;
	size_t size;
	pid_t pid;

	fresh();
	(void)crash_behind(WARM, ENDS);
	audit_log_free(open_log(0));
	CHECK(stat(path, &st) == 0);
	size = (size_t)st.st_size;
	(void)crash_behind(ROWS + MORE, ENDS);
	all = content(path);
	(void)unlink(journal);
	CHECK(truncate(path, (off_t)size) == 0);
	put_content(journal, bytes_of(blocks, sizeof(blocks)));
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(with_a_log_that_does_not_sync(buf_view(&all), size) & 0xff);
	(void)child_passed(pid);
	buf_deinit(&all);
}

static struct buf whole_log;

static void other_writer_ends(void)
{
	put_content(path, buf_view(&whole_log));
}

TEST(what_another_writer_answers_before_it_lets_go_of_the_lock_is_no_torn_line)
{
	struct audit_log *l;

	fresh();
	(void)crash_behind(4, ENDS);
	whole_log = content(path);
	CHECK(truncate(path, (off_t)whole_log.len - 100) == 0);
	before_lock = other_writer_ends;
	l = open_log(0);
	CHECK(l && audit_log_torn(l) == 0);
	CHECK_INT(verified(), 4);
	audit_log_free(l);
	buf_deinit(&whole_log);
}

TEST(a_journal_belongs_to_one_writer_also_where_its_log_was_moved_away)
{
	char moved[160];
	struct audit_log *first;

	fresh();
	(void)snprintf(moved, sizeof(moved), "%s.1", path);
	first = open_log(0);
	CHECK_INT(commits(first, WARM + MORE), 0);
	CHECK(rename(path, moved) == 0);
	CHECK(open_log(-EWOULDBLOCK) == NULL);
	CHECK(strstr(e.text, "audit.jsonl.journal: lock (does a process still write the log that had this name before? end it first)") != NULL);
	audit_log_free(first);
	CHECK_INT(reopened(), 0);
	CHECK(rename(moved, path) == 0);
	CHECK_INT(verified(), WARM + MORE);
}

static void journal_goes(void)
{
	CHECK(unlink(journal) == 0);
}

static void journal_goes_next(void)
{
	before_lock = journal_goes;
}

TEST(a_journal_that_went_before_it_was_locked_is_made_anew)
{
	struct audit_log *l;

	fresh();
	(void)crash_behind(1, ENDS);
	before_lock = journal_goes_next;
	l = open_log(0);
	CHECK(before_lock == NULL && access(journal, F_OK) == 0);
	CHECK_INT(commits(l, WARM + MORE), 0);
	audit_log_free(l);
	CHECK_INT(verified(), WARM + MORE + 1);
}

TEST(a_journal_that_somebody_else_put_there_is_not_removed)
{
	struct audit_log *l;
	struct buf now;

	fresh();
	l = open_log(0);
	CHECK_INT(commits(l, WARM + MORE), 0);
	CHECK(unlink(journal) == 0);
	put_content(journal, bytes_str("theirs"));
	audit_log_free(l);
	now = content(journal);
	CHECK(bytes_eq(buf_view(&now), bytes_str("theirs")));
	buf_deinit(&now);
}

/* 0, or the line that failed. With the log's sync out of order, what is answered is in the journal. */
static int answered_behind_a_journal_that_is_gone(struct bytes line, bool removed)
{
	struct bytes left = line;
	struct audit_log_head head;
	struct audit_file f;
	char moved[170];

	(void)snprintf(moved, sizeof(moved), "%s.1", journal);
	if (audit_file_open(&f, path, 0, &head, &e))
		return __LINE__;
	if (!kit_sync_fails(f.fd))
		return CANNOT_FILTER;
	if (put_line(&f, &left) || left.len)
		return __LINE__;
	if (removed ? unlink(journal) : rename(journal, moved))
		return __LINE__;
	(void)unlink(moved);
	left = line;
	return put_line(&f, &left) == -EIO && f.size > line.len ? 0 : __LINE__;
}

TEST(nothing_is_answered_from_a_journal_that_was_removed_or_moved)
{
	for (int removed = 0; removed < 2; removed++) {
		struct buf log;
		pid_t pid;

		fresh();
		(void)crash_behind(WARM + MORE, ENDS);
		log = content(path);
		(void)fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(answered_behind_a_journal_that_is_gone(bytes_of(log.p, bytes_find(buf_view(&log), '\n') + 1), removed) & 0xff);
		(void)child_passed(pid);
		buf_deinit(&log);
	}
}

TEST(a_log_that_was_moved_away_leaves_a_journal_that_is_nobodys_and_its_lines_are_put_aside)
{
	struct audit_journal_held h;
	struct buf aside;

	fresh();
	(void)crash_behind(WARM + MORE, ENDS);
	h = held();
	CHECK(unlink(path) == 0);
	(void)crash_behind(1, ENDS);
	CHECK_INT(reopened(), 1);
	aside = content(torn);
	CHECK_INT(aside.len, h.lines.len + 1);
	CHECK(aside.len > h.lines.len && memcmp(aside.p, h.lines.p, h.lines.len) == 0);
	audit_journal_held_deinit(&h);
	buf_deinit(&aside);
	/* also where the new one is moved away before its journal was due */
	(void)crash_behind(WARM + MORE, ENDS);
	CHECK(unlink(path) == 0);
	(void)crash_behind(MORE, ENDS);
	CHECK_INT(verified(), MORE);
	CHECK(unlink(path) == 0);
	CHECK_INT(reopened(), 0);
}

TEST(a_log_that_was_cut_while_it_was_written_keeps_its_journal_and_is_completed)
{
	struct audit_log *l;
	struct stat st;

	fresh();
	l = open_log(0);
	CHECK_INT(commits(l, WARM + MORE), 0);
	CHECK(stat(path, &st) == 0 && truncate(path, st.st_size - 700) == 0);
	CHECK_INT(commits(l, 1), -ESTALE);
	audit_log_free(l);
	CHECK(access(journal, F_OK) == 0);
	CHECK_INT(reopened(), WARM + MORE);
	CHECK(access(journal, F_OK) < 0);
}

/* Whoever could make a file beside a log to come. */
TEST(a_journal_that_would_begin_a_log_is_nobodys)
{
	struct audit_log_head last;
	struct audit_journal j;
	struct buf log;
	int folder FD_AUTO = -1;

	fresh();
	(void)crash_behind(1, ENDS);
	log = content(path);
	audit_chain_hash(bytes_of(log.p, log.len - 1), last.sha256);
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(audit_journal_open(&j, folder, "audit.jsonl", &e), 0);
	CHECK_INT(audit_journal_fill(&j), 0);
	audit_journal_start(&j, 0);
	CHECK_INT(audit_journal_put(&j, buf_view(&log), &last), 0);
	audit_journal_close(&j);
	CHECK(unlink(path) == 0);
	CHECK_INT(reopened(), 0);
	buf_deinit(&log);
}

TEST(a_log_at_rest_is_one_file)
{
	struct audit_log *l;

	fresh();
	l = open_log(0);
	CHECK_INT(commits(l, WARM + MORE), 0);
	CHECK(access(journal, F_OK) == 0);
	audit_log_free(l);
	CHECK(access(journal, F_OK) < 0 && errno == ENOENT);
	CHECK_INT(reopened(), WARM + MORE);
}

TEST(a_journal_that_does_not_continue_its_log_is_refused_with_the_remedy)
{
	struct buf kept;
	struct buf log;
	struct buf now;

	fresh();
	(void)crash_behind(WARM + MORE, ENDS);
	kept = content(journal);
	(void)unlink(path);
	(void)unlink(journal);
	(void)crash_behind(WARM + MORE + 5, ENDS);
	put_content(journal, buf_view(&kept));
	log = content(path);
	CHECK(open_log(-EBADMSG) == NULL);
	CHECK(strstr(e.text, "audit.jsonl.journal does not continue audit.jsonl: put back both of one moment, or move the journal away") != NULL);
	now = content(path);
	CHECK(bytes_eq(buf_view(&now), buf_view(&log)));
	/* shorter than what was on disk when the journal started */
	CHECK(truncate(path, 700) == 0);
	CHECK(open_log(-EBADMSG) == NULL);
	CHECK(unlink(journal) == 0 && truncate(path, (off_t)log.len) == 0);
	put_content(path, buf_view(&log));
	CHECK_INT(reopened(), WARM + MORE + 5);
	buf_deinit(&kept);
	buf_deinit(&log);
	buf_deinit(&now);
}

TEST(a_journal_without_room_on_the_disk_is_done_without)
{
	struct rlimit old = { 0 };
	struct rlimit small;
	struct audit_log *l;
	struct stat st;

	fresh();
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small = (struct rlimit){ .rlim_cur = AUDIT_JOURNAL_SIZE / 2, .rlim_max = old.rlim_max };
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	l = open_log(0);
	CHECK_INT(commits(l, WARM + MORE), 0);
	CHECK(stat(journal, &st) == 0 && st.st_size == 0);
	audit_log_free(l);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK_INT(reopened(), WARM + MORE);
}

/* When the file's inode last changed, by the clock of clock_gettime(). Asking makes the next change's time an exact one. */
static long long changed_ns(const char *name)
{
	struct stat st;

	CHECK(stat(name, &st) == 0);
	return st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec;
}

static long long now_ns(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

enum { TRIES = 40 };

/* How often a file's change got an exact time, though nobody but what `between` does asked for one. */
static int exact(struct audit_log *l, bool asked)
{
	int n = 0;

	for (int i = 0; i < TRIES; i++) {
		long long before;

		(void)changed_ns(path);
		CHECK(add(l, "x") && audit_log_write(l, &e) == 0);
		if (asked)
			(void)changed_ns(path);
		before = now_ns();
		CHECK(add(l, "x") && audit_log_write(l, &e) == 0);
		n += changed_ns(path) > before;
	}
	return n;
}

TEST(nothing_asks_for_a_logs_times_so_that_a_line_costs_no_inode)
{
	struct audit_log *l;

	fresh();
	l = open_log(0);
	if (exact(l, true) < TRIES)
		tap_skip("this kernel or file system has no exact times for those who ask");
	else
		CHECK(exact(l, false) < TRIES / 2); /* but for a clock's tick that lies between */
	audit_log_free(l);
}

TEST(a_log_or_journal_that_others_may_write_is_refused)
{
	fresh();
	put_content(path, bytes_str(""));
	CHECK(chmod(path, 0666) == 0 && open_log(-EPERM) == NULL);
	CHECK(strstr(e.text, "audit.jsonl may be written by others") != NULL);
	CHECK(chmod(path, 0600) == 0);
	put_content(journal, bytes_str(""));
	CHECK(chmod(journal, 0666) == 0 && open_log(-EPERM) == NULL);
	CHECK(strstr(e.text, "audit.jsonl.journal may be written by others") != NULL);
}

TEST(the_folder_of_this_test_is_removed)
{
	remove_folder();
}
