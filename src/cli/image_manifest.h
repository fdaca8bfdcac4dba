/* manifest.json of an image: what it is made of. Its SHA-256 is the image's name for ever. */
#ifndef SAW_CLI_IMAGE_MANIFEST_H
#define SAW_CLI_IMAGE_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"
#include "crypt/sha256.h"

enum { IMAGE_MANIFEST_VERSION = 1 };

struct image_manifest {
	const char *name;
	const char *suite;
	const char *arch;
	const char *npm; /* version or "" */
	struct bytes sources; /* lines */
	struct bytes registry;
	uint8_t recipe[SHA256_LEN];
	struct buf packages; /* the lists, read back: lines */
	struct buf roots;
	struct buf kernel;
};

/* Writes `path` from `m`, the lists in out/ and the three files of the image, all in the present folder. */
int image_manifest_write(struct image_manifest *m, const char *path, struct err *e);
void image_manifest_deinit(struct image_manifest *m);

#endif
