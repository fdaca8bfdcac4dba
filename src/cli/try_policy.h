/* The policy of `saw try`, compiled here and now. */
#ifndef SAW_CLI_TRY_POLICY_H
#define SAW_CLI_TRY_POLICY_H

#include "base/buf.h"

/* Initialises *ret. CLI_DONE, or CLI_NOT_FOUND or CLI_FAILED after saying why: problems on fd 2 as FILE:LINE:COLUMN; a file that is a compiled
 * blob already is taken as it is. */
int try_policy(const char *path, struct buf *ret);

#endif
