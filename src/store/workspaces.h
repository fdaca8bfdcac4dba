/* The table of workspaces. */
#ifndef SAW_STORE_WORKSPACES_H
#define SAW_STORE_WORKSPACES_H

#include "store/releases.h"

/* Work that was asked for and is not finished; survives a restart. */
enum workspace_pending {
	WORKSPACE_RESTART = 1, /* stop once, then what is desired */
	WORKSPACE_REBUILD = 2, /* stop, drop the system overlay */
	WORKSPACE_PROVISION = 4, /* folder, disks, seed are not complete yet */
};

/* One record, owned; texts are NUL-terminated. Times in ms since the epoch. */
struct workspace {
	char id[16];
	char name[41];
	char owner[65];
	char state[16];
	char desired[16];
	char detail[1001];
	uint64_t since_ms;
	uint64_t created_ms;
	uint64_t driver;
	char image[129];
	char image_digest[129];
	uint64_t cpus;
	uint64_t memory_bytes;
	uint64_t disk_bytes;
	uint64_t accel;
	uint64_t accel_in_use;
	char upstream_proxy[271];
	char kernel_args[2001];
	char policy_file[1001];
	char policy_name[257];
	char policy_sha256[65]; /* hex; of the compiled content */
	uint64_t policy_lab;
	char policy_observes[513]; /* names of the entries that only observe; "" for those of a version that did not ask */
	uint64_t generation;
	uint64_t pending; /* enum workspace_pending */
	uint64_t uid_base;
	char channel[129]; /* "": a policy of its own */
	char release[65]; /* store/releases.h; "": of a version that kept compiled policies only */
	uint64_t serial; /* of the release */
	uint64_t rollback; /* the serial that may be lower than the one before; 0: none */
	uint64_t loaded_serial; /* that its supervisor loaded last, as far as is known; 0: none */
};

/* All: 0 or negative errno with a sentence. */

/* -EEXIST when the owner has one of that name already. */
int workspaces_insert(struct db *d, const struct workspace *w, struct err *e);
/* 1 and *ret, or 0: none. */
int workspaces_by_id(struct db *d, struct bytes id, struct workspace *ret, struct err *e);
int workspaces_by_name(struct db *d, const char *owner, struct bytes name, struct workspace *ret, struct err *e);
/* Everything that may change: state, desired, detail, since, accel_in_use, policy_*, generation, pending, channel, release, serial,
 * rollback, loaded_serial. */
int workspaces_update(struct db *d, const struct workspace *w, struct err *e);
int workspaces_delete(struct db *d, const char *id, struct err *e);

/* Called for each record; false ends the walk. The database may not be changed from inside. */
typedef bool (*workspaces_fn)(void *ctx, const struct workspace *w);
/* The owner's, by name, those after `after`, at most `limit`; `state` "" means any. */
int workspaces_page(struct db *d, const char *owner, struct bytes after, const char *state, uint64_t limit, workspaces_fn fn,
		    void *ctx, struct err *e);
/* Every record that is not at rest: all but stopped ones whose desired state is stopped and which have nothing pending. */
int workspaces_unsettled(struct db *d, workspaces_fn fn, void *ctx, struct err *e);

/* The lowest free block of `step` uids from `base` on. */
int workspaces_free_uid(struct db *d, uint64_t base, uint64_t step, uint64_t *ret, struct err *e);
/* 1 when a record uses this compiled policy, this release, else 0. */
int workspaces_policy_used(struct db *d, const char *sha256, struct err *e);
int workspaces_release_used(struct db *d, const char *release, struct err *e);

/* Every record on this channel now has this release, in its next generation. */
int workspaces_move(struct db *d, const char *channel, const struct release *r, uint64_t rollback, struct err *e);
/* Every record with this release: its policy was compiled anew, as releases_renew() says. */
int workspaces_renew(struct db *d, const struct release *r, struct err *e);
/* How many there are. */
int workspaces_on_channel(struct db *d, const char *channel, struct err *e);

#endif
