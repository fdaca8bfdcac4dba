/* The process `sawd`: starts the four roles, wires them to core, brings them back, and starts workspaces. It parses nothing. */
#ifndef SAW_SAWD_LAUNCHER_H
#define SAW_SAWD_LAUNCHER_H

#include "ipc/pulse.h"
#include "ipc/sawd_types.h"
#include "os/child.h"
#include "os/paths.h"

struct launcher;
struct job;

enum {
	LAUNCHER_RETRY_MS = 100, /* doubles up to the next */
	LAUNCHER_RETRY_MAX_MS = 5000,
	LAUNCHER_STEADY_MS = 30000, /* a role that lived this long starts again from LAUNCHER_RETRY_MS */
	LAUNCHER_TRIES = 4, /* failed starts of a role before sawd was ever ready: give up */
	LAUNCHER_STOP_MS = 5000, /* for the roles to end by themselves */
	LAUNCHER_SWEEP_MS = 10000, /* between looks for cgroups of workspaces that were killed */
	LAUNCHER_JOBS_MAX = SAWD_RUNNING_MAX + 64, /* children that are no role: workspaces, disks being made */
};

struct role {
	struct launcher *launcher;
	enum sawd_role kind;
	struct child child;
	struct chan *chan; /* NULL while it does not run */
	struct loop_io exit_io;
	struct loop_timer retry;
	struct pulse pulse; /* of front and keeper, from READY to its end */
	uint64_t retry_ms;
	uint64_t started_ms;
	unsigned n_failed;
	bool ready;
	char failed[400]; /* its own sentence about why it cannot go on */
};

struct launcher {
	struct loop *loop;
	char state[PATHS_MAX];
	char run[PATHS_MAX];
	char owner[65];
	int lock_fd; /* of the runtime folder */
	int state_lock_fd;
	int listen_fd;
	int log_fd;
	int ready_fd; /* told once when all roles are ready; -1 */
	bool lab;
	const char *resolv_conf; /* path, or "" */
	uint64_t session_max_ms;
	uint64_t session_idle_ms;
	uint64_t running_max; /* workspaces at once */
	bool ever_ready;
	bool stopping;
	struct role roles[SAWD_ROLE_END]; /* by enum sawd_role */
	struct job *jobs;
	size_t n_jobs;
	struct loop_timer stop_timer;
	struct loop_timer sweep_timer;
	struct loop_io signal_io;
};

/* roles.c */
void roles_start(struct launcher *l);
/* Asks all to end; the loop stops with 0 when they have. */
void roles_stop(struct launcher *l);
void roles_deinit(struct launcher *l);

/* jobs.c: what core asks for. For core's permit table; `owner` is core's role. */
bool jobs_on_spawn(void *owner, struct msg_in *in);
bool jobs_on_disks(void *owner, struct msg_in *in);
bool jobs_on_kill(void *owner, struct msg_in *in);
/* From now on: removes what supervisors that were killed left of their cgroups, whoever started them. */
void jobs_sweep(struct launcher *l);
/* The workspaces go on; disks being made are abandoned. */
void jobs_deinit(struct launcher *l);
/* `sawd --make-disks FOLDER BYTES`: the child that makes them. Gives the exit status. */
int jobs_make_disks(const char *folder, const char *bytes);

/* reach.c: what core asks for, too. */
bool reach_on_connect(void *owner, struct msg_in *in);
/* Ends the supervisor that listens there, which an earlier launcher started. */
void reach_kill(const struct launcher *l, struct bytes id);

/* listen.c: folders, lock and the API's socket. */
int listen_open(struct launcher *l, struct err *e);

#endif
