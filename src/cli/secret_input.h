/* A secret value from a file, a pipe, or a person who types it unseen. Never from an argument: those are shown to every user. */
#ifndef SAW_CLI_SECRET_INPUT_H
#define SAW_CLI_SECRET_INPUT_H

#include "base/buf.h"

/* Appends the value to `ret` (buf_init_wiping). `file` NULL: from standard input; on a terminal it is asked for twice, without echo. One
 * line end behind it is left out, and that is said. 0, or an exit code after saying on fd 2 what is wrong; the value is never part of it. */
int secret_input_read(const char *id, const char *file, struct buf *ret);

#endif
