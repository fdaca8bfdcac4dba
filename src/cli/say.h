/* What people read: errors on fd 2, colour only where a person looks, progress only on a terminal. */
#ifndef SAW_CLI_SAY_H
#define SAW_CLI_SAY_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "cli/verb.h"

/* "saw: sentence" on fd 2; returns `code`. A new line ends a running progress line first. */
int say_fail(enum cli_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum say_colour { SAY_PLAIN, SAY_RED, SAY_GREEN, SAY_YELLOW, SAY_DIM, SAY_BOLD };
/* The escape that begins (or, for SAY_PLAIN, ends) a colour on `f`; "" unless `f` is a terminal and NO_COLOR is unset. */
const char *say_colour(FILE *f, enum say_colour c);

/* Text of a guest or a server as a terminal may show it: control characters and bad UTF-8 become U+FFFD. */
bool say_clean(struct buf *out, struct bytes text);

/* One line on fd 2 that is written over, cut to the terminal's width; nothing when fd 2 is no terminal. */
void say_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_progress_end(void);

/* Asks on the terminal; false for anything but "y" or "yes", and when fd 0 is no terminal. */
bool say_confirm(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes all of `b` to standard output. 0, or CLI_FAILED after saying why (a closed pipe says nothing). */
int say_out(const struct buf *b);

#endif
