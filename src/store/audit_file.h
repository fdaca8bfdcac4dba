/* The file of an audit log with its journal: opened, locked, and mended after a crash; lines are put behind its end and made durable. */
#ifndef SAW_STORE_AUDIT_FILE_H
#define SAW_STORE_AUDIT_FILE_H

#include <limits.h>

#include "store/audit_journal.h"

struct audit_file {
	int fd;
	int dir_fd;
	char name[NAME_MAX + 1];
	char *path;
	uint64_t size; /* on disk, or in the journal */
	uint64_t put; /* behind it: lies in the file, and waits for a sync */
	bool dirty; /* bytes behind both are nobody's */
	bool open; /* without an error */
	bool lost; /* the log's own sync failed: the kernel may have let go of what only the journal has */
	bool suspect; /* the disk may have a record of the journal that was refused */
	uint64_t torn; /* bytes that open put into FILE.torn */
	unsigned syncs; /* since the start, without the journal */
	struct audit_journal journal;
};

/* Makes the file and its journal, or continues them behind the last whole line, which *ret_head names, once what a crash left is in order
 * (store/audit_recover.h, also for `max`). Errors as audit_log_open() has them (store/audit_log.h). Close it also after an error. */
int audit_file_open(struct audit_file *ret, const char *path, uint64_t max, struct audit_log_head *ret_head, struct err *e);
/* Lets what was put reach the disk first, also what only the journal has there; then the journal goes, unless somebody cut the log. */
void audit_file_close(struct audit_file *f);

/* Writes behind what was put before. On an error nothing counts of it. -ESTALE: somebody else moved, cut or wrote the file. */
int audit_file_put(struct audit_file *f, struct bytes lines, struct err *e);

/* Makes durable all that was put: `lines` is all of it once more, and `last` its last line. On an error nothing counts of it. */
int audit_file_sync(struct audit_file *f, struct bytes lines, const struct audit_log_head *last, struct err *e);

/* Cuts off what does not count, if the disk lets us; the next put tries again. */
void audit_file_cut(struct audit_file *f);

#endif
