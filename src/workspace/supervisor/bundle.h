/* From a signed bundle to a policy that may come into force: signature, contents, expiry, serial; then a compiler of our own, since the
 * blob of no other process is believed. */
#ifndef SAW_SUPERVISOR_BUNDLE_H
#define SAW_SUPERVISOR_BUNDLE_H

#include "base/bytes.h"
#include "base/err.h"
#include "os/loop.h"
#include "rules/reason.h"

struct ws;
struct hold;

enum { BUNDLE_COMPILE_MS = 30000, BUNDLE_WHY_MAX = 400 };

/* What core says beside the bundle. */
struct bundle_order {
	uint64_t generation;
	uint64_t rollback; /* the serial that may be lower than the last one's; 0: none */
	struct bytes channel; /* copied */
};

/* Given a hold: good. NULL: refused, for this reason, and one more sentence or "". */
typedef void (*bundle_done_fn)(void *owner, struct hold *h, enum reason why, const char *detail);

/* Takes `fd`, sealed memory. Answers once, from the loop or from inside this call. One at a time. */
void bundle_load(struct ws *w, struct loop *l, int fd, const struct bundle_order *o, bundle_done_fn done, void *owner);
/* Gives up one that is under way: no answer comes. */
void bundle_cancel(void);

/* At start: the file `bundle` of the workspace's folder, else the one that was loaded last, each refusal with its event. Negative errno
 * with a sentence: there is no policy to begin with. */
int bundle_start(struct ws *w, struct hold **ret, struct err *e);

/* It comes into force: from now on it is the last good one, and serials below its own are refused. On disk when this returns 0. */
int bundle_keep(struct ws *w, struct hold *h, struct err *e);

#endif
