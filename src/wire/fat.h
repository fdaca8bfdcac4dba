/* A small FAT12 volume (128 KiB, files in the root folder, long names): the one format that a seed disk has for every reader. */
#ifndef SAW_WIRE_FAT_H
#define SAW_WIRE_FAT_H

#include "base/buf.h"

enum {
	FAT_IMAGE_BYTES = 128 * 1024,
	FAT_FILES_MAX = 8,
	FAT_NAME_MAX = 26, /* two long-name entries */
	FAT_LABEL_LEN = 11,
};

struct fat_file {
	struct bytes name; /* lower-case letters, digits, '-', '_'; two names may not start with the same six characters */
	struct bytes data;
};

/* Appends an image. `label` is padded with blanks. The same input gives the same bytes (all times are 1980-01-01).
 * False when a name is not allowed, there are too many files, they do not fit, or `out` failed. */
bool fat_write(struct buf *out, const char *label, uint32_t serial, const struct fat_file *files, size_t n);

enum fat_answer { FAT_OK, FAT_MISSING, FAT_MALFORMED };

/* Appends the contents of the file `name`. Reads any FAT12 volume with 512-byte sectors of at most FAT_IMAGE_BYTES; a chain
 * that loops, leaves the volume or is shorter than its file is FAT_MALFORMED. */
enum fat_answer fat_read(struct bytes image, const char *name, struct buf *out);
/* True when the volume's root folder carries this label. */
bool fat_has_label(struct bytes image, const char *label);

#endif
