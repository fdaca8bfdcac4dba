#include "store/audit_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"
#include "store/audit_kit.h"
#include "store/audit_log.h"

TEST(what_a_crash_of_the_machine_took_from_the_log_comes_back)
{
	struct buf log;
	struct buf kept;
	struct audit_journal_held h;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	log = kit_content(kit_path);
	kept = kit_content(kit_journal);
	h = kit_held();
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
			kit_put_content(kit_path, buf_view(&was));
			kit_put_content(kit_journal, buf_view(&kept));
			(void)unlink(kit_torn);
			audit_log_free(kit_open(0));
			now = kit_content(kit_path);
			CHECK(bytes_eq(buf_view(&now), buf_view(&log)));
			aside = kit_content(kit_torn);
			CHECK_INT(aside.len, hole && len > h.base ? len - (size_t)h.base + 1 : 0);
		}
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE);
	audit_journal_held_deinit(&h);
	buf_deinit(&log);
	buf_deinit(&kept);
}

TEST(lines_that_wait_for_their_sync_stay_behind_those_of_the_journal)
{
	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_LEAVES_LAZY_LINES);
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE + 1);
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

	kit_fresh();
	(void)kit_crash_behind(n, KIT_LEAVES_LAZY_PAGES);
	ret->log = kit_content(kit_path);
	ret->journal = kit_content(kit_journal);
	ret->n = n;
	for (ret->answered = 0; lines < n; ret->answered++)
		lines += ret->log.p[ret->answered] == '\n';
	h = kit_held();
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
	kit_put_content(kit_path, buf_view(&was));
	kit_put_content(kit_journal, buf_view(&w->journal));
	(void)unlink(kit_torn);
	n = kit_reopened();
	CHECK(n != UINT64_MAX && n >= w->n);
	now = kit_content(kit_path);
	CHECK(now.len > w->answered && memcmp(now.p, w->log.p, w->answered) == 0);
	aside = kit_content(kit_torn);
	kept = len - (aside.len ? aside.len - 1 : 0);
	CHECK(now.len >= kept && memcmp(now.p, was.p, kept) == 0);
	CHECK(!aside.len || memcmp(aside.p, was.p + kept, len - kept) == 0);
}

TEST(whatever_pages_a_crash_of_the_machine_took_the_log_goes_on_with_all_that_was_answered)
{
	static const unsigned commits_before[] = { 3, KIT_WARM + KIT_MORE };

	/* hundreds of logs, each synced some times: where that costs nothing */
	if (access("/dev/shm", W_OK) == 0) {
		kit_remove_folder();
		kit_use_folder("/dev/shm");
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
	kit_remove_folder();
}

/* One that an earlier crash left so, and that has answered lines since. */
TEST(a_hole_in_a_log_that_was_closed_in_order_is_refused_untouched_with_the_remedy)
{
	struct left w;
	struct buf now;

	leave(&w, 3);
	memset(w.log.p + w.answered + 100, 0, PAGE);
	kit_put_content(kit_path, buf_view(&w.log));
	for (int i = 0; i < 2; i++) {
		(void)unlink(kit_journal);
		CHECK(kit_open(-EBADMSG) == NULL);
		CHECK(strstr(kit_err.text, "zeros stand between its last lines, which no crash left: run `saw audit verify`, then move it away") != NULL);
		CHECK(access(kit_journal, F_OK) < 0);
	}
	now = kit_content(kit_path);
	CHECK(bytes_eq(buf_view(&now), buf_view(&w.log)));
	CHECK(access(kit_torn, F_OK) < 0);
	buf_deinit(&now);
	left_deinit(&w);
}

TEST(more_that_does_not_chain_than_a_crash_leaves_is_refused_untouched)
{
	struct left w;
	struct stat st;

	leave(&w, KIT_WARM + KIT_MORE);
	kit_put_content(kit_path, bytes_of(w.log.p, w.answered));
	CHECK(truncate(kit_path, (off_t)(w.answered + MORE_THAN_WAITS)) == 0);
	CHECK(kit_open(-EBADMSG) == NULL);
	CHECK(strstr(kit_err.text, "more of its end does not chain than a crash leaves: run `saw audit verify`, then move it away") != NULL);
	CHECK(stat(kit_path, &st) == 0 && (size_t)st.st_size == w.answered + MORE_THAN_WAITS);
	CHECK(access(kit_torn, F_OK) < 0);
	left_deinit(&w);
}

TEST(a_fifo_or_foreign_file_for_what_is_put_aside_is_refused_at_once)
{
	struct left w;

	leave(&w, 3);
	CHECK(truncate(kit_path, (off_t)(w.answered + 10)) == 0);
	CHECK(mkfifo(kit_torn, 0600) == 0);
	(void)alarm(30);
	CHECK(kit_open(-EBADMSG) == NULL);
	(void)alarm(0);
	CHECK(strstr(kit_err.text, "audit.jsonl.torn is not a regular file: move it away") != NULL);
	CHECK(unlink(kit_torn) == 0);
	kit_put_content(kit_torn, bytes_str(""));
	CHECK(chmod(kit_torn, 0666) == 0 && kit_open(-EPERM) == NULL);
	CHECK(strstr(kit_err.text, "audit.jsonl.torn may be written by others") != NULL);
	CHECK(unlink(kit_torn) == 0);
	CHECK_INT(kit_reopened(), 3);
	left_deinit(&w);
}

TEST(a_group_whose_sync_failed_does_not_come_back)
{
	kit_fresh();
	if (!kit_crash_behind(KIT_WARM + KIT_MORE, KIT_FAILS_TO_SYNC))
		return;
	CHECK_INT(kit_verified(), KIT_WARM + KIT_MORE);
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE);
}

TEST(a_torn_record_is_none_and_those_before_it_count)
{
	struct audit_journal_held h;
	struct buf kept;
	uint64_t base;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	kept = kit_content(kit_journal);
	h = kit_held();
	base = h.base;
	audit_journal_held_deinit(&h);
	/* Each byte of the last record's head, and some of its line. */
	for (size_t at = 0; at < 400; at += at < 140 ? 1 : 37) {
		size_t where = (size_t)(KIT_MORE - 1) * AUDIT_JOURNAL_BLOCK + at;

		kept.p[where] ^= 0x20;
		kit_put_content(kit_journal, buf_view(&kept));
		CHECK(truncate(kit_path, (off_t)base) == 0);
		audit_log_free(kit_open(0));
		CHECK_INT(kit_verified(), KIT_WARM + KIT_MORE - 1);
		kept.p[where] ^= 0x20;
	}
	buf_deinit(&kept);
}

TEST(a_log_that_was_moved_away_leaves_a_journal_that_is_nobodys_and_its_lines_are_put_aside)
{
	struct audit_journal_held h;
	struct buf aside;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	h = kit_held();
	CHECK(unlink(kit_path) == 0);
	(void)kit_crash_behind(1, KIT_ENDS);
	CHECK_INT(kit_reopened(), 1);
	aside = kit_content(kit_torn);
	CHECK_INT(aside.len, h.lines.len + 1);
	CHECK(aside.len > h.lines.len && memcmp(aside.p, h.lines.p, h.lines.len) == 0);
	audit_journal_held_deinit(&h);
	buf_deinit(&aside);
	/* also where the new one is moved away before its journal was due */
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	CHECK(unlink(kit_path) == 0);
	(void)kit_crash_behind(KIT_MORE, KIT_ENDS);
	CHECK_INT(kit_verified(), KIT_MORE);
	CHECK(unlink(kit_path) == 0);
	CHECK_INT(kit_reopened(), 0);
}

TEST(a_log_that_was_cut_while_it_was_written_keeps_its_journal_and_is_completed)
{
	struct audit_log *l;
	struct stat st;

	kit_fresh();
	l = kit_open(0);
	CHECK_INT(kit_commits(l, KIT_WARM + KIT_MORE), 0);
	CHECK(stat(kit_path, &st) == 0 && truncate(kit_path, st.st_size - 700) == 0);
	CHECK_INT(kit_commits(l, 1), -ESTALE);
	audit_log_free(l);
	CHECK(access(kit_journal, F_OK) == 0);
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE);
	CHECK(access(kit_journal, F_OK) < 0);
}

/* Whoever could make a file beside a log to come. */
TEST(a_journal_that_would_begin_a_log_is_nobodys)
{
	struct audit_log_head last;
	struct audit_journal j;
	struct buf log;
	int folder FD_AUTO = -1;

	kit_fresh();
	(void)kit_crash_behind(1, KIT_ENDS);
	log = kit_content(kit_path);
	audit_chain_hash(bytes_of(log.p, log.len - 1), last.sha256);
	folder = open(kit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(audit_journal_open(&j, folder, "audit.jsonl", &kit_err), 0);
	CHECK_INT(audit_journal_fill(&j), 0);
	audit_journal_start(&j, 0);
	CHECK_INT(audit_journal_put(&j, buf_view(&log), &last), 0);
	audit_journal_close(&j);
	CHECK(unlink(kit_path) == 0);
	CHECK_INT(kit_reopened(), 0);
	buf_deinit(&log);
}

TEST(a_journal_that_does_not_continue_its_log_is_refused_with_the_remedy)
{
	struct buf kept;
	struct buf log;
	struct buf now;

	kit_fresh();
	(void)kit_crash_behind(KIT_WARM + KIT_MORE, KIT_ENDS);
	kept = kit_content(kit_journal);
	(void)unlink(kit_path);
	(void)unlink(kit_journal);
	(void)kit_crash_behind(KIT_WARM + KIT_MORE + 5, KIT_ENDS);
	kit_put_content(kit_journal, buf_view(&kept));
	log = kit_content(kit_path);
	CHECK(kit_open(-EBADMSG) == NULL);
	CHECK(strstr(kit_err.text, "audit.jsonl.journal does not continue audit.jsonl: put back both of one moment, or move the journal away") != NULL);
	now = kit_content(kit_path);
	CHECK(bytes_eq(buf_view(&now), buf_view(&log)));
	/* shorter than what was on disk when the journal started */
	CHECK(truncate(kit_path, 700) == 0);
	CHECK(kit_open(-EBADMSG) == NULL);
	CHECK(unlink(kit_journal) == 0 && truncate(kit_path, (off_t)log.len) == 0);
	kit_put_content(kit_path, buf_view(&log));
	CHECK_INT(kit_reopened(), KIT_WARM + KIT_MORE + 5);
	buf_deinit(&kept);
	buf_deinit(&log);
	buf_deinit(&now);
}

TEST(the_folder_of_this_test_is_removed)
{
	kit_remove_folder();
}
