/* User namespaces: making one, and saying who we are inside. */
#ifndef SAW_OS_USERNS_H
#define SAW_OS_USERNS_H

#include <sys/types.h>

#include "base/err.h"

/* unshare(CLONE_NEWUSER | flags). A host that forbids it is explained in `e` with the settings to change. */
int userns_unshare(int flags, struct err *e);

/* One-line maps for process `pid` (0: ourselves): `inside` in there is `outside` out here, for uid and gid alike. Turns setgroups off
 * first. A process may do it for itself when `outside` is its own uid; for another uid the caller needs capabilities outside. */
int userns_map(pid_t pid, uid_t inside, uid_t outside, gid_t gid_inside, gid_t gid_outside, struct err *e);

#endif
