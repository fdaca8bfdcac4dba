/* What a supervisor keeps of the bundle that it loaded last, in its workspace's folder: `loaded` says which, `loaded.bundle` is it. */
#ifndef SAW_SUPERVISOR_BUNDLE_FILE_H
#define SAW_SUPERVISOR_BUNDLE_FILE_H

#include "base/err.h"
#include "wire/manifest.h"

struct ws;

struct bundle_loaded {
	uint64_t serial; /* 0: none was loaded yet */
	uint64_t generation;
	char channel[MANIFEST_CHANNEL_MAX + 1];
};

/* A folder without the file: serial 0. A file that is malformed or cannot be read is an error: without it nobody knows which serials are old. */
int bundle_loaded_read(const struct ws *w, struct bundle_loaded *ret, struct err *e);
/* The bundle in `fd` (sealed memory) first, then what is said of it: dying in between leaves a good bundle with an older number. */
int bundle_loaded_write(const struct ws *w, const struct bundle_loaded *l, int fd, struct err *e);

/* The file of the workspace's folder as sealed memory. -ENOENT: it is not there. */
int bundle_file_open(const struct ws *w, const char *name, struct err *e);

#endif
