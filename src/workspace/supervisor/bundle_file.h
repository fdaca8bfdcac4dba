/* What a supervisor keeps of the bundle that it loaded last: the file `loaded` of its workspace's folder, a record and behind it the bundle
 * itself. One file, so that who dies at any point leaves the one before or the new one, each with its own number. */
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
/* Gives that bundle as sealed memory, not believed by anybody yet, and what is known of it. -ENOENT: none was loaded. */
int bundle_loaded_open(const struct ws *w, struct bundle_loaded *ret, struct err *e);
/* The bundle in `fd` (sealed memory). On disk when this returns 0; else what was there is still there. */
int bundle_loaded_write(const struct ws *w, const struct bundle_loaded *l, int fd, struct err *e);

/* The file of the workspace's folder as sealed memory. -ENOENT: it is not there. */
int bundle_file_open(const struct ws *w, const char *name, struct err *e);

#endif
