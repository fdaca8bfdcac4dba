/* Sealed files of the key folder, and the file that holds the key to them. */
#ifndef SAW_SAWD_KEEPER_SEAL_FILE_H
#define SAW_SAWD_KEEPER_SEAL_FILE_H

#include "base/err.h"
#include "crypt/seal.h"

/* The sealing key: `credential` (path of a file of SEAL_KEY_LEN bytes) when it is not "", else `seal.key` in the folder, which is made
 * when there is none and nothing is sealed. */
int seal_file_key(int dir_fd, const char *credential, struct secret **ret, struct err *e);

/* Opens `name` under `label`, whose version is taken from the file. 1 with *ret and label->version, 0: no such file, or a negative errno
 * with a sentence that begins with `shown`. */
int seal_file_get(int dir_fd, const char *name, const char *shown, const struct secret *key, struct seal_label *label,
		  struct secret **ret, struct err *e);
/* Whole or not at all: written to ".<name>.new", synced, renamed, folder synced. Mode 0600. */
int seal_file_put(int dir_fd, const char *name, const struct secret *key, const struct seal_label *label, struct bytes plain,
		  struct err *e);
/* In the same way, but not sealed: seeds and public keys. */
int seal_file_put_plain(int dir_fd, const char *name, struct bytes data, struct err *e);
/* A name that only a write that was cut short leaves behind. */
bool seal_file_is_leftover(const char *name);

#endif
