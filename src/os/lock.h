/* One process at a time: a file that is locked while its holder lives, whatever ends it. */
#ifndef SAW_OS_LOCK_H
#define SAW_OS_LOCK_H

#include "base/err.h"

/* Gives the descriptor that holds the lock on `path` (made 0600, with our process id in it), or -EBUSY when somebody else holds
 * it (its process id stands in `e`), or another negative errno. The file stays behind; the lock does not. */
int lock_take(const char *path, struct err *e);

#endif
