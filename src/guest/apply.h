/* The seed, written into the machine's tree: host name, keys for sshd, the workspace's CA, a home. Run at every start. */
#ifndef SAW_GUEST_APPLY_H
#define SAW_GUEST_APPLY_H

#include "wire/seed.h"

/* Writes below `root`, only what differs. What fails is said on the console: the machine starts nevertheless. */
void apply_seed(const char *root, const struct seed *s);

#endif
