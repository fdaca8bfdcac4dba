/* git's smart protocol over https, as policy sees it: four requests, and pushes as changes of refs. */
// gitprotocol-http(5): GET <repo>/info/refs?service=git-upload-pack or git-receive-pack announces, POST <repo>/git-upload-pack fetches,
// POST <repo>/git-receive-pack pushes. The dumb protocol, archives and LFS are none of these.
#ifndef SAW_RULES_POLICY_GIT_H
#define SAW_RULES_POLICY_GIT_H

#include "base/buf.h"
#include "rules/policy.h"

/* What a rule of protocol git grants, in the place of methods. The commands of a push do not say whether an update is forced, so that UPDATE and
 * FORCE stand in a rule together or not at all. */
enum {
	POLICY_GIT_FETCH = 1 << 0,
	POLICY_GIT_CREATE = 1 << 1,
	POLICY_GIT_UPDATE = 1 << 2,
	POLICY_GIT_FORCE = 1 << 3,
	POLICY_GIT_DELETE = 1 << 4,
	POLICY_GIT_PUSH = POLICY_GIT_CREATE | POLICY_GIT_UPDATE | POLICY_GIT_FORCE | POLICY_GIT_DELETE,
};
enum { POLICY_REF_MAX = 255 };

enum policy_git_kind {
	POLICY_GIT_NONE,
	POLICY_GIT_FETCH_ANNOUNCED,
	POLICY_GIT_FETCHED,
	POLICY_GIT_PUSH_ANNOUNCED,
	POLICY_GIT_PUSHED,
};

/* Which of them a request is; *ret_repository is its path without the service and without a last ".git". */
enum policy_git_kind policy_git_kind_of(const struct policy_request *r, struct bytes *ret_repository);
/* "/o/r.git", "/o/r/.git" and "/o/r" are one repository: the name without the ending. */
struct bytes policy_git_repository(struct bytes path);

/* True when a rule may say this: "refs/" and a name as git-check-ref-format(1) has it, `*` within a segment, `**` for whole ones. Else false with
 * "what is wrong; remedy". */
bool policy_ref_ok(struct bytes pattern, char ret_fault[160]);

/* What a set of a rule's methods says, by protocol: "GET,HEAD", "fetch", "push create,delete". */
void policy_acts_text(enum policy_protocol protocol, uint32_t set, struct buf *out);

#endif
