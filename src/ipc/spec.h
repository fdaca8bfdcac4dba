/* What a workspace is, as core wrote it down for its supervisor: one message in the file `spec` of the workspace's folder.
 *
 * Folder <state>/workspaces/<id>/ (0700): spec, bundle, loaded (`saw try`: policy.blob), overlay.img, home.img, seed.img, console.log,
 * supervisor.log, and audit.jsonl with audit.jsonl.journal and, after a crash, audit.jsonl.torn (store/audit_file.h).
 * Runtime folder <run>/ws/<id>/ (0700): control.sock (SOCK_SEQPACKET, ipc/types.h), lock (flock while alive). */
#ifndef SAW_IPC_SPEC_H
#define SAW_IPC_SPEC_H

#include "ipc/msg.h"

enum {
	MSG_SPEC = 900,
	MSG_LOADED = 901, /* file `loaded`: supervisor/bundle_file.c */
	SPEC_VERSION = 2,
	SPEC_ID_MAX = 40,
	SPEC_NAME_MAX = 40,
	SPEC_PATH_MAX = 3000,
	SPEC_ARG_MAX = 8000,
	SPEC_CHANNEL_MAX = 128,
};

/* console.log is a guest's to fill: it is never longer, and when it is full its newest part becomes all of it. */
enum { SPEC_CONSOLE_MAX = 8 * 1024 * 1024, SPEC_CONSOLE_KEPT = SPEC_CONSOLE_MAX / 2 };

enum spec_driver { SPEC_DRIVER_MACHINE = 1, SPEC_DRIVER_TRY = 2 };

/* Texts are borrowed from the message that was read. */
struct spec {
	enum spec_driver driver;
	struct bytes id; /* "ws-" and 12 hex digits */
	struct bytes name; /* DNS label, unique per user */
	struct bytes owner; /* user name */
	uint64_t cpus;
	uint64_t memory_bytes;
	uint64_t accel; /* enum ipc_accel */
	uint64_t uid_base; /* root only: first of 8 uids for the roles; 0: keep our own uid */
	struct bytes image_dir; /* folder of the image: kernel, initrd, base.img, manifest.json */
	struct bytes kernel_args; /* appended to ours */
	struct bytes upstream_proxy; /* "host:port" or empty */
	struct bytes resolv_conf; /* path; empty: /etc/resolv.conf */
	uint64_t generation; /* of bundle, or policy.blob */
	struct bytes policy_channel; /* that the bundle stands on, or empty */
	uint64_t policy_rollback; /* the serial that may be lower than the one loaded last; 0: none */
};

void spec_put(struct msg *m, const struct spec *s);
/* False: malformed or of a newer version. */
bool spec_get(struct msg_in *in, struct spec *ret);

#endif
