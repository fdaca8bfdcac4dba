/* Signed policies that were pushed, which never change, and the channels that point at them. */
#ifndef SAW_STORE_RELEASES_H
#define SAW_STORE_RELEASES_H

#include "store/db.h"

/* Owned; texts are NUL-terminated. Times in ms since the epoch. Named by the SHA-256 of its manifest. */
struct release {
	char id[65]; /* hex */
	uint64_t serial;
	char policy_name[257];
	char policy_sha256[65]; /* hex; of the compiled content, as in struct workspace */
	uint64_t policy_lab;
	char policy_observes[513]; /* names of the entries that only observe; "" for those of a version that did not ask */
	char key[65]; /* fingerprint of the key that signed it */
	uint64_t created_ms;
	uint64_t expires_ms; /* 0: never */
	uint64_t pushed_ms;
};

struct channel {
	char name[129];
	char release[65];
	uint64_t serial; /* of that release */
	uint64_t top_serial; /* the highest that ever stood here: what is pushed next must be above it */
	uint64_t rollback; /* the serial that it was rolled back to, until the next push; 0: it was not */
	uint64_t moved_ms;
};

/* All: 0 or negative errno with a sentence. */

/* One that is there already stays as it is. */
int releases_insert(struct db *d, const struct release *r, struct err *e);
/* Its policy was compiled anew: `r` has id, policy_sha256 and policy_observes. One that is not there is fine. */
int releases_renew(struct db *d, const struct release *r, struct err *e);
/* A statement that replaces what was compiled of a release: of its id (?1), the new hash (?2) and what it observes (?3). */
int releases_run_renewal(struct db *d, const char *sql, const struct release *r, struct err *e);
/* By the first 8 digits of its id or more: 1 and *ret, 0: none; -EEXIST when several begin so. */
int releases_find(struct db *d, struct bytes digits, struct release *ret, struct err *e);

/* 1 when a release has this compiled policy, else 0. */
int releases_policy_used(struct db *d, const char *sha256, struct err *e);

/* 1 and *ret, or 0: none. */
int channels_get(struct db *d, struct bytes name, struct channel *ret, struct err *e);
/* Makes or moves it, and remembers that this release stood there; of a rollback, that those above it are withdrawn, each until it stands there again. */
int channels_put(struct db *d, const struct channel *c, struct err *e);
/* The release that stood on the channel with this serial; 0: the highest one below that of now that is not withdrawn. 1 and *ret, or 0: none. */
int channels_earlier(struct db *d, const struct channel *c, uint64_t serial, struct release *ret, struct err *e);

/* False ends the walk. The database may not be changed from inside. */
typedef bool (*channels_fn)(void *ctx, const struct channel *c);
/* All, by name. */
int channels_each(struct db *d, channels_fn fn, void *ctx, struct err *e);

#endif
