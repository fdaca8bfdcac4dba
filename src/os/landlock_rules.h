/* What the two Landlock units of the jail share. */
#ifndef SAW_OS_LANDLOCK_RULES_H
#define SAW_OS_LANDLOCK_RULES_H

#include <stdint.h>

#include "base/err.h"

/* All file rights that a kernel of this ABI knows. */
uint64_t landlock_fs_known(int abi);
/* A ruleset that handles everything the kernel knows, with no rule yet; `net` as for jail_files(). Gives the descriptor. */
int landlock_ruleset(unsigned net, int *ret_abi, struct err *e);
/* For good, for this thread and its children. Borrows. */
int landlock_enter(int ruleset, struct err *e);

#endif
