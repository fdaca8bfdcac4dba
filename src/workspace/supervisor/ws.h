/* One workspace as its supervisor sees it: what it shall be, its processes, and where it stands. */
#ifndef SAW_SUPERVISOR_WS_H
#define SAW_SUPERVISOR_WS_H

#include "ipc/spec.h"
#include "ipc/types.h"
#include "os/cgroup.h"
#include "os/loop.h"
#include "os/paths.h"
#include "workspace/supervisor/role.h"

struct trail;
struct hold;
struct listeners;
struct control;
struct resolv;

enum { WS_DETAIL_MAX = 400, WS_MAC_LEN = 6, WS_SSH_PORT = 22 };

/* What `saw try` adds on the command line. */
struct ws_try {
	char *const *command; /* NULL-terminated; NULL: not a try */
	int parent_fd; /* channel to `saw try` */
	int stdio[3];
	uint64_t uid; /* inside */
	uint64_t gid;
	const char *audit; /* path, instead of the folder's audit.jsonl */
};

struct ws {
	struct loop *loop;
	struct spec spec;
	char dir[PATHS_MAX];
	char run[PATHS_MAX];
	char keys[PATHS_MAX]; /* folder of the trusted keys: policies come as signed bundles only. "": `saw try`, whose user is its own Security */
	struct ws_try command;
	uint8_t mac[WS_MAC_LEN];

	enum ipc_state state;
	uint64_t since_ms; /* real time */
	uint64_t accel;
	char detail[WS_DETAIL_MAX];
	char limits[WS_DETAIL_MAX]; /* why there is no cgroup; "" when there is one */
	const char *policy_note; /* what is to be said of the policy in force; NULL: nothing */
	bool was_running;
	int exit_code; /* of the command; -1: it never ended by itself */

	struct role roles[ROLE_COUNT];
	struct trail *trail;
	struct hold *hold; /* the policy in force */
	struct listeners *listeners;
	struct control *control;
	struct resolv *resolv;
	struct cgroup cgroup;
	struct loop_timer stop_timer;
	struct loop_timer button_timer;
	unsigned stop_phase;

	int lock_fd;
	int user_fd; /* front's namespaces and tap: they outlive a front */
	int net_fd;
	int tap_fd;
	int journal_fd; /* inlet's names: they outlive an inlet */
	int keeper_fds[2]; /* outlet's and inlet's end of their channels to keeper: they outlive both */
	int roots_fd; /* the host's root certificates as they were at the start */
};

/* Starts everything that can start now. Negative errno with a sentence when the workspace cannot start at all. */
int ws_start(struct ws *w, struct err *e);

/* `state` with one sentence; tells the control peers and the audit log. */
void ws_state(struct ws *w, enum ipc_state state, const char *detail);
/* The guest answers on its SSH port, or the command of `saw try` was started. */
void ws_running(struct ws *w);
/* Something happened that may complete the start: a role is ready, a listener came. Cheap to call. */
void ws_progress(struct ws *w);
/* Clean stop; a machine gets `grace_ms` to power down. Asking again with a shorter grace shortens it. */
void ws_stop(struct ws *w, uint64_t grace_ms, const char *why);
/* Cannot go on: stops at once, ends in IPC_STATE_FAILED with this sentence. */
void ws_fail(struct ws *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool ws_stopping(const struct ws *w);

#endif
