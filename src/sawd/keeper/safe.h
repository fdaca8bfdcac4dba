/* Secrets at rest: one sealed file each, <key folder>/secrets/<owner>/<id>, 0600. */
#ifndef SAW_SAWD_KEEPER_SAFE_H
#define SAW_SAWD_KEEPER_SAFE_H

#include "base/err.h"
#include "crypt/secret.h"

enum { SAFE_OWNER_MAX = 64, SAFE_FAULT_MAX = 300, SAFE_FILES_MAX = 256 /* of one owner */ };

struct safe;

/* Opens the key and the folder, or makes them. The key: `credential` (a file of exactly 32 bytes: a systemd credential) when it is not
 * empty, else <folder>/seal.key, made when there is none and nothing is sealed. Refuses a key that others can read, or has another length, and two keys
 * that differ. Leftovers of a write that was cut short are removed. */
int safe_open(struct safe **ret, const char *folder, const char *credential, struct err *e);
/* Wipes the key. */
struct safe *safe_free(struct safe *s);
/* The sealing key, for what else is sealed in the key folder. */
const struct secret *safe_key(const struct safe *s);

struct safe_info {
	uint64_t version; /* 1, 2, ... with each value */
	uint64_t created_ms; /* real time of the first value */
	uint64_t set_ms; /* of this one; grows with each value, also across a removal while the clock runs forward */
};

/* 1 with both (`ret_value` may be NULL: only looked at), 0: there is none, or a negative errno with a sentence that names the file: it is
 * damaged, of another key, or holds what wire/credential.h refuses. */
int safe_get(struct safe *s, struct bytes owner, struct bytes id, struct safe_info *ret, struct secret **ret_value, struct err *e);
/* A new value as version `info->version`; on disk when it returns. */
int safe_put(struct safe *s, struct bytes owner, struct bytes id, const struct safe_info *info, const struct secret *value,
	     struct err *e);
/* Gone from the disk when it returns. One that is not there is fine. */
int safe_remove(struct safe *s, struct bytes owner, struct bytes id, struct err *e);

/* Each of this owner's, by id; `fault` "" or why it cannot be used (then `info` is zero). Returns how many there are, or a negative
 * errno. */
typedef void (*safe_fn)(void *ctx, struct bytes id, const struct safe_info *info, const char *fault);
int safe_list(struct safe *s, struct bytes owner, safe_fn fn, void *ctx, struct err *e);

#endif
