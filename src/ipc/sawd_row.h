/* A workspace as the control plane knows it: one record of the store, and one message between core and front. */
#ifndef SAW_IPC_SAWD_ROW_H
#define SAW_IPC_SAWD_ROW_H

#include "ipc/msg.h"
#include "ipc/sawd_types.h"

enum sawd_state {
	SAWD_REQUESTED = 1,
	SAWD_PROVISIONING,
	SAWD_STARTING,
	SAWD_RUNNING,
	SAWD_STOPPING,
	SAWD_STOPPED,
	SAWD_REBUILDING,
	SAWD_FAILED,
	SAWD_DELETING,
	SAWD_DELETED, /* no record any more: only in the last change of /v1/events */
	SAWD_STATE_END
};
enum sawd_desired { SAWD_WANT_RUNNING = 1, SAWD_WANT_STOPPED, SAWD_WANT_DELETED, SAWD_DESIRED_END };

/* "requested", ...; "running", "stopped", "deleted". */
const char *sawd_state_text(enum sawd_state s);
const char *sawd_desired_text(enum sawd_desired d);
/* 0 when there is no such state. */
enum sawd_state sawd_state_of(struct bytes text);

enum {
	SAWD_ID_LEN = 15, /* "ws-" or "se-" and 12 hex digits */
	SAWD_NAME_MAX = 40,
	SAWD_OWNER_MAX = 64,
	SAWD_IMAGE_MAX = 128,
	SAWD_PROXY_MAX = 270,
	SAWD_ARGS_MAX = 2000,
	SAWD_POLICY_NAME_MAX = 256,
	SAWD_OBSERVES_MAX = 512, /* as POLICY_OBSERVES_MAX */
	SAWD_CHANNEL_MAX = 128,
	SAWD_RELEASE_LEN = 64, /* hex */
};

/* What a person asked for. Texts are borrowed. */
struct sawd_new {
	struct bytes name;
	struct bytes image;
	uint64_t driver; /* enum spec_driver */
	uint64_t cpus;
	uint64_t memory_bytes;
	uint64_t disk_bytes;
	uint64_t accel; /* enum ipc_accel */
	struct bytes upstream_proxy;
	struct bytes kernel_args;
	struct bytes policy_file; /* or */
	struct bytes policy_channel;
	uint64_t start; /* 1: desired state is running */
};
void sawd_new_put(struct msg *m, const struct sawd_new *n);
bool sawd_new_get(struct msg_in *in, struct sawd_new *ret);

/* Texts are borrowed. */
struct sawd_row {
	struct bytes id;
	struct bytes owner;
	struct sawd_new asked;
	enum sawd_state state;
	enum sawd_desired desired;
	struct bytes detail;
	uint64_t since_ms;
	uint64_t created_ms;
	struct bytes image_digest;
	uint64_t accel_in_use;
	struct bytes policy_name;
	struct bytes policy_sha256; /* 32 bytes */
	uint64_t policy_lab;
	struct bytes policy_observes; /* names of the entries that only observe, or "" */
	struct bytes policy_release; /* hex, or "" */
	uint64_t policy_serial;
	uint64_t policy_rollback; /* the serial it was rolled back to; 0: it was not */
	uint64_t generation;
	uint64_t loaded_generation;
	uint64_t restarts;
	uint64_t tunnels;
	bool policy_unread; /* its compiled policy is of another version, and could not be compiled anew: it binds nothing */
};
void sawd_row_put(struct msg *m, const struct sawd_row *r);
bool sawd_row_get(struct msg_in *in, struct sawd_row *ret);

/* What a call is refused with. Texts are borrowed; field and remedy may be NULL. */
struct sawd_problem {
	unsigned status;
	unsigned exit_code; /* of a command line: design of exit codes, 1..5 */
	const char *code; /* last part of the problem's type */
	const char *detail;
	const char *field;
	const char *remedy;
};

/* A DNS label of at most SAWD_NAME_MAX that does not look like an id. */
bool sawd_name_ok(struct bytes name);
/* "ws-" or "se-" and 12 hex digits. */
bool sawd_id_ok(struct bytes id, const char *prefix);

#endif
