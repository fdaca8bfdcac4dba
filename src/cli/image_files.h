/* The two archive formats that an image is built through: tar (into the tree) and cpio (the initramfs). Writers only. */
#ifndef SAW_CLI_IMAGE_FILES_H
#define SAW_CLI_IMAGE_FILES_H

#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"

enum { IMAGE_FILES_NAME_MAX = 99 };

enum image_files_kind { IMAGE_FILES_TAR, IMAGE_FILES_CPIO };

/* Being written to a file of its own. Zero-initialise. */
struct image_files {
	enum image_files_kind kind;
	int fd;
	uint64_t at; /* bytes written */
	unsigned n; /* entries */
	struct err *e;
	int failed; /* sticky: a negative errno, its sentence in e */
};

/* Creates `path`. Later failures are told by image_files_close(). Borrows `e` until then. */
void image_files_open(struct image_files *f, enum image_files_kind kind, const char *path, struct err *e);
/* Names are absolute. All entries belong to root and are from 1970-01-01: the same input gives the same bytes. */
void image_files_dir(struct image_files *f, const char *name);
void image_files_file(struct image_files *f, const char *name, mode_t mode, struct bytes data);
void image_files_link(struct image_files *f, const char *name, const char *target);
/* The contents of a file on disk. */
void image_files_copy(struct image_files *f, const char *name, mode_t mode, const char *from);
/* Writes the end. 0, or the first failure. */
int image_files_close(struct image_files *f);

#endif
