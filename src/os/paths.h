/* Where things are: helper binaries, the state and runtime folders of this user, and folders that must be ours alone. */
#ifndef SAW_OS_PATHS_H
#define SAW_OS_PATHS_H

#include "base/err.h"

enum { PATHS_MAX = 4096 };

/* The executable `name` ("saw-inlet"): in the build tree when this very binary runs from one, else beside this binary, else in
 * SAW_LIBEXEC. -ENOENT with a sentence when there is none. */
int paths_helper(const char *name, char ret[PATHS_MAX], struct err *e);

/* ARCHITECTURE.md, "Where things are on disk". Nothing is created. Negative errno when the environment says nothing usable. */
int paths_state(char ret[PATHS_MAX], struct err *e);
int paths_run(char ret[PATHS_MAX], struct err *e);

/* Makes `path` and its missing parents, each 0700, then checks it as below. */
int paths_make_dir(const char *path, struct err *e);
/* A real folder (no symbolic link), owned by us, not writable by group or others. */
int paths_check_dir(const char *path, struct err *e);

/* "<a>/<b>"; -ENAMETOOLONG. `ret` may not be `a` or `b`. */
int paths_join(char ret[PATHS_MAX], const char *a, const char *b, struct err *e);

#endif
