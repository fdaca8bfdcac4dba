/* A cgroup v2 leaf with limits for this process and its children. */
#ifndef SAW_OS_CGROUP_H
#define SAW_OS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "os/paths.h"

struct cgroup {
	char path[PATHS_MAX]; /* "" when there is none */
};

/* Makes the leaf `name` below our own cgroup, limits it, moves this process in. A leaf of that name that is left over is taken.
 * Negative errno with a sentence when the host gives us none of it (no v2, no controllers, not delegated): nothing is changed then. */
int cgroup_enter(struct cgroup *ret, const char *name, uint64_t memory_max, uint64_t pids_max, struct err *e);
/* Moves this process back to where it was and removes the leaf. Best effort; safe on an empty one. */
void cgroup_leave(struct cgroup *c);

/* True: leave this one alone; who shall live in it has not moved in yet. */
typedef bool (*cgroup_keep_fn)(void *ctx, const char *name);
/* Removes leaves below our own cgroup whose name starts with `prefix` and which hold no process any more: those of supervisors
 * that were killed. Gives how many. `keep` may be NULL. */
unsigned cgroup_sweep(const char *prefix, cgroup_keep_fn keep, void *ctx);

#endif
