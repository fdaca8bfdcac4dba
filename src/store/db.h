/* The control plane's database: SQLite, write-ahead log, every commit synced to disk. One process, one connection.
 *
 * This header is for the tables of this room (store/workspaces.h, ...); programs use those. */
#ifndef SAW_STORE_DB_H
#define SAW_STORE_DB_H

#include "base/bytes.h"
#include "base/err.h"

enum { DB_STATEMENTS_MAX = 48 };

struct db;

/* Opens or makes the file (0600) and brings its schema up to date. Refuses, with a sentence that says what to do: a damaged file
 * (-EBADMSG), a schema of a newer version (-EPROTO), a file that another process has open (-EBUSY). */
int db_open(struct db **ret, const char *path, struct err *e);
struct db *db_close(struct db *d);

/* One transaction; no nesting. A failed commit has been rolled back. */
int db_begin(struct db *d, struct err *e);
int db_commit(struct db *d, struct err *e);
void db_rollback(struct db *d);

/* A prepared statement, kept for the life of the database: `sql` must be a constant. At most one use at a time. */
struct db_stmt;
int db_prepare(struct db *d, const char *sql, struct db_stmt **ret, struct err *e);
/* Arguments from 1, result columns from 0. Texts are copied when bound; read ones live until the next db_step or db_done. */
void db_bind_text(struct db_stmt *s, int i, struct bytes text);
void db_bind_u64(struct db_stmt *s, int i, uint64_t v);
struct bytes db_text(struct db_stmt *s, int column);
uint64_t db_u64(struct db_stmt *s, int column);
/* 1: a row; 0: finished; -EEXIST: a uniqueness rule; other negative errno with a sentence. */
int db_step(struct db_stmt *s, struct err *e);
/* Resets it for its next use; returns `r`. */
int db_done(struct db_stmt *s, int r);
/* A statement without rows, run once. 0, or as db_step. */
int db_run(struct db_stmt *s, struct err *e);

#endif
