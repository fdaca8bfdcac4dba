/* The newest lines of an audit log once more, in a file of fixed size that is written over and over. A group of lines is on disk with one
 * write into blocks that the disk has already; behind a log's end each group costs a new length and new blocks besides (figures:
 * bench/README.md). The log itself has the lines too, and is synced before its journal starts over: what a crash of the machine took
 * from the log stands here.
 *
 * The file is a row of records, each on a block of its own, so that none is ever written together with another: a head, then whole
 * lines. Its integers are big-endian. The row ends with the first record that has another base or place, or whose lines do not
 * chain (store/audit_chain.h) to those before and up to the hash that its head names: a torn record is none, nor is one of an earlier row. */
#ifndef SAW_STORE_AUDIT_JOURNAL_H
#define SAW_STORE_AUDIT_JOURNAL_H

#include <limits.h>
#include <sys/types.h>

#include "base/buf.h"
#include "store/audit_chain.h"

enum { AUDIT_JOURNAL_SIZE = 2 * 1024 * 1024, AUDIT_JOURNAL_BLOCK = 4096 };

struct audit_journal {
	int fd;
	int dir_fd; /* borrowed */
	char name[NAME_MAX + 1];
	dev_t dev;
	ino_t ino;
	bool found; /* it was there before: a log at rest has none */
	bool filled; /* has all its blocks */
	bool direct; /* O_DIRECT: past the page cache, a quarter less time and a third less CPU a group (bench/README.md) */
	uint8_t *blocks; /* the record that is written next, from a block's beginning in memory as in the file */
	size_t cap;
	uint64_t base;
	uint64_t index; /* of the next record, in blocks and in records */
	size_t at;
};

/* What was found in a journal. */
struct audit_journal_held {
	uint64_t base; /* size of the log when the journal started: up to there the log was on disk */
	struct audit_log_head before; /* which line the first one follows */
	struct audit_log_head last;
	struct buf lines; /* with their line ends; none: nothing else counts */
};

/* Opens or makes NAME.journal (0600) in the folder of the log NAME, and locks it: a log that was moved away while it is written still has the
 * journal of its old name. It takes its space with audit_journal_fill(). Borrows dir_fd. -EWOULDBLOCK: another process has it. */
int audit_journal_open(struct audit_journal *ret, int dir_fd, const char *name, struct err *e);
void audit_journal_close(struct audit_journal *j);
/* Of a log that is on disk: the file goes, if it is ours and the folder lets us; a log at rest is one file. */
void audit_journal_remove(struct audit_journal *j);

/* Gives the file all its blocks, once; blocks for some milliseconds. -errno: it stays empty, and is tried again with the next call. */
int audit_journal_fill(struct audit_journal *j);

/* Drops all that it holds, on disk. 0 or -errno. */
int audit_journal_forget(struct audit_journal *j);

/* From now on it holds what comes behind `base` bytes of the log, which are on disk. */
void audit_journal_start(struct audit_journal *j, uint64_t base);

/* Adds whole lines, the last of which hashes to `last`, and waits until they are on disk. -ENOSPC: no room (or not filled): sync the log,
 * then start. -ESTALE: so too, as somebody removed or moved the file, and nobody would find what it has. Else -errno of the disk: they are
 * not held; the next put stands in their place. */
int audit_journal_put(struct audit_journal *j, struct bytes lines, const struct audit_log_head *last);

/* Reads it back. 0 (also where it holds nothing), -ENOMEM, or -errno. Free with audit_journal_held_deinit(), also then. */
int audit_journal_load(const struct audit_journal *j, struct audit_journal_held *ret);
/* Of the file's bytes. */
int audit_journal_read(struct bytes file, struct audit_journal_held *ret);
void audit_journal_held_deinit(struct audit_journal_held *h);

#endif
