/* A child process of the supervisor: its channel, its end, and its return with back-off. */
#ifndef SAW_SUPERVISOR_ROLE_H
#define SAW_SUPERVISOR_ROLE_H

#include "ipc/pulse.h"
#include "os/child.h"
#include "wire/event.h"

struct ws;
struct role;

enum role_kind { ROLE_FRONT, ROLE_INLET, ROLE_DIALER, ROLE_OUTLET, ROLE_MACHINE, ROLE_TRY, ROLE_COUNT };

enum {
	ROLE_RETRY_MS = 100, /* doubles up to the next */
	ROLE_RETRY_MAX_MS = 5000,
	ROLE_STEADY_MS = 60000, /* a role that lived this long starts again from ROLE_RETRY_MS */
	ROLE_READY_MS = 30000, /* until READY; a role that takes longer is ended and tried again */
	ROLE_TRIES = 4, /* failed starts before the workspace was ever up: give up */
};

struct role_ops {
	const char *name; /* "inlet" */
	const char *binary; /* "saw-inlet" */
	const struct chan_permit *permits;
	size_t n_permits;
	/* The process runs: send it its configuration. */
	void (*configure)(struct role *r);
	/* It is gone, `why` in one sentence. True: start it again after the back-off. */
	bool (*lost)(struct role *r, const char *why);
	bool has_ready; /* says READY, and is asked from then on whether it still serves (ipc/pulse.h) */
	uint16_t keeper; /* MSG_KEEPER_OUTLET, MSG_KEEPER_INLET: which channel to keeper it is given; 0: none */
	/* What it may report: for each kind the actions, as bits. Anything else ends the role: a log that a compromised role could
	 * fill with another's words would prove nothing. */
	uint32_t events[EVENT_KIND_END];
	bool spends; /* its events may name a credential that was spent */
};

/* Fields are read by others, written by role.c. */
struct role {
	struct ws *ws;
	const struct role_ops *ops; /* NULL: this workspace has no such role */
	enum role_kind kind;
	struct child child;
	struct chan *chan; /* NULL while it does not run */
	struct loop_io exit_io;
	struct loop_timer retry;
	struct loop_timer slow;
	struct pulse pulse; /* from READY to its end */
	struct child_end end;
	pid_t pid; /* of this incarnation, also after its end */
	uint64_t retry_ms;
	uint64_t started_ms;
	bool runs; /* from its start until its last message was read */
	bool chan_ended;
	bool ready;
	bool ever_ready;
	bool expected_end; /* told to stop */
	unsigned failed_starts;
	unsigned n_restarts;
	char failed[320]; /* MSG_FAILED of this incarnation */
};

void role_init(struct role *r, struct ws *w, enum role_kind kind, const struct role_ops *ops);
/* Starts it now, or arms the retry. */
void role_start(struct role *r);
bool role_runs(const struct role *r);
/* MSG_STOP; the end is then no news. A retry that is pending is given up. */
void role_stop(struct role *r);
void role_kill(struct role *r);
void role_deinit(struct role *r);

/* Sends when it runs, else drops. */
void role_send(struct role *r, const struct msg *m);

/* For permit tables: READY, PONG, EVENT and FAILED mean the same for every role; `owner` is the role. */
bool role_on_ready(void *owner, struct msg_in *in);
bool role_on_pong(void *owner, struct msg_in *in);
bool role_on_event(void *owner, struct msg_in *in);
bool role_on_failed(void *owner, struct msg_in *in);
#define ROLE_PERMITS { MSG_READY, role_on_ready }, { MSG_PONG, role_on_pong }, { MSG_EVENT, role_on_event }, { MSG_FAILED, role_on_failed }

#endif
