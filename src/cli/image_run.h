/* Running the programs that build an image: their words as progress, their last words as the error, Ctrl-C for all of them. */
#ifndef SAW_CLI_IMAGE_RUN_H
#define SAW_CLI_IMAGE_RUN_H

#include "base/buf.h"
#include "base/err.h"

/* A line that the program wrote to fd 2, without its end. */
typedef void (*image_run_line_fn)(const char *line);

/* From now on SIGINT, SIGTERM and SIGHUP end the running program and make image_run() answer -EINTR. Once, first. */
int image_run_begin(struct err *e);

/* True when the program is found in PATH or a system folder. */
bool image_run_has(const char *program);
/* Runs argv[0] (found in PATH); its output goes into `out`, or nowhere when NULL. `then`: a second program whose input is the output of
 * the first. 0, -ENOENT when a program is missing, -EINTR, or another negative errno with the program's last lines. */
int image_run(const char *const argv[], const char *const then[], struct buf *out, image_run_line_fn on_line, struct err *e);

#endif
