/* For tests: an audit log with its journal in a folder of its own, written by children that end as a crash would, and read back. */
#ifndef SAW_STORE_AUDIT_KIT_H
#define SAW_STORE_AUDIT_KIT_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/audit_journal.h"
#include "store/audit_log.h"

enum {
	KIT_WARM = 64, /* commits before the journal is in use */
	KIT_MORE = 20, /* commits by the journal */
	KIT_CANNOT_FILTER = 2, /* exit status of a child for which kit_sync_fails() is false */
};

extern char kit_dir[64];
extern char kit_path[128]; /* of the log, and of what stands beside it */
extern char kit_journal[160];
extern char kit_torn[160];
extern struct err kit_err; /* of the last call that failed */

/* A new folder below this one. */
void kit_use_folder(const char *below);
/* No file is there, and no error. */
void kit_fresh(void);
void kit_remove_folder(void);

/* The bytes of a file, none where it is not there. Free with buf_deinit(). */
struct buf kit_content(const char *name);
void kit_put_content(const char *name, struct bytes data);

/* The log, opened with the result `want`; NULL unless that is 0. */
struct audit_log *kit_open(int want);
bool kit_add(struct audit_log *l, const char *detail);
/* `n` groups of one line. 0, or how the first failed. */
int kit_commits(struct audit_log *l, unsigned n);

enum kit_end { KIT_ENDS, KIT_LEAVES_LAZY_LINES, KIT_LEAVES_LAZY_PAGES, KIT_FAILS_TO_SYNC };
/* A writer that is killed behind `n` commits. False as kit_child_passed(). */
bool kit_crash_behind(unsigned n, enum kit_end how);
/* How a child of ours ended. False: it cannot be shown here, which is said. */
bool kit_child_passed(pid_t pid);

/* What the journal has. */
struct audit_journal_held kit_held(void);
/* Lines of the log, each of which continues the one before. */
uint64_t kit_verified(void);
/* The same once it was opened again; then one more line is committed. UINT64_MAX: it cannot be opened. */
uint64_t kit_reopened(void);

#endif
