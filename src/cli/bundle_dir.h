/* A policy bundle as people have it: a folder with policy.yaml, manifest.json and signature.sig. */
#ifndef SAW_CLI_BUNDLE_DIR_H
#define SAW_CLI_BUNDLE_DIR_H

#include "base/err.h"
#include "wire/bundle.h"

/* Initialised by bundle_dir_read(), freed by the caller in any case. */
struct bundle_dir {
	struct buf manifest;
	struct buf signature;
	struct buf policy;
	struct buf container; /* the three as one run of bytes */
};
void bundle_dir_deinit(struct bundle_dir *d);
#define BUNDLE_DIR_AUTO __attribute__((cleanup(bundle_dir_deinit)))

/* Reads the folder at `path`, or a file that holds a whole bundle. A missing signature.sig is an empty signature: whoever checks it says so.
 * Negative errno with a sentence. */
int bundle_dir_read(const char *path, struct bundle_dir *ret, struct err *e);
/* Makes the folder `path` (0755), which must not be there yet, with its files: whole or not at all. An empty signature makes no file. */
int bundle_dir_write(const char *path, const struct bundle *b, struct err *e);

#endif
