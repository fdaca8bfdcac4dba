/* The machine's file tree: immutable base below, the workspace's system disk above it, its home disk at /home. */
#ifndef SAW_GUEST_LAYERS_H
#define SAW_GUEST_LAYERS_H

#include "base/buf.h"

#define LAYERS_ROOT "/root"
#define LAYERS_BASE "/base"

/* Waits for the disks (by virtio serial: base, overlay, home, seed), checks and mounts them. The tree then stands at LAYERS_ROOT.
 * Whatever makes a tree impossible is said on the console with its remedy, and the machine powers off. */
void layers_mount(void);

/* Appends the seed disk's bytes. False when there is no such disk. */
bool layers_read_seed(struct buf *out);

#endif
