#include "store/workspaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"

static char folder[64];
static char path[96];

static struct db *fresh(void)
{
	struct db *d = NULL;
	struct err e = { 0 };

	(void)snprintf(folder, sizeof(folder), "/tmp/saw-store-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/sawd.db", folder);
	CHECK(db_open(&d, path, &e) == 0);
	CHECK_STR(e.text, "");
	return d;
}

static void gone(struct db *d)
{
	char wal[128];

	db_close(d);
	(void)snprintf(wal, sizeof(wal), "%s-wal", path);
	(void)unlink(wal);
	(void)unlink(path);
	(void)rmdir(folder);
}

static struct workspace made(unsigned i)
{
	struct workspace w = { .owner = "me", .state = "stopped", .desired = "stopped", .driver = 1, .memory_bytes = 1ULL << 40 };

	(void)snprintf(w.id, sizeof(w.id), "ws-%012x", i);
	(void)snprintf(w.name, sizeof(w.name), "w%05u", i);
	return w;
}

TEST(a_record_survives_closing_and_keeps_every_field)
{
	struct db *d = fresh();
	struct workspace w = made(1);
	struct workspace back;
	struct err e = { 0 };
	struct stat st;

	(void)snprintf(w.detail, sizeof(w.detail), "%01000d", 7);
	w.generation = 9;
	w.uid_base = 0x70000008;
	CHECK(workspaces_insert(d, &w, &e) == 0);
	w.pending = WORKSPACE_REBUILD;
	(void)snprintf(w.state, sizeof(w.state), "running");
	CHECK(workspaces_update(d, &w, &e) == 0);
	db_close(d);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 077) == 0);
	CHECK(db_open(&d, path, &e) == 0);
	CHECK(workspaces_by_name(d, "me", bytes_str("w00001"), &back, &e) == 1 && memcmp(&w, &back, sizeof(w)) == 0);
	CHECK(workspaces_by_id(d, bytes_str(w.id), &back, &e) == 1 && workspaces_by_id(d, bytes_str("ws-x"), &back, &e) == 0);
	CHECK(workspaces_by_name(d, "you", bytes_str("w00001"), &back, &e) == 0);
	gone(d);
}

TEST(a_record_that_no_reader_would_take_is_said_to_be_damaged)
{
	static const char *const harms[] = {
		"UPDATE workspaces SET driver = 7",	"UPDATE workspaces SET driver = 0",	"UPDATE workspaces SET driver = 1e300",
		"UPDATE workspaces SET id = NULL",	"UPDATE workspaces SET id = '../../keys'", "UPDATE workspaces SET name = 'a/b'",
		"UPDATE workspaces SET name = ''",	"UPDATE workspaces SET accel = 3",	"UPDATE workspaces SET cpus = 1025",
		"UPDATE workspaces SET since_ms = 9223372036854775807", "UPDATE workspaces SET pending = 8", "UPDATE workspaces SET uid_base = 4294967296",
		"UPDATE workspaces SET generation = 9223372036854775807", "UPDATE workspaces SET detail = printf('%2000d', 7)",
	};

	for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++) {
		struct db *d = fresh();
		struct workspace w = made(1);
		struct db_stmt *s;
		struct err e = { 0 };

		w.pending = WORKSPACE_PROVISION;
		CHECK(workspaces_insert(d, &w, &e) == 0);
		CHECK(db_prepare(d, harms[i], &s, &e) == 0 && db_run(s, &e) == 0);
		CHECK_INT(workspaces_unsettled(d, NULL, NULL, &e), -EBADMSG);
		CHECK(strstr(e.text, "restore sawd.db") != NULL);
		gone(d);
	}
}

TEST(a_name_is_unique_for_its_owner)
{
	struct db *d = fresh();
	struct workspace w = made(1);
	struct err e = { 0 };

	CHECK(workspaces_insert(d, &w, &e) == 0);
	w.id[4] = 'f';
	CHECK(workspaces_insert(d, &w, &e) == -EEXIST);
	w.owner[0] = 'y';
	CHECK(workspaces_insert(d, &w, &e) == 0);
	gone(d);
}

TEST(what_is_rolled_back_never_was)
{
	struct db *d = fresh();
	struct workspace w = made(1);
	struct err e = { 0 };

	CHECK(db_begin(d, &e) == 0 && workspaces_insert(d, &w, &e) == 0);
	db_rollback(d);
	CHECK(workspaces_by_id(d, bytes_str(w.id), &w, &e) == 0);
	CHECK(db_begin(d, &e) == 0 && workspaces_insert(d, &w, &e) == 0 && db_commit(d, &e) == 0);
	CHECK(workspaces_by_id(d, bytes_str(w.id), &w, &e) == 1);
	CHECK(workspaces_delete(d, w.id, &e) == 0 && workspaces_by_id(d, bytes_str(w.id), &w, &e) == 0);
	gone(d);
}

struct seen {
	unsigned n;
	char last[41];
};

static bool see(void *ctx, const struct workspace *w)
{
	struct seen *s = ctx;

	s->n++;
	memcpy(s->last, w->name, sizeof(s->last));
	return true;
}

TEST(ten_thousand_records_come_in_pages_in_order_and_each_once)
{
	struct db *d = fresh();
	struct err e = { 0 };
	struct seen s = { 0 };
	unsigned pages = 0;

	CHECK(db_begin(d, &e) == 0);
	for (unsigned i = 0; i < 10000; i++) {
		struct workspace w = made(i);

		CHECK(workspaces_insert(d, &w, &e) == 0);
	}
	CHECK(db_commit(d, &e) == 0);
	for (unsigned before = 1; s.n != before; pages++) {
		before = s.n;
		CHECK(workspaces_page(d, "me", bytes_str(s.last), "", 100, see, &s, &e) == 0);
	}
	CHECK_INT(s.n, 10000);
	CHECK_INT(pages, 101);
	CHECK_STR(s.last, "w09999");
	s = (struct seen){ 0 };
	CHECK(workspaces_page(d, "me", bytes_str(""), "running", 100, see, &s, &e) == 0 && s.n == 0);
	CHECK(workspaces_unsettled(d, see, &s, &e) == 0 && s.n == 0);
	gone(d);
}

TEST(the_unsettled_are_those_with_work_left)
{
	struct db *d = fresh();
	struct err e = { 0 };
	struct seen s = { 0 };

	for (unsigned i = 0; i < 4; i++) {
		struct workspace w = made(i);

		if (i == 1)
			memcpy(w.state, "running", 8);
		if (i == 2)
			memcpy(w.desired, "deleted", 8);
		w.pending = i == 3 ? WORKSPACE_REBUILD : 0;
		CHECK(workspaces_insert(d, &w, &e) == 0);
	}
	CHECK(workspaces_unsettled(d, see, &s, &e) == 0 && s.n == 3);
	gone(d);
}

TEST(uid_blocks_are_unique_and_gaps_are_used_again)
{
	struct db *d = fresh();
	struct err e = { 0 };
	uint64_t uid = 0;

	for (unsigned i = 0; i < 3; i++) {
		struct workspace w = made(i);

		CHECK(workspaces_free_uid(d, 1000, 8, &uid, &e) == 0 && uid == 1000 + 8 * i);
		w.uid_base = uid;
		CHECK(workspaces_insert(d, &w, &e) == 0);
	}
	CHECK(workspaces_delete(d, made(1).id, &e) == 0);
	CHECK(workspaces_free_uid(d, 1000, 8, &uid, &e) == 0 && uid == 1008);
	gone(d);
}

TEST(a_record_of_a_schema_before_is_taken_over)
{
	static const char *const back_to_3[] = { "ALTER TABLE workspaces DROP COLUMN loaded_serial", "ALTER TABLE channel_releases DROP COLUMN withdrawn",
						 "PRAGMA user_version = 3" };
	struct db *d = fresh();
	struct workspace w = made(1);
	struct db_stmt *s;
	struct err e = { 0 };

	w.serial = 7;
	CHECK(workspaces_insert(d, &w, &e) == 0);
	for (size_t i = 0; i < sizeof(back_to_3) / sizeof(back_to_3[0]); i++)
		CHECK(db_prepare(d, back_to_3[i], &s, &e) == 0 && db_run(s, &e) == 0);
	db_close(d);
	CHECK(db_open(&d, path, &e) == 0);
	CHECK(workspaces_by_id(d, bytes_str(w.id), &w, &e) == 1 && w.serial == 7 && w.loaded_serial == 7);
	gone(d);
}

TEST(a_second_process_a_newer_schema_and_a_damaged_file_are_refused)
{
	struct db *d = fresh();
	struct db *second = NULL;
	struct db_stmt *s;
	struct err e = { 0 };
	int fd;

	CHECK(db_open(&second, path, &e) == -EBUSY && second == NULL);
	CHECK(db_prepare(d, "PRAGMA user_version = 99", &s, &e) == 0 && db_run(s, &e) == 0);
	db_close(d);
	CHECK(db_open(&d, path, &e) == -EPROTO);
	CHECK(strstr(e.text, "newer saw") != NULL);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "not a database at all", 21) == 21 && close(fd) == 0);
	CHECK(db_open(&d, path, &e) == -EBADMSG);
	CHECK(strstr(e.text, "backup") != NULL);
	gone(NULL);
}
