/* One function per state, each of which looks at what is desired and at what is there, and does the next thing. It is called after
 * every change, answer, and time-out; calling it once too often is harmless. What a step begins is written down before (ws_begin), so
 * that after a crash the same step runs again. A supervisor outlives us: at our start each record that may have one is first asked
 * for it (`adopting`). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/secrets.h"

enum { LOG_MAX = 16 * 1024 * 1024, ADOPT_MS = 100 };

static bool wants_down(const struct ws *w)
{
	return w->desired != SAWD_WANT_RUNNING || w->core->draining || (w->row.pending & (WORKSPACE_RESTART | WORKSPACE_REBUILD));
}

static uint64_t now(const struct ws *w)
{
	return loop_now_ms(w->core->loop);
}

static bool late(const struct ws *w)
{
	return w->deadline_ms && now(w) >= w->deadline_ms;
}

static void clear_pending(struct ws *w, uint64_t bits)
{
	struct err e = { 0 };

	if (!(w->row.pending & bits))
		return;
	w->row.pending &= ~bits;
	if (ws_save(w, &e) < 0)
		log_line("%s: %s", w->row.name, e.text);
}

/* An action could not be written down, or what it needs is restarting: the same step again, later. Nobody who goes down waits for that. */
static void put_off(struct ws *w)
{
	ws_kick_in(w, w->retry_ms);
	w->retry_ms = w->retry_ms * 2 > WS_RETRY_MAX_MS ? WS_RETRY_MAX_MS : w->retry_ms * 2;
	reconcile_drained(w->core);
}

void reconcile_put_off(struct ws *w)
{
	w->busy = false;
	put_off(w);
}

void reconcile_provisioned(struct ws *w, const char *fault)
{
	w->busy = false;
	if (fault) {
		ws_fail(w, "could not be set up: %s", fault);
		return;
	}
	if (w->state == SAWD_REBUILDING)
		clear_pending(w, WORKSPACE_REBUILD);
	/* Whoever waits for "running" sees no "stopped" on the way there. */
	if (wants_down(w) || w->state == SAWD_REBUILDING)
		ws_set(w, SAWD_STOPPED, "");
	ws_kick(w);
}

static void provision(struct ws *w)
{
	if (!ws_begin(w, SAWD_PROVISIONING, "")) {
		put_off(w);
		return;
	}
	w->busy = true;
	provision_start(w);
}

static int open_log(struct ws *w, struct err *e)
{
	char path[PATHS_MAX];
	char old[PATHS_MAX];
	struct stat st;
	int r = files_path(w->core, path, w->row.id, "supervisor.log", e);
	int fd;

	r = r < 0 ? r : files_path(w->core, old, w->row.id, "supervisor.log.1", e);
	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && st.st_size > LOG_MAX)
		(void)rename(path, old);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

static bool on_spawned(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	bool ok = in && msg_get_max(in, 1) == 1;
	struct bytes why = in ? msg_get_bytes(in, ERR_MAX) : bytes_of(NULL, 0);

	if (in && !msg_end(in))
		return false;
	w->busy = false;
	if (!ok)
		ws_fail(w, "its supervisor could not be started: %.*s", (int)why.len, (const char *)why.p);
	else
		ws_kick(w);
	return true;
}

static const struct ask_kind spawned = { ASK_LAUNCHER, { MSG_SAWD_SPAWNED }, on_spawned };

/* What makes disks would make an empty one in its place. */
static bool has_home(struct ws *w)
{
	if (!provision_home_is_gone(w))
		return true;
	ws_fail(w, "its home disk is gone: is everything mounted below the state folder? Put workspaces/%s/home.img back, or delete the workspace", w->row.id);
	return false;
}

static void start(struct ws *w)
{
	struct core *c = w->core;
	struct err e = { 0 };
	FD_AUTO int log_fd = -1;
	uint64_t req;
	int r;

	if (now(w) < w->not_before_ms) {
		ws_kick_in(w, w->not_before_ms - now(w));
		return;
	}
	if (!ws_has_room(w))
		return;
	if (!has_home(w))
		return;
	if (provision_outdated(w)) {
		w->row.pending |= WORKSPACE_PROVISION;
		provision(w);
		return;
	}
	if (!ws_begin(w, SAWD_STARTING, "")) {
		put_off(w);
		return;
	}
	r = provision_refresh(w, &e);
	if (r == 0)
		r = log_fd = open_log(w, &e);
	if (r < 0) {
		ws_fail(w, "could not be started: %s", e.text);
		return;
	}
	w->ended = false;
	w->spawned_ms = now(w);
	w->sup_state = (enum ipc_state)0;
	w->busy = true;
	w->deadline_ms = now(w) + WS_CONNECT_MAX_MS;
	req = w->spawn_req = ask_new(c, &spawned, w);
	msg_start(&core_out, MSG_SAWD_SPAWN);
	msg_u64(&core_out, req);
	msg_str(&core_out, w->row.id);
	msg_str(&core_out, w->row.name);
	msg_u64(&core_out, w->row.driver);
	msg_fd(&core_out, log_fd);
	chan_send(c->parent, &core_out);
}

static void begin_stop(struct ws *w)
{
	sessions_cut(w->core, w->row.id, "the workspace is being stopped");
	ws_set(w, SAWD_STOPPING, "");
	w->plug_pulled = false;
	w->grace_sent = false;
	ws_kick(w);
}

/* The supervisor went away while nobody wanted that. */
static void lost(struct ws *w)
{
	bool clean = w->sup_state == IPC_STATE_STOPPED || w->sup_state == IPC_STATE_STOPPING;

	sessions_cut(w->core, w->row.id, "the workspace is not running any more");
	if (w->running_since_ms && now(w) - w->running_since_ms > WS_STEADY_MS)
		w->retry_ms = WS_RETRY_MS;
	w->running_since_ms = 0;
	if (w->sup_state == IPC_STATE_FAILED)
		ws_fail(w, "%s", w->sup_detail);
	else if (clean)
		ws_fail(w, "it ended by itself (%s); desired is running, so it is started again", w->sup_detail);
	else
		ws_fail(w, "its supervisor ended unexpectedly: see `saw log`");
}

/* Nobody was connected to hear why: it stands in its log. */
static void fail_with_last_words(struct ws *w)
{
	char path[PATHS_MAX];
	char words[600] = "";
	struct err e = { 0 };

	if (files_path(w->core, path, w->row.id, "supervisor.log", &e) == 0)
		files_last_words(path, words, sizeof(words));
	ws_fail(w, "%s", *words ? words : "its supervisor ended at once: see `saw log`");
}

static void connect_again(struct ws *w)
{
	control_reach(w);
	/* The end of one that an earlier launcher started is told by nobody: its lock says it. */
	if (!control_alive(w) && (w->ended || now(w) - w->spawned_ms > WS_LOCK_MS)) {
		w->deadline_ms = 0;
		if (wants_down(w))
			ws_set(w, SAWD_STOPPED, "");
		else
			fail_with_last_words(w);
		ws_kick(w);
		return;
	}
	if (late(w)) {
		ws_fail(w, "its supervisor does not answer%s", control_alive(w) ? " but runs: see `saw log`" : "");
		return;
	}
	ws_kick_in(w, WS_CONNECT_MS);
}

/* Stored, but not handed over: its channel moved, or we were restarted in between. Not only to one that runs: a guest says by itself whether
 * it ever answers, and is on the network until then. */
static void hand_policy_over(struct ws *w)
{
	if (w->loaded_generation && w->loaded_generation < w->row.generation && w->sent_generation < w->row.generation && !w->policy_asked)
		control_policy(w, NULL, NULL);
}

static void step_starting(struct ws *w)
{
	if (!w->control) {
		if (w->sup_state)
			lost(w);
		else
			connect_again(w);
		return;
	}
	if (wants_down(w)) {
		begin_stop(w);
		return;
	}
	if (w->sup_state == IPC_STATE_RUNNING) {
		w->deadline_ms = 0;
		w->running_since_ms = now(w);
		ws_set(w, SAWD_RUNNING, w->sup_detail);
		ws_kick(w);
	} else if (w->sup_state == IPC_STATE_STARTING) {
		ws_set(w, SAWD_STARTING, w->sup_detail);
		hand_policy_over(w);
	}
}

static void step_running(struct ws *w)
{
	if (!w->control) {
		lost(w);
		return;
	}
	if (wants_down(w)) {
		begin_stop(w);
		return;
	}
	if (w->sup_state == IPC_STATE_STARTING)
		ws_set(w, SAWD_STARTING, w->sup_detail);
	else if (w->sup_state == IPC_STATE_RUNNING)
		ws_set(w, SAWD_RUNNING, w->sup_detail);
	hand_policy_over(w);
}

static void stopped(struct ws *w)
{
	w->deadline_ms = 0;
	w->running_since_ms = 0;
	w->sup_state = (enum ipc_state)0;
	clear_pending(w, WORKSPACE_RESTART);
	ws_set(w, SAWD_STOPPED, "");
	ws_kick(w);
}

/* The plug first. A supervisor that does not see to that either (it hangs) is ended, and with it whatever it started. */
static void overdue(struct ws *w)
{
	if (!w->plug_pulled && w->grace_ms) {
		control_shutdown(w, 0);
		ws_set(w, SAWD_STOPPING, "its supervisor takes long to stop it; the plug is pulled");
	} else {
		control_kill(w);
		ws_set(w, SAWD_STOPPING, "its supervisor does not stop it; it is ended");
	}
	w->plug_pulled = true;
	w->deadline_ms = now(w) + WS_OVERDUE_MS;
	ws_kick_in(w, WS_OVERDUE_MS + 10);
}

static void step_stopping(struct ws *w)
{
	if (!w->control) {
		if (!control_alive(w)) {
			stopped(w);
			return;
		}
		/* It cleans up; or its socket is not yet there, or the channel alone has ended: then it is told anew. */
		if (w->sup_state != IPC_STATE_STOPPED && w->sup_state != IPC_STATE_FAILED) {
			w->grace_sent = false;
			control_reach(w);
		}
		ws_kick_in(w, WS_CONNECT_MS);
		return;
	}
	if (!w->grace_sent) {
		control_shutdown(w, w->grace_ms);
		w->grace_sent = true;
		w->deadline_ms = now(w) + w->grace_ms + WS_OVERDUE_MS;
		ws_kick_in(w, w->grace_ms + WS_OVERDUE_MS + 10);
	} else if (late(w)) {
		overdue(w);
	}
}

static void rest(struct ws *w)
{
	struct core *c = w->core;

	ws_free(w);
	reconcile_drained(c);
}

static void delete_later(struct ws *w, const char *why)
{
	log_line("delete %s: %s", w->row.name, why);
	ws_set(w, SAWD_DELETING, why);
	put_off(w);
}

static void step_deleting(struct ws *w)
{
	struct err e = { 0 };

	if (w->control || control_alive(w)) {
		step_stopping(w);
		return;
	}
	if (!ws_begin(w, SAWD_DELETING, "")) {
		put_off(w);
		return;
	}
	if (provision_destroy(w, &e) < 0)
		delete_later(w, e.text);
	else
		supply_forget(w);
}

/* The record goes last: as long as it is there, what is left of the workspace is looked for. */
void reconcile_forgotten(struct ws *w, const char *fault)
{
	struct core *c = w->core;
	struct err e = { 0 };
	struct workspace row;

	w->busy = false;
	if (*fault) {
		delete_later(w, fault);
		return;
	}
	if (journal_state(c, "deleted", w->row.id, w->row.name, "", &e) < 0 || workspaces_delete(c->db, w->row.id, &e) < 0) {
		delete_later(w, e.text);
		return;
	}
	row = w->row;
	(void)snprintf(row.state, sizeof(row.state), "%s", sawd_state_text(SAWD_DELETED));
	row.detail[0] = '\0';
	api_row(c, 0, &row);
	rest(w);
}

static void step_rebuilding(struct ws *w)
{
	struct err e = { 0 };

	if (provision_home_is_gone(w)) {
		if (w->desired != SAWD_WANT_RUNNING) /* it would not come to rest */
			clear_pending(w, WORKSPACE_REBUILD);
		(void)has_home(w);
		return;
	}
	if (provision_drop_overlay(w, &e) < 0) {
		ws_fail(w, "could not be rebuilt: %s", e.text);
		return;
	}
	w->busy = true;
	provision_start(w);
}

static void step_stopped(struct ws *w)
{
	if (w->desired == SAWD_WANT_DELETED) {
		step_deleting(w);
	} else if (w->row.pending & WORKSPACE_PROVISION) {
		provision(w);
	} else if (w->row.pending & WORKSPACE_REBUILD) {
		if (!ws_begin(w, SAWD_REBUILDING, "")) {
			put_off(w);
			return;
		}
		step_rebuilding(w);
	} else {
		clear_pending(w, WORKSPACE_RESTART);
		if (w->desired == SAWD_WANT_RUNNING && !w->core->draining)
			start(w);
		else
			rest(w);
	}
}

/* There is a supervisor all the same: one that is cleaning up, or one that lives on and was given up too early. */
static void meet_survivor(struct ws *w)
{
	if (!w->control) {
		control_reach(w);
		ws_kick_in(w, WS_RETRY_MS);
		return;
	}
	if (w->sup_state == IPC_STATE_STARTING || w->sup_state == IPC_STATE_RUNNING) {
		ws_set(w, SAWD_STARTING, "");
		ws_kick(w);
	} else if (!w->sup_state && wants_down(w)) {
		begin_stop(w);
	}
}

/* What was begun is to be tried again first, and not at once. */
static bool waits_to_go_on(const struct ws *w)
{
	return (w->row.pending & WORKSPACE_PROVISION) || ((w->row.pending & WORKSPACE_REBUILD) && now(w) < w->not_before_ms);
}

static void step_failed(struct ws *w)
{
	if (w->control || control_alive(w)) {
		meet_survivor(w);
		return;
	}
	w->sup_state = (enum ipc_state)0;
	if (w->desired == SAWD_WANT_DELETED) {
		step_deleting(w);
	} else if (w->desired == SAWD_WANT_STOPPED && !waits_to_go_on(w)) {
		stopped(w);
	} else if (w->core->draining) {
		reconcile_drained(w->core);
	} else if (now(w) < w->not_before_ms) {
		ws_kick_in(w, w->not_before_ms - now(w));
	} else if (w->row.pending & WORKSPACE_PROVISION) {
		provision(w);
	} else if (w->row.pending & WORKSPACE_REBUILD) {
		step_stopped(w);
	} else {
		/* It is down: to start it is all that was left to do of that. */
		clear_pending(w, WORKSPACE_RESTART);
		start(w);
	}
}

/* Is there a supervisor from before our start? */
static void step_adopt(struct ws *w)
{
	if (w->control) {
		log_line("%s: its supervisor runs: adopted", w->row.name);
		w->adopting = false;
		/* What it says next decides; until then the record's state stands. */
		if (w->state != SAWD_RUNNING && w->state != SAWD_STOPPING && w->state != SAWD_DELETING)
			ws_set(w, SAWD_STARTING, "");
		if (w->state == SAWD_STARTING)
			w->deadline_ms = 0;
		ws_kick(w);
		return;
	}
	if (control_alive(w)) {
		control_reach(w);
		ws_kick_in(w, ADOPT_MS);
		return;
	}
	w->adopting = false;
	if (w->state == SAWD_STARTING || w->state == SAWD_RUNNING || w->state == SAWD_STOPPING)
		ws_set(w, SAWD_STOPPED, "");
	ws_kick(w);
}

void reconcile_step(struct ws *w)
{
	control_policy_late(w);
	if (w->busy)
		return;
	if (w->adopting) {
		step_adopt(w);
		return;
	}
	/* Connected, but it has not said yet where it stands; it may hang, and who wants it down does not wait for its word. */
	if (w->control && !w->sup_state && !wants_down(w))
		return;
	switch (w->state) {
	case SAWD_REQUESTED:
	case SAWD_PROVISIONING:
	case SAWD_STOPPED:
		step_stopped(w);
		break;
	case SAWD_STARTING:
		step_starting(w);
		break;
	case SAWD_RUNNING:
		step_running(w);
		break;
	case SAWD_STOPPING:
		step_stopping(w);
		break;
	case SAWD_REBUILDING:
		step_rebuilding(w);
		break;
	case SAWD_DELETING:
		step_deleting(w);
		break;
	case SAWD_FAILED:
	case SAWD_DELETED:
	case SAWD_STATE_END:
	default:
		step_failed(w);
		break;
	}
}

bool reconcile_on_ended(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	uint64_t req = msg_get_u64(in);
	struct bytes how = msg_get_bytes(in, ERR_MAX);
	struct ws *w;

	if (in->bad)
		return false;
	w = ws_find(c, id);
	if (w) {
		log_line("%s: its supervisor ended with %.*s", w->row.name, (int)how.len, (const char *)how.p);
		w->ended = w->ended || req == w->spawn_req;
		ws_kick(w);
	}
	return true;
}

static bool wake_one(void *ctx, const struct workspace *row)
{
	struct ws *w = ws_new(ctx, row);

	if (!w)
		return false;
	w->adopting = true;
	/* At once, so that it is mostly adopted by the time that we serve. */
	if (control_alive(w))
		control_reach(w);
	ws_kick(w);
	return true;
}

int reconcile_start(struct core *c, struct err *e)
{
	provision_sweep(c);
	bundles_sweep(c);
	return workspaces_unsettled(c->db, wake_one, c, e);
}

/* One that starts may have a supervisor whose lock nobody sees yet. */
static bool is_down(const struct ws *w)
{
	return w->state != SAWD_STARTING && !w->busy && !w->control && !control_alive(w);
}

void reconcile_drained(struct core *c)
{
	if (!c->draining)
		return;
	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (const struct ws *w = c->buckets[i]; w; w = w->next)
			if (!is_down(w))
				return;
	msg_start(&core_out, MSG_SAWD_DOWN);
	chan_send(c->parent, &core_out);
}
