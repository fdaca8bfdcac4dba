/* The workspace's CA among those that the machine's programs trust. */
#ifndef SAW_GUEST_TRUST_H
#define SAW_GUEST_TRUST_H

#include "base/bytes.h"

/* `ca` is PEM, or empty: then nothing is done. Below `root`, only what is missing, each by itself: a start that ended between two writes
 * is made good by the next. What fails is said on the console. */
void trust_ca(const char *root, struct bytes ca);

#endif
