/* Disks of a workspace: made on this side, empty, and never mounted here again. */
#ifndef SAW_OS_DISK_H
#define SAW_OS_DISK_H

#include <stdint.h>

#include "base/err.h"

enum { DISK_LABEL_MAX = 16 };
#define DISK_BYTES_MIN (64ULL << 20)
#define DISK_BYTES_MAX (16ULL << 40)

/* A sparse file of `bytes` with an empty ext4 filesystem, labelled `label`, mode 0600. Appears under `path` only when it is
 * whole; an existing file is left as it is (0): re-running the step is harmless. Needs mke2fs of e2fsprogs. Takes some 20 ms. */
int disk_create(const char *path, uint64_t bytes, const char *label, struct err *e);

#endif
