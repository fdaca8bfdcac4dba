/* An append-only log of audit events: OCSF JSON Lines (wire/ocsf.h), each line chained to the one before by its hash, written and
 * synchronised in groups. One writer a file, held by flock.
 *
 * The lines are never changed or removed once committed, and audit_log_last() gives place and hash of the newest: what a
 * Merkle tree over the lines (RFC 6962) and its checkpoints start from. */
#ifndef SAW_STORE_AUDIT_LOG_H
#define SAW_STORE_AUDIT_LOG_H

#include "base/err.h"
#include "store/audit_chain.h"

struct audit_log;

/* Makes the file (0600, its folder must exist) and its journal FILE.journal (store/audit_file.h), or continues them. What a crash left torn behind the lines
 * that were answered for is moved to the end of FILE.torn, and the log continues before it. Texts of `src` are copied.
 * -EWOULDBLOCK: another process writes it. -EBADMSG: its end is none that we or a crash left, nothing was moved. Else as open(2).
 * Open it before the jail. Behind one it needs JAIL_SYS_APPEND and JAIL_SYS_FILES, and may look for its two files in the folder and remove
 * the journal there. */
int audit_log_open(struct audit_log **ret, const char *path, const struct ocsf_source *src, struct err *e);
/* Drops what was not written. */
struct audit_log *audit_log_free(struct audit_log *l);

/* Bytes that open() moved to FILE.torn: worth an event of their own. */
uint64_t audit_log_torn(const struct audit_log *l);

/* Label and lab marker of the policy in force, for the events that follow. */
int audit_log_policy(struct audit_log *l, struct bytes label, bool lab, struct err *e);

/* Renders `ev` behind those not yet committed; at_ms 0 becomes now. False when AUDIT_LOG_PENDING_MAX are waiting already or memory is
 * short: commit, then try again; the log is unchanged. */
enum { AUDIT_LOG_PENDING_MAX = 4 * 1024 * 1024 };
bool audit_log_add(struct audit_log *l, const struct event *ev, const char *code, const char *sentence);
/* Events added since the last commit, written or not. */
size_t audit_log_pending(const struct audit_log *l);

/* Writes and syncs all that was added at once; blocks for as long as the disk takes. 0: every one of them is on disk, in the log or its
 * journal.
 * Else a negative errno and a sentence: none of them counts, the file is as it was before them (or is cut back to that at the next
 * commit, before anything else), and the next add continues the chain there. The log file replaced, removed or emptied by
 * somebody else is such a failure too (-ESTALE). */
int audit_log_commit(struct audit_log *l, struct err *e);

/* One write for all that was added, for events that nobody waits for: from now on a crash of this process leaves them in the file; on disk
 * they are with the next commit, which must follow. Fails as a commit does, for those that were not written before. */
int audit_log_write(struct audit_log *l, struct err *e);

/* The newest committed line. */
void audit_log_last(const struct audit_log *l, struct audit_log_head *ret);

#endif
