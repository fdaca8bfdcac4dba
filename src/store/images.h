/* Images of machines on disk: <state>/images/<digest>/{kernel,initrd,base.img,manifest.json,seen} and a link NAME -> <digest>.
 *
 * The digest is SHA-256 over manifest.json, which holds the digests of the three files: whoever names an image by digest gets exactly
 * these bytes. A folder appears whole, by rename, and never changes after that. `seen` is what the files looked like (size, times,
 * inode) when their digests were last checked: a start compares that and reads no gigabyte. */
#ifndef SAW_STORE_IMAGES_H
#define SAW_STORE_IMAGES_H

#include <stdbool.h>

#include "base/err.h"
#include "crypt/sha256.h"
#include "os/paths.h"

enum { IMAGES_NAME_MAX = 63, IMAGES_PREFIX_MIN = 8, IMAGES_MANIFEST_MAX = 1024 * 1024, IMAGES_MAX = 1024 };

struct image {
	char digest[SHA256_HEX_MAX];
	char name[IMAGES_NAME_MAX + 1]; /* one of its names, "" when it has none */
	char created[32]; /* RFC 3339 */
	char dir[PATHS_MAX];
	uint64_t bytes; /* of its files */
};

/* Lower-case letters, digits, inner '-', '_' and '.', and not 64 hex digits. */
bool images_name_ok(const char *name);

/* By name, digest, or a unique beginning of the digest. `dir` is <state>/images. -ENOENT with the remedy; -EEXIST: not unique. */
int images_find(const char *dir, const char *what, struct image *ret, struct err *e);
/* Gives all, sorted by name, then digest (free()). A folder that is no image is left out. */
int images_list(const char *dir, struct image **ret, size_t *ret_n, struct err *e);

/* Nothing changed since the digests were last checked: a few stat() calls. -EBADMSG with the remedy. For the start of a machine. */
int images_check(const struct image *i, struct err *e);
/* Reads everything and compares digests; renews `seen`. -EBADMSG names what differs. */
int images_verify(const struct image *i, struct err *e);

/* Takes the finished folder `fresh` (kernel, initrd, base.img, manifest.json inside; same file system) in under its digest and points
 * `name` at it. On failure `fresh` is left to the caller. */
int images_add(const char *dir, const char *fresh, const char *name, struct image *ret, struct err *e);
/* Removes the name; the image too when no other name is left (ret_gone). The caller has made sure that nobody uses it. */
int images_remove(const char *dir, const struct image *i, bool *ret_gone, struct err *e);

/* SHA-256 of a file. */
int images_digest_file(const char *path, uint8_t ret[SHA256_LEN], uint64_t *ret_bytes, struct err *e);
/* Removes a folder and what lies in it and in its folders; follows no link. */
int images_remove_tree(const char *path, struct err *e);

#endif
