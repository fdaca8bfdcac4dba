/* What git is told about a push that was not taken, in the words of its own protocol (gitprotocol-pack(5), "Report Status"): `git push`
 * shows its user nothing of an answer that is an error of HTTP. */
#ifndef SAW_WIRE_GIT_REPORT_H
#define SAW_WIRE_GIT_REPORT_H

#include "base/buf.h"
#include "wire/git_push.h"

enum {
	GIT_REPORT_MAX = 64 * 1024, /* of the whole answer */
	GIT_REPORT_WHY_MAX = 500, /* bytes of the reason that are told; the rest is cut off */
};

/* Appends the body of an answer of type application/x-git-receive-pack-result that refuses each command with `why` (one line of printable
 * text), and where the client can show it says so as a remark of the host. False, nothing appended: there is no command, the client did
 * not ask for a report, or it would be longer than GIT_REPORT_MAX. */
bool git_report_refusal(struct buf *out, const struct git_push *push, const struct git_command *commands, struct bytes why);

#endif
