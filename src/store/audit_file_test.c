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
#include <time.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"
#include "store/audit_kit.h"
#include "store/audit_log.h"
#include "store/sync_kit.h"

enum { ROWS = AUDIT_JOURNAL_SIZE / AUDIT_JOURNAL_BLOCK /* of one line that it holds */ };

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

static unsigned past_the_cache; /* writes that went there */
static bool larger_blocks; /* of the disk: it takes no such write of ours */

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (fcntl(fd, F_GETFL) & O_DIRECT) {
		past_the_cache++;
		if (larger_blocks) {
			errno = EINVAL;
			return -1;
		}
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, data, len, at);
}

TEST(a_log_of_few_events_is_one_file_and_a_busy_one_goes_by_its_journal)
{
	struct audit_journal_held h;
	struct stat st;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM - 1, KIT_ENDS);
	CHECK(stat(kit_journal, &st) == 0 && st.st_size == 0 && (st.st_mode & 0777) == 0600);
	CHECK_INT(kit_reopened(), KIT_WARM - 1);
	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	CHECK(stat(kit_journal, &st) == 0 && st.st_size == AUDIT_JOURNAL_SIZE);
	h = kit_held();
	CHECK_INT(h.before.sequence, KIT_WARM);
	CHECK_INT(h.last.sequence, KIT_WARM + KIT_MORE);
	audit_journal_held_deinit(&h);
	CHECK_INT(kit_verified(), KIT_WARM + KIT_MORE);
}

static bool has_direct(void)
{
	int fd FD_AUTO = open(kit_journal, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);

	return fd >= 0;
}

TEST(each_group_of_a_busy_log_is_one_write_past_the_page_cache_where_there_is_such_a_thing)
{
	struct audit_log *l;

	kit_fresh();
	if (!has_direct()) {
		tap_skip("this file system writes by the page cache only");
		return;
	}
	kit_fresh();
	l = kit_open(0);
	CHECK_INT(kit_commits(l, KIT_WARM), 0);
	past_the_cache = 0;
	CHECK_INT(kit_commits(l, KIT_MORE), 0);
	CHECK_INT(past_the_cache, KIT_MORE);
	audit_log_free(l);
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE);
}

TEST(a_disk_of_larger_blocks_has_its_journal_by_the_page_cache)
{
	struct audit_journal_held h;

	kit_fresh();
	larger_blocks = true;
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	larger_blocks = false;
	h = kit_held();
	CHECK_INT(h.before.sequence, KIT_WARM);
	CHECK_INT(h.last.sequence, KIT_WARM + KIT_MORE);
	audit_journal_held_deinit(&h);
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE);
}

TEST(a_journal_that_is_full_starts_over_behind_a_log_that_is_synced)
{
	struct audit_journal_held h;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + ROWS + KIT_MORE, KIT_ENDS);
	h = kit_held();
	CHECK(h.before.sequence > KIT_WARM);
	CHECK_INT(h.last.sequence, KIT_WARM + ROWS + KIT_MORE);
	CHECK(truncate(kit_path, (off_t)h.base) == 0);
	CHECK_INT(kit_reopened(), h.last.sequence);
	audit_journal_held_deinit(&h);
}

static int put_line(struct audit_file *f, struct bytes *left)
{
	size_t len = bytes_find(*left, '\n') + 1;
	struct bytes line = bytes_of(left->p, len);
	struct audit_log_head last;
	int r;

	audit_chain_hash(bytes_of(line.p, len - 1), last.sha256);
	r = audit_file_put(f, line, &kit_err);
	r = r ? r : audit_file_sync(f, line, &last, &kit_err);
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

	if (audit_file_open(&f, kit_path, 0, &head, &kit_err))
		return __LINE__;
	if (!kit_sync_fails(f.fd))
		return KIT_CANNOT_FILTER;
	while (put_line(&f, &left) == 0)
		n++;
	if (n != ROWS || !f.lost || f.size != all.len - left.len)
		return __LINE__;
	/* The kernel forgot what it could not write; then the disk works again. */
	fd = open(kit_path, O_WRONLY | O_CLOEXEC);
	if (pwrite(fd, zeros, sizeof(zeros), (off_t)size) != (ssize_t)sizeof(zeros))
		return __LINE__;
	f.fd = dup(f.fd);
	if (put_line(&f, &left) || f.lost)
		return __LINE__;
	now = kit_content(kit_path);
	return bytes_eq(buf_view(&now), bytes_of(all.p, all.len - left.len)) ? 0 : __LINE__;
}

TEST(a_full_journal_is_kept_until_the_log_is_synced)
{
	static const uint8_t blocks[AUDIT_JOURNAL_SIZE];
	struct buf all;
	struct stat st;
	size_t size;
	pid_t pid;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM, KIT_ENDS);
	audit_log_free(kit_open(0));
	CHECK(stat(kit_path, &st) == 0);
	size = (size_t)st.st_size;
	(void)kit_crash_behind(ROWS + KIT_MORE, KIT_ENDS);
	all = kit_content(kit_path);
	(void)unlink(kit_journal);
	CHECK(truncate(kit_path, (off_t)size) == 0);
	kit_put_content(kit_journal, bytes_of(blocks, sizeof(blocks)));
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(with_a_log_that_does_not_sync(buf_view(&all), size) & 0xff);
	(void)kit_child_passed(pid);
	buf_deinit(&all);
}

/* The line that would follow the log's last one. */
static struct buf next_line(const char *detail)
{
	struct buf log BUF_AUTO = kit_content(kit_path);
	struct buf more BUF_AUTO;
	struct buf line;
	struct audit_log *l = kit_open(0);

	CHECK(kit_add(l, detail) && audit_log_commit(l, &kit_err) == 0);
	audit_log_free(l);
	more = kit_content(kit_path);
	buf_init(&line, more.len);
	CHECK(more.len > log.len && buf_add(&line, more.p + log.len, more.len - log.len));
	kit_put_content(kit_path, buf_view(&log));
	return line;
}

/* Syncs neither of the log nor of its journal work, and `refused` is refused, but the disk has its record; then those of the log work again,
 * then all. 0, or the line that failed. */
static int answered_behind_a_refused_record(struct bytes refused, struct bytes answered)
{
	struct audit_log_head head;
	struct audit_journal disk;
	struct audit_file f;
	struct bytes left = refused;
	uint64_t size;

	if (audit_file_open(&f, kit_path, 0, &head, &kit_err))
		return __LINE__;
	/* A journal was found: its writer may have refused something at its end. */
	if (!f.suspect)
		return __LINE__;
	f.suspect = false;
	size = f.size;
	disk = f.journal;
	disk.fd = dup(f.journal.fd);
	if (!kit_sync_fails(f.fd) || !kit_sync_fails(f.journal.fd))
		return KIT_CANNOT_FILTER;
	if (put_line(&f, &left) != -EIO || f.size != size || !f.suspect)
		return __LINE__;
	audit_chain_hash(bytes_of(refused.p, refused.len - 1), head.sha256);
	if (audit_journal_put(&disk, refused, &head))
		return __LINE__;
	audit_file_cut(&f);
	f.fd = dup(f.fd);
	left = answered;
	if (put_line(&f, &left) != -EIO || f.size != size || f.journal.base != size || !strstr(kit_err.text, "journal"))
		return __LINE__;
	if (audit_journal_put(&disk, refused, &head))
		return __LINE__;
	audit_file_cut(&f);
	f.journal.fd = disk.fd;
	f.journal.at = AUDIT_JOURNAL_SIZE; /* full: the log's own sync takes the next one */
	return put_line(&f, &left) == 0 && f.size == size + answered.len && !f.suspect ? 0 : __LINE__;
}

TEST(a_refused_record_does_not_come_back_in_place_of_a_line_that_was_answered)
{
	struct buf refused;
	struct buf answered;
	struct buf before;
	struct buf now;
	uint8_t *blocks = calloc(1, AUDIT_JOURNAL_SIZE);
	pid_t pid;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	audit_log_free(kit_open(0));
	refused = next_line("refused");
	answered = next_line("answered");
	before = kit_content(kit_path);
	kit_put_content(kit_journal, bytes_of(blocks, AUDIT_JOURNAL_SIZE));
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(answered_behind_a_refused_record(buf_view(&refused), buf_view(&answered)) & 0xff);
	if (kit_child_passed(pid)) {
		audit_log_free(kit_open(0));
		CHECK(buf_bytes(&before, buf_view(&answered)));
		now = kit_content(kit_path);
		CHECK(bytes_eq(buf_view(&now), buf_view(&before)));
		CHECK(access(kit_torn, F_OK) < 0);
		buf_deinit(&now);
	}
	buf_deinit(&refused);
	buf_deinit(&answered);
	buf_deinit(&before);
	free(blocks);
}

static struct buf whole_log;

static void other_writer_ends(void)
{
	kit_put_content(kit_path, buf_view(&whole_log));
}

TEST(what_another_writer_answers_before_it_lets_go_of_the_lock_is_no_torn_line)
{
	struct audit_log *l;

	kit_fresh();
	(void)kit_crash_behind(4, KIT_ENDS);
	whole_log = kit_content(kit_path);
	CHECK(truncate(kit_path, (off_t)whole_log.len - 100) == 0);
	before_lock = other_writer_ends;
	l = kit_open(0);
	CHECK(l && audit_log_torn(l) == 0);
	CHECK_INT(kit_verified(), 4);
	audit_log_free(l);
	buf_deinit(&whole_log);
}

TEST(a_journal_belongs_to_one_writer_also_where_its_log_was_moved_away)
{
	char moved[160];
	struct audit_log *first;

	kit_fresh();
	(void)snprintf(moved, sizeof(moved), "%s.1", kit_path);
	first = kit_open(0);
	CHECK_INT(kit_commits(first, KIT_WARM + KIT_MORE), 0);
	CHECK(rename(kit_path, moved) == 0);
	CHECK(kit_open(-EWOULDBLOCK) == NULL);
	CHECK(strstr(kit_err.text, "audit.jsonl.journal: lock (does a process still write the log that had this name before? end it first)") != NULL);
	audit_log_free(first);
	CHECK_INT(kit_reopened(), 0);
	CHECK(rename(moved, kit_path) == 0);
	CHECK_INT(kit_verified(), KIT_WARM + KIT_MORE);
}

static void journal_goes(void)
{
	CHECK(unlink(kit_journal) == 0);
}

static void journal_goes_next(void)
{
	before_lock = journal_goes;
}

TEST(a_journal_that_went_before_it_was_locked_is_made_anew)
{
	struct audit_log *l;

	kit_fresh();
	(void)kit_crash_behind(1, KIT_ENDS);
	before_lock = journal_goes_next;
	l = kit_open(0);
	CHECK(before_lock == NULL && access(kit_journal, F_OK) == 0);
	CHECK_INT(kit_commits(l, KIT_WARM + KIT_MORE), 0);
	audit_log_free(l);
	CHECK_INT(kit_verified(), KIT_WARM + KIT_MORE + 1);
}

TEST(a_journal_that_somebody_else_put_there_is_not_removed)
{
	struct audit_log *l;
	struct buf now;

	kit_fresh();
	l = kit_open(0);
	CHECK_INT(kit_commits(l, KIT_WARM + KIT_MORE), 0);
	CHECK(unlink(kit_journal) == 0);
	kit_put_content(kit_journal, bytes_str("theirs"));
	audit_log_free(l);
	now = kit_content(kit_journal);
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

	(void)snprintf(moved, sizeof(moved), "%s.1", kit_journal);
	if (audit_file_open(&f, kit_path, 0, &head, &kit_err))
		return __LINE__;
	if (!kit_sync_fails(f.fd))
		return KIT_CANNOT_FILTER;
	if (put_line(&f, &left) || left.len)
		return __LINE__;
	if (removed ? unlink(kit_journal) : rename(kit_journal, moved))
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

		kit_fresh();
		(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
		log = kit_content(kit_path);
		(void)fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(answered_behind_a_journal_that_is_gone(bytes_of(log.p, bytes_find(buf_view(&log), '\n') + 1), removed) & 0xff);
		(void)kit_child_passed(pid);
		buf_deinit(&log);
	}
}

TEST(a_log_at_rest_is_one_file)
{
	struct audit_log *l;

	kit_fresh();
	l = kit_open(0);
	CHECK_INT(kit_commits(l, KIT_WARM + KIT_MORE), 0);
	CHECK(access(kit_journal, F_OK) == 0);
	audit_log_free(l);
	CHECK(access(kit_journal, F_OK) < 0 && errno == ENOENT);
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE);
}

TEST(a_journal_without_room_on_the_disk_is_done_without)
{
	struct rlimit old = { 0 };
	struct rlimit small;
	struct audit_log *l;
	struct stat st;

	kit_fresh();
	(void)signal(SIGXFSZ, SIG_IGN);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	small = (struct rlimit){ .rlim_cur = AUDIT_JOURNAL_SIZE / 2, .rlim_max = old.rlim_max };
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	l = kit_open(0);
	CHECK_INT(kit_commits(l, KIT_WARM + KIT_MORE), 0);
	CHECK(stat(kit_journal, &st) == 0 && st.st_size == 0);
	audit_log_free(l);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE);
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

		(void)changed_ns(kit_path);
		CHECK(kit_add(l, "x") && audit_log_write(l, &kit_err) == 0);
		if (asked)
			(void)changed_ns(kit_path);
		before = now_ns();
		CHECK(kit_add(l, "x") && audit_log_write(l, &kit_err) == 0);
		n += changed_ns(kit_path) > before;
	}
	return n;
}

TEST(nothing_asks_for_a_logs_times_so_that_a_line_costs_no_inode)
{
	struct audit_log *l;

	kit_fresh();
	l = kit_open(0);
	if (exact(l, true) < TRIES)
		tap_skip("this kernel or file system has no exact times for those who ask");
	else
		CHECK(exact(l, false) < TRIES / 2); /* but for a clock's tick that lies between */
	audit_log_free(l);
}

TEST(a_log_or_journal_that_others_may_write_is_refused)
{
	kit_fresh();
	kit_put_content(kit_path, bytes_str(""));
	CHECK(chmod(kit_path, 0666) == 0 && kit_open(-EPERM) == NULL);
	CHECK(strstr(kit_err.text, "audit.jsonl may be written by others") != NULL);
	CHECK(chmod(kit_path, 0600) == 0);
	kit_put_content(kit_journal, bytes_str(""));
	CHECK(chmod(kit_journal, 0666) == 0 && kit_open(-EPERM) == NULL);
	CHECK(strstr(kit_err.text, "audit.jsonl.journal may be written by others") != NULL);
}

TEST(the_folder_of_this_test_is_removed)
{
	kit_remove_folder();
}
