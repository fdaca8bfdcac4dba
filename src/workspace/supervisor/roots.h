/* The root certificates that the host trusts: read here once, because those who verify hosts with them may open no file. */
#ifndef SAW_SUPERVISOR_ROOTS_H
#define SAW_SUPERVISOR_ROOTS_H

#include "base/err.h"

/* A sealed memory file with the host's bundle, PEM; a host without one gives a single empty line, and then only rules with a `ca` of
 * their own reach anybody. Gives the fd. */
int roots_open(struct err *e);

#endif
