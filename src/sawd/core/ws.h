/* One workspace that is not at rest: its record, its supervisor if there is one, and the next step towards what is desired. */
#ifndef SAW_SAWD_WS_H
#define SAW_SAWD_WS_H

#include "ipc/types.h"
#include "sawd/core/core.h"

enum {
	WS_CONNECT_MS = 50, /* between tries to reach a supervisor that starts */
	WS_CONNECT_MAX_MS = 20000,
	WS_RETRY_MS = 1000, /* after a failure; doubles up to the next */
	WS_RETRY_MAX_MS = 30000,
	WS_LOCK_MS = 5000, /* for a supervisor that was just started to take its lock */
	WS_STEADY_MS = 30000, /* one that ran this long starts again from WS_RETRY_MS */
	WS_GRACE_MS = 60000,
	WS_OVERDUE_MS = 30000, /* after the grace: pull the plug; and after that: end its supervisor */
	WS_POLICY_MS = 10000, /* for a supervisor to take a new policy */
	WS_POLICY_RETRY_MS = 10000, /* until one that could not be taken for what may pass is sent again; doubles up to the next */
	WS_POLICY_RETRY_MAX_MS = 300000,
};

/* What waits for the supervisor's answer to a policy. */
typedef void (*ws_policy_fn)(void *owner, bool ok, const char *why);

struct ws {
	struct core *core;
	struct ws *next; /* in its bucket */
	struct workspace row;
	enum sawd_state state; /* = row.state */
	enum sawd_desired desired; /* = row.desired */
	struct loop_later kick;
	struct loop_timer timer;
	bool busy; /* an answer of another process is awaited */
	bool adopting; /* right after our start: is there a supervisor? */
	bool ended; /* the launcher saw this supervisor end */
	uint64_t spawn_req; /* of the supervisor that we started last: an older one's end is no news */
	uint64_t spawned_ms; /* when we started its supervisor; 0: we did not */
	uint64_t deadline_ms; /* of the present step; 0: none */
	uint64_t not_before_ms; /* of the next start */
	uint64_t retry_ms;
	uint64_t running_since_ms;
	uint64_t grace_ms;
	bool grace_sent;
	bool plug_pulled;

	struct chan *control; /* to the supervisor; NULL: none */
	bool reaching; /* the launcher was asked for one */
	uint64_t reach_after_ms; /* not before, by the loop's clock */
	bool greeted;
	uint64_t control_version; /* of the supervisor */
	enum ipc_state sup_state;
	char sup_detail[SAWD_DETAIL_MAX + 1];
	uint64_t loaded_generation;
	uint64_t sent_generation;
	bool policy_asked; /* the one that was sent is not answered yet */
	uint64_t restarts;
	ws_policy_fn policy_done;
	void *policy_owner;
	uint64_t policy_deadline_ms;
	struct loop_timer policy_again;
	uint64_t policy_again_ms; /* after which it was sent again the last time; 0: it was not */
	char bound_sha256[65]; /* the policy in force, as far as we know: keeper says what it and the record's bind. "": unknown */
	struct loop_timer supply_retry;
	char root_pem[SAWD_CA_PEM_MAX + 1]; /* of its certificate authority, while it is being set up */
};

/* ws.c */
struct ws *ws_find(const struct core *c, struct bytes id);
/* The one with this id, made from its record when it was at rest. 1, 0: no such workspace, or negative errno. */
int ws_wake(struct core *c, struct bytes name_or_id, struct ws **ret, struct err *e);
struct ws *ws_new(struct core *c, const struct workspace *row);
void ws_free(struct ws *w);
void ws_each(struct core *c, void (*fn)(struct ws *w));
/* Stores the record as it is now and tells front. */
int ws_save(struct ws *w, struct err *e);
/* A new state with one sentence: event, record, front. What already happened is recorded even when the audit log fails. */
void ws_set(struct ws *w, enum sawd_state state, const char *detail);
/* As above for a state that begins an action: false when it could not be written; nothing has changed, it is tried again later. */
bool ws_begin(struct ws *w, enum sawd_state state, const char *detail);
/* A failure: state failed, next try after the back-off. */
void ws_fail(struct ws *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Another may run. Each costs descriptors here, in keeper and in the launcher: one too many would not be missed by one of them alone. False: it has failed. */
bool ws_has_room(struct ws *w);
/* Look at it again at the end of this turn / later. */
void ws_kick(struct ws *w);
void ws_kick_in(struct ws *w, uint64_t ms);

/* reconcile.c */
void reconcile_step(struct ws *w);
/* At our start: every record that is not at rest. */
int reconcile_start(struct core *c, struct err *e);
bool reconcile_on_ended(void *owner, struct msg_in *in);
/* `fault` NULL: complete. */
void reconcile_provisioned(struct ws *w, const char *fault);
/* Keeper has forgotten it; `fault` "", or why it could not. */
void reconcile_forgotten(struct ws *w, const char *fault);
/* Keeper is restarting: what began is begun again after a while. */
void reconcile_put_off(struct ws *w);
/* Draining, and nothing runs any more: sawd goes down. */
void reconcile_drained(struct core *c);

/* provision.c: folder, seed, disks; ends in reconcile_provisioned() or reconcile_put_off(). */
void provision_start(struct ws *w);
/* Its seed is missing, damaged, or of a time before workspaces had certificate authorities: it has to be made again. */
bool provision_outdated(const struct ws *w);
/* It was set up once, and its home is not there any more: no empty one takes its place. */
bool provision_home_is_gone(const struct ws *w);
/* policy.blob and spec as the record has them; right before each start. */
int provision_refresh(struct ws *w, struct err *e);
/* Drops the system overlay. */
int provision_drop_overlay(struct ws *w, struct err *e);
/* Everything but the audit log, which is completed and moves to audit/workspaces/<id>.jsonl, and what was put aside of it beside it. */
int provision_destroy(struct ws *w, struct err *e);
/* Folders of no workspace. */
void provision_sweep(struct core *c);

/* control.c */
/* Asks for a connection to its supervisor, once at a time. Where somebody listens there, w->control is there soon and the workspace is kicked;
 * otherwise nothing follows: ask again later. */
void control_reach(struct ws *w);
void control_close(struct ws *w);
void control_shutdown(struct ws *w, uint64_t grace_ms);
/* Has its supervisor ended, whatever it does. */
void control_kill(const struct ws *w);
/* Hands the present policy over; `fn` once, when it is loaded or refused, or the time is over. */
void control_policy(struct ws *w, ws_policy_fn fn, void *owner);
void control_policy_late(struct ws *w);
/* The supervisor runs: its lock is held. */
bool control_alive(const struct ws *w);
/* Asks for a connection to the guest's sshd. */
void control_guest(struct ws *w, uint64_t id);
/* Into the workspace's own audit log as well, when its supervisor runs. */
void control_event(struct ws *w, const struct event *ev);

/* sessions.c: the answer to control_guest; takes `fd` (-1: refused, `why`). */
void sessions_connected(struct core *c, struct ws *w, uint64_t id, int fd, struct bytes why);

#endif
