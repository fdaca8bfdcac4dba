/* What a crash left of an audit log, put in order: FILE and its journal become one whole chain of lines again.
 *
 * Behind what is on disk stand the bytes of groups that nobody was answered for. A crash of the machine takes any of their pages, also one
 * in the middle with a later one there (zeros then: the file has its length, not that block); behind the first fault nothing counts,
 * whatever it is. All that does not count goes to FILE.torn, and so do the lines of a journal whose log is not there. */
#ifndef SAW_STORE_AUDIT_RECOVER_H
#define SAW_STORE_AUDIT_RECOVER_H

#include "store/audit_file.h"

/* Of a file that was opened and locked, with its journal: writes into the log what only the journal has, moves what does not count to
 * FILE.torn, and sets f->size and *ret_head to the last whole line. `max`: bytes that may wait for a sync behind what is on disk.
 * -EBADMSG: the end of the log is none that a crash leaves (also zeros with whole lines behind them in a log that was closed in order, as it
 * has no journal: lines there were answered); none of it was moved. Else -errno. */
int audit_recover(struct audit_file *f, uint64_t max, struct audit_log_head *ret_head, struct err *e);

/* Writes `lines` at `at`, also what stands there: the kernel may show what it failed to write, and would not try again. */
int audit_recover_write(struct audit_file *f, struct bytes lines, uint64_t at, struct err *e);

#endif
