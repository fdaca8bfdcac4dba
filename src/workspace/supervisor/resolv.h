/* The host's resolv.conf, followed as it changes: dialer cannot read it. */
#ifndef SAW_SUPERVISOR_RESOLV_H
#define SAW_SUPERVISOR_RESOLV_H

#include "base/bytes.h"
#include "base/err.h"
#include "os/loop.h"

enum { RESOLV_MAX = 16 * 1024, RESOLV_POLL_MS = 5000 };

struct resolv;

/* A file that is missing now counts as empty, and is noticed when it comes. `changed` is called from the loop. */
int resolv_new(struct resolv **ret, struct loop *l, const char *path, void (*changed)(void *owner), void *owner, struct err *e);
struct resolv *resolv_free(struct resolv *r);
/* Borrowed until the next change. */
struct bytes resolv_text(const struct resolv *r);

#endif
