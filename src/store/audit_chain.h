/* The chain that the lines of an audit log make: each names the hash of the one before (wire/ocsf.h). */
#ifndef SAW_STORE_AUDIT_CHAIN_H
#define SAW_STORE_AUDIT_CHAIN_H

#include "base/err.h"
#include "wire/ocsf.h"

/* Place of a line (sequence 0: none) and its hash in hex, zeros for none. */
struct audit_log_head {
	uint64_t sequence;
	char sha256[OCSF_HEX_MAX];
};

void audit_chain_none(struct audit_log_head *ret);
/* Of a line without its line end. */
void audit_chain_hash(struct bytes line, char ret[OCSF_HEX_MAX]);

/* Reads a whole log, which may be open for writing elsewhere. 0: every line chains to the one before, from sequence 1.
 * -EBADMSG: one does not; `e` names line and fault. *ret_head (also then) is the last good line. A torn last line is
 * tolerated and counted in *ret_torn: a writer may be in the middle of it. */
int audit_log_verify(int fd, struct audit_log_head *ret_head, uint64_t *ret_torn, struct err *e);

/* Follows a log from *at, where the line of *head ends, as far as its lines chain; there both stand then. 0, -ENOMEM or -errno. */
int audit_chain_follow(int fd, uint64_t *at, struct audit_log_head *head, struct err *e);

#endif
