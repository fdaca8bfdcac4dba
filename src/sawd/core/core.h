/* sawd-core: what every workspace shall be, and how far it is. Decides, stores, writes the control plane's audit log. */
#ifndef SAW_SAWD_CORE_H
#define SAW_SAWD_CORE_H

#include <errno.h>

#include "ipc/chan.h"
#include "ipc/sawd_row.h"
#include "os/paths.h"
#include "rules/reason.h"
#include "store/audit_log.h"
#include "store/workspaces.h"

struct ws;
struct ask;
struct session;
struct stale;

enum { CORE_BUCKETS = 1024 };

struct core {
	struct loop *loop;
	struct chan *parent;
	struct chan *peers[SAWD_ROLE_END]; /* by enum sawd_role; NULL while that role is away */
	uint64_t uid;
	bool lab;
	uint64_t session_max_ms;
	uint64_t running_max; /* workspaces at once */
	bool draining; /* everything is being stopped before sawd goes down */
	char owner[SAWD_OWNER_MAX + 1];
	char state[PATHS_MAX];
	char run[PATHS_MAX];
	char resolv_conf[PATHS_MAX]; /* "": the host's */
	struct db *db;
	struct audit_log *audit; /* NULL while it cannot be opened */
	bool audit_ok;
	struct ws *buckets[CORE_BUCKETS]; /* workspaces that are not at rest, by id */
	size_t n_ws;
	struct ask *asks;
	uint64_t next_req;
	struct session *sessions;
	size_t n_sessions;
	uint64_t next_tunnel;
	struct loop_timer sweep;
	struct loop_timer rejoin; /* while a role is away */
	struct loop_timer tidy;
	unsigned n_stored; /* policies since the last bundles_sweep() */
	struct stale *stale; /* compiled policies that cannot be read */
	struct stale *renewing; /* that the compiler has now; NULL: none */
	bool renew_found; /* they were looked for */
	struct loop_timer renew_again;
};

/* The one message being written: nothing is sent while another is being filled. */
extern struct msg core_out;
/* To a role; dropped while it is away. */
void core_send(struct core *c, enum sawd_role to);

/* journal.c: the audit log. Each returns 0 once the event is on disk, or JOURNAL_FAULT with a sentence: then the change may not
 * happen. `detail` may be "". */
#define JOURNAL_FAULT (-ECOMM)
int journal_call(struct core *c, const char *operation, const char *id, const char *name, const char *detail, struct err *e);
/* A call that was written down as made, and was not. */
void journal_failed(struct core *c, enum reason why, const char *operation, const char *id, const char *detail);
int journal_state(struct core *c, const char *word, const char *id, const char *name, const char *detail, struct err *e);
/* Appends the event as it is. */
int journal_event(struct core *c, const struct event *ev, struct err *e);
/* A signed policy that was not taken. */
void journal_refused(struct core *c, enum reason why, const char *channel, const char *detail);
/* The log is open, or could be opened; else `e` says why not. */
bool journal_ok(struct core *c, struct err *e);

/* asks.c: questions to other processes, and their answers. `in` is NULL when the process went away before it answered. The handler
 * takes every field; false: the answer is malformed, nothing was done and `owner` still waits: the channel ends, and it is called again
 * with NULL. */
typedef bool (*ask_fn)(void *owner, struct msg_in *in);
enum { ASK_ANSWERS_MAX = 4, ASK_LAUNCHER = 0 };
/* A kind of question: only the role `to` may answer it (ASK_LAUNCHER: the launcher), and only with a message of one of these types. */
struct ask_kind {
	unsigned to;
	uint16_t answers[ASK_ANSWERS_MAX]; /* 0: no more */
	ask_fn fn;
};
/* The request number for the message being written. Borrows `kind`. */
uint64_t ask_new(struct core *c, const struct ask_kind *kind, void *owner);
/* For permit tables, one for each channel: an answer whose first field is the request number; `owner` is the core. False: nobody asked
 * this of that role. */
bool ask_on_launcher(void *owner, struct msg_in *in);
bool ask_on_keeper(void *owner, struct msg_in *in);
bool ask_on_compiler(void *owner, struct msg_in *in);
void ask_role_gone(struct core *c, enum sawd_role role);
/* No answer goes to `owner` any more. */
void ask_forget(struct core *c, const void *owner);

/* files.c: folders and files of this state folder. */
int files_path(const struct core *c, char ret[PATHS_MAX], const char *id, const char *name, struct err *e);
int files_images(const struct core *c, char ret[PATHS_MAX], struct err *e);
/* Whole or not at all: written beside, synced, renamed, folder synced. Mode 0600. */
int files_put(const char *folder, const char *name, struct bytes data, struct err *e);
/* Also to another file system. One that is not there is fine. */
int files_move(const char *from, const char *to, struct err *e);
/* Removes the folder and all below it, at most a few levels deep. A folder that is not there is fine. */
int files_remove_tree(const char *path, struct err *e);
/* Why a supervisor failed, from its log: its last "failed: ..." sentence, else the sentence of the last line; "" when there is none. */
void files_last_words(const char *path, char *ret, size_t size);
/* True while some process holds the flock on this file; also while that cannot be found out for want of descriptors or memory. */
bool files_locked(const char *path);

/* bundles.c: signed policies, one file each under the release's name. */
int bundles_put(const struct core *c, const char *release, struct bytes raw, struct err *e);
/* From sealed memory. */
int bundles_store(const struct core *c, const char *release, int fd, struct err *e);
/* As sealed memory. Gives a descriptor, or a negative errno with a sentence. */
int bundles_open(const struct core *c, const char *release, struct err *e);
/* As the file `bundle` of a workspace's folder. */
int bundles_copy(const struct core *c, const char *release, const char *folder, struct err *e);
/* Removes those that nothing uses, and compiled policies likewise. */
void bundles_sweep(struct core *c);
/* One more policy is in the store: behind a number of them it is swept, in a moment in which no other is on its way there. */
void bundles_stored(struct core *c);

/* policies.c: compiled policies, stored under their content's hash. */
/* Checks the sealed blob in `fd` and stores it, on disk before it returns. */
int policies_store(struct core *c, int fd, char ret_sha256[65], struct err *e);
/* The stored blob, checked again, as sealed memory. Gives a descriptor, or a negative errno with a sentence. */
int policies_open(const struct core *c, const char *sha256, struct err *e);

/* sign.c: from the text of a policy to a bundle in the store, signed by the local Security key. */
struct sign_order {
	const char *file; /* how messages call it */
	int text_fd; /* sealed; taken */
	uint64_t serial_above;
	const char *remedy; /* of a refusal; a constant */
};
/* NULL: refused or failed, and the call is answered. */
typedef void (*sign_fn)(void *owner, const struct release *r);
void sign_policy(struct core *c, uint64_t req, const struct sign_order *o, sign_fn done, void *owner);

/* renew.c: compiled policies that this version cannot read are compiled anew. */
/* There is a compiler. */
void renew_start(struct core *c);
/* Those that were refused once more: a bundle was given that its channel has already; a key may have come. */
void renew_retry(struct core *c);
/* This record's policy could not be: nothing is bound for it. */
bool renew_failed(const struct core *c, const struct workspace *row);
void renew_deinit(struct core *c);

/* channels.c */
bool channels_on_push(void *owner, struct msg_in *in);
bool channels_on_set(void *owner, struct msg_in *in);
bool channels_on_rollback(void *owner, struct msg_in *in);
bool channels_on_list(void *owner, struct msg_in *in);
bool channels_on_key(void *owner, struct msg_in *in);

/* api.c: calls of front. */
extern const struct chan_permit api_permits[];
extern const size_t n_api_permits;
void api_problem(struct core *c, uint64_t req, const struct sawd_problem *p);
/* Any error of ours as a problem: 503 for the audit log, 500 otherwise. */
void api_error(struct core *c, uint64_t req, int r, const struct err *e);
/* The compiler's list of problems, in `in` behind its request number, passed on as it is. False: malformed. */
bool api_refused(struct core *c, uint64_t req, const char *detail, const char *remedy, struct msg_in *in);
/* The compiler's NOT_NOW, likewise. */
bool api_not_now(struct core *c, uint64_t req, struct msg_in *in);
void api_row(struct core *c, uint64_t req, const struct workspace *w);

/* sessions.c */
bool sessions_on_issue(void *owner, struct msg_in *in);
bool sessions_on_list(void *owner, struct msg_in *in);
bool sessions_on_end(void *owner, struct msg_in *in);
bool sessions_on_tunnel(void *owner, struct msg_in *in);
bool sessions_on_tunnel_closed(void *owner, struct msg_in *in);
/* The workspace is no longer reachable: its sessions end, front cuts their tunnels. */
void sessions_cut(struct core *c, const char *id, const char *why);
void sessions_front_gone(struct core *c);
uint64_t sessions_tunnels(const struct core *c, const char *id);
void sessions_start(struct core *c);
void sessions_deinit(struct core *c);

#endif
