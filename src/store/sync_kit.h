/* For tests: a disk that does not sync. */
#ifndef SAW_STORE_SYNC_KIT_H
#define SAW_STORE_SYNC_KIT_H

#include <stdbool.h>

/* From now on no fdatasync of `fd` (-1: none at all) succeeds in this process: -EIO. False: this host does not let a process filter its
 * system calls. */
bool kit_sync_fails(int fd);

#endif
