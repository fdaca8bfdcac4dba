/* What every part of saw-guest needs from the guest's kernel: files by whole contents, and words on the console. */
#ifndef SAW_GUEST_HOST_H
#define SAW_GUEST_HOST_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"

/* One line on the console: "saw-guest: ...". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says why, lets the console drain, and powers the machine off: a guest that cannot become one does not linger. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Appends a file's contents, at most what `out` takes. False with errno. */
bool file_read(const char *path, struct buf *out);
/* Replaces a file by rename, with this mode and owner root. False with errno. */
bool file_write(const char *path, struct bytes data, mode_t mode);
/* As file_write, but leaves a file alone that has these contents already. *ret_changed tells. */
bool file_keep(const char *path, struct bytes data, mode_t mode, bool *ret_changed);

/* Writes to a file of the kernel's, in place. False with errno. */
bool kernel_write(const char *path, const char *text);

/* Runs a program (argv[0] is its path inside `root`) and waits; its words go to the console. Its exit status, or -1. */
int run_in(const char *root, const char *const argv[]);

#endif
