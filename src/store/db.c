/* SQLite is opened in exclusive locking mode: the write-ahead log then needs no shared memory file, and a second process gets
 * SQLITE_BUSY at once. Statements are prepared once and found by the address of their text. */
#include "store/db.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/num.h"
#include "store/migrations.h"

struct db_stmt {
	struct db *db;
	const char *sql;
	sqlite3_stmt *stmt;
};

struct db {
	sqlite3 *handle;
	struct db_stmt stmts[DB_STATEMENTS_MAX];
	size_t n_stmts;
};

static int fault(struct db *d, int code, struct err *e, const char *what)
{
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return err_set(e, EEXIST, "store: %s: %s", what, sqlite3_errmsg(d->handle));
	case SQLITE_FULL:
		return err_set(e, ENOSPC, "store: %s: the disk is full: free space on the state folder's file system", what);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, EBUSY, "store: %s: another process has the database open: perhaps a sawd that was started with another SAW_RUN or "
					"XDG_RUNTIME_DIR: `saw down` there ends it; where that folder is gone, as after a logout, end the process", what);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(e, EBADMSG, "store: %s: the database is damaged (%s): restore sawd.db from a backup", what,
			       sqlite3_errmsg(d->handle));
	default:
		return err_set(e, EIO, "store: %s: %s", what, sqlite3_errmsg(d->handle));
	}
}

static int exec(struct db *d, const char *sql, const char *what, struct err *e)
{
	int code = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fault(d, code, e, what);
}

/* A statement whose one result is a number or a word; for PRAGMAs. */
static int ask(struct db *d, const char *sql, char *ret, size_t size, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	if (code == SQLITE_ROW)
		(void)snprintf(ret, size, "%s", (const char *)sqlite3_column_text(s, 0));
	(void)sqlite3_finalize(s);
	return code == SQLITE_ROW ? 0 : fault(d, code, e, "read a setting");
}

static int migrate(struct db *d, struct err *e)
{
	char text[32];
	uint64_t version = 0;
	int r = ask(d, "PRAGMA user_version", text, sizeof(text), e);

	if (r < 0)
		return r;
	if (!num_u64(bytes_str(text), INT32_MAX, &version) || version > n_migrations)
		return err_set(e, EPROTO, "store: the database has schema %s, this saw knows up to %zu: install the newer saw again",
			       text, n_migrations);
	for (; version < n_migrations; version++) {
		char set[64];

		(void)snprintf(set, sizeof(set), "PRAGMA user_version = %llu", (unsigned long long)version + 1);
		r = db_begin(d, e);
		r = r < 0 ? r : exec(d, migrations[version], "bring the schema up to date", e);
		r = r < 0 ? r : exec(d, set, "bring the schema up to date", e);
		r = r < 0 ? r : db_commit(d, e);
		if (r < 0) {
			db_rollback(d);
			return r;
		}
	}
	return 0;
}

static int set_up(struct db *d, struct err *e)
{
	char word[256] = "";
	int r = exec(d, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;", "open", e);

	r = r < 0 ? r : ask(d, "PRAGMA journal_mode = WAL", word, sizeof(word), e);
	if (r == 0 && strcmp(word, "wal") != 0)
		return err_set(e, EIO, "store: no write-ahead log (journal mode is %s): use a local file system", word);
	r = r < 0 ? r : exec(d, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT;", "open", e);
	r = r < 0 ? r : ask(d, "PRAGMA quick_check(1)", word, sizeof(word), e);
	if (r == 0 && strcmp(word, "ok") != 0)
		return err_set(e, EBADMSG, "store: the database is damaged (%s): restore sawd.db from a backup", word);
	return r < 0 ? r : migrate(d, e);
}

int db_open(struct db **ret, const char *path, struct err *e)
{
	struct db *d = calloc(1, sizeof(*d));
	mode_t was;
	int code;
	int r;

	if (!d)
		return err_set(e, ENOMEM, "store: out of memory");
	was = umask(077);
	code = sqlite3_open_v2(path, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	r = code == SQLITE_OK ? set_up(d, e) : err_set(e, EIO, "store: open %s: %s", path, sqlite3_errstr(code));
	(void)umask(was);
	if (r < 0) {
		db_close(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct db *db_close(struct db *d)
{
	if (!d)
		return NULL;
	for (size_t i = 0; i < d->n_stmts; i++)
		(void)sqlite3_finalize(d->stmts[i].stmt);
	(void)sqlite3_close(d->handle);
	free(d);
	return NULL;
}

int db_begin(struct db *d, struct err *e)
{
	return exec(d, "BEGIN IMMEDIATE", "begin", e);
}

int db_commit(struct db *d, struct err *e)
{
	int r = exec(d, "COMMIT", "commit", e);

	if (r < 0)
		db_rollback(d);
	return r;
}

void db_rollback(struct db *d)
{
	if (!sqlite3_get_autocommit(d->handle))
		(void)sqlite3_exec(d->handle, "ROLLBACK", NULL, NULL, NULL);
}

int db_prepare(struct db *d, const char *sql, struct db_stmt **ret, struct err *e)
{
	struct db_stmt *s = d->stmts;
	int code;

	for (; s < d->stmts + d->n_stmts; s++)
		if (s->sql == sql) {
			*ret = s;
			return 0;
		}
	must(d->n_stmts < DB_STATEMENTS_MAX);
	code = sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
	if (code != SQLITE_OK)
		return fault(d, code, e, "prepare");
	s->db = d;
	s->sql = sql;
	d->n_stmts++;
	*ret = s;
	return 0;
}

void db_bind_text(struct db_stmt *s, int i, struct bytes text)
{
	must(text.len <= INT_MAX);
	must(sqlite3_bind_text(s->stmt, i, text.p ? (const char *)text.p : "", (int)text.len, SQLITE_TRANSIENT) == SQLITE_OK);
}

void db_bind_u64(struct db_stmt *s, int i, uint64_t v)
{
	must(v <= INT64_MAX && sqlite3_bind_int64(s->stmt, i, (sqlite3_int64)v) == SQLITE_OK);
}

struct bytes db_text(struct db_stmt *s, int column)
{
	const unsigned char *p = sqlite3_column_text(s->stmt, column);

	return bytes_of(p, p ? (size_t)sqlite3_column_bytes(s->stmt, column) : 0);
}

uint64_t db_u64(struct db_stmt *s, int column)
{
	sqlite3_int64 v = sqlite3_column_int64(s->stmt, column);

	return v < 0 ? 0 : (uint64_t)v;
}

int db_step(struct db_stmt *s, struct err *e)
{
	int code = sqlite3_step(s->stmt);

	return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : fault(s->db, code, e, "write or read a record");
}

int db_done(struct db_stmt *s, int r)
{
	(void)sqlite3_reset(s->stmt);
	(void)sqlite3_clear_bindings(s->stmt);
	return r;
}

int db_run(struct db_stmt *s, struct err *e)
{
	return db_done(s, db_step(s, e));
}
