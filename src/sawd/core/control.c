#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/audit_msg.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/secrets.h"

/* The channel to one supervisor. Its end is the supervisor's end: what it last said then decides between stopped and failed. */

enum { SSH_PORT = 22, BUNDLE_VERSION = 2 /* of the control channel, that knows signed policies */, AGAIN_VERSION = 3 };

static bool on_hello(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	uint64_t version = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);

	(void)msg_get_u64(in);
	if (!msg_end(in) || version < IPC_CONTROL_OLDEST || version > IPC_CONTROL_VERSION || !bytes_is(id, w->row.id))
		return false;
	w->control_version = version;
	w->greeted = true;
	supply_open(w);
	return true;
}

static void send_policy(struct ws *w);

/* Its supervisor was busy with this one, and what it was sent meanwhile, by us or by who was here before us, it refused unseen. */
static void loaded(struct ws *w, uint64_t generation)
{
	if (generation != w->loaded_generation && !w->policy_asked)
		w->sent_generation = generation;
	w->loaded_generation = generation;
}

/* The gateway judges by the record's policy: from its serial on others count as older or newer. */
static void in_force(struct ws *w)
{
	struct err e = { 0 };

	if (w->row.loaded_serial == w->row.serial)
		return;
	w->row.loaded_serial = w->row.serial;
	if (ws_save(w, &e) < 0)
		log_line("%s: %s", w->row.name, e.text);
}

static bool on_state(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	enum ipc_state state = (enum ipc_state)msg_get_max(in, IPC_STATE_FAILED);
	uint64_t since = msg_get_u64(in);
	uint64_t generation = msg_get_u64(in);
	uint64_t accel = msg_get_max(in, IPC_ACCEL_TCG);
	uint64_t restarts = msg_get_u64(in);
	struct bytes detail = msg_get_bytes(in, ERR_MAX);

	(void)since;
	if (!msg_end(in) || !state || !w->greeted)
		return false;
	w->sup_state = state;
	loaded(w, generation);
	if (generation && generation == w->row.generation) {
		memcpy(w->bound_sha256, w->row.policy_sha256, sizeof(w->bound_sha256));
		in_force(w);
	}
	w->restarts = restarts;
	w->row.accel_in_use = accel;
	(void)snprintf(w->sup_detail, sizeof(w->sup_detail), "%.*s", (int)detail.len, (const char *)detail.p);
	ws_kick(w);
	return true;
}

static void policy_end(struct ws *w, bool ok, const char *why)
{
	ws_policy_fn fn = w->policy_done;

	w->policy_done = NULL;
	w->policy_deadline_ms = 0;
	if (fn)
		fn(w->policy_owner, ok, why);
}

static void on_again(struct loop_timer *t)
{
	struct ws *w = t->owner;

	if (!w->policy_asked && w->loaded_generation < w->row.generation)
		send_policy(w);
}

/* In how many seconds. */
static unsigned send_again_later(struct ws *w)
{
	uint64_t ms = w->policy_again_ms ? w->policy_again_ms * 2 : WS_POLICY_RETRY_MS;

	w->policy_again_ms = ms > WS_POLICY_RETRY_MAX_MS ? WS_POLICY_RETRY_MAX_MS : ms;
	(void)loop_timer_arm(w->core->loop, &w->policy_again, w->policy_again_ms, on_again, w);
	return (unsigned)(w->policy_again_ms / 1000);
}

/* The latest is in force, or on its way for the first time, or nobody is there to take it. */
static void forget_again(struct ws *w)
{
	loop_timer_disarm(&w->policy_again);
	w->policy_again_ms = 0;
}

static bool on_policy_done(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	uint64_t generation = msg_get_u64(in);
	bool ok = msg_get_max(in, 1) == 1;
	struct bytes why = msg_get_bytes(in, ERR_MAX);
	bool again = w->control_version >= AGAIN_VERSION && msg_get_max(in, 1) == 1;
	char text[SAWD_DETAIL_MAX];

	if (!msg_end(in) || !w->greeted)
		return false;
	if (generation == w->sent_generation)
		w->policy_asked = false;
	if (ok)
		loaded(w, generation);
	(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, (const char *)why.p);
	if (!ok)
		log_line("%s: policy generation %llu was refused: %s", w->row.name, (unsigned long long)generation, text);
	if (ok && generation == w->row.generation) {
		forget_again(w);
		in_force(w);
		supply_settle(w);
	}
	if (generation != w->sent_generation)
		return true;
	if (generation < w->row.generation) {
		send_policy(w);
		return true;
	}
	if (!ok && again)
		(void)snprintf(text, sizeof(text), "%.*s; it is sent again in %u s", (int)(why.len < 900 ? why.len : 900), (const char *)why.p,
			       send_again_later(w));
	policy_end(w, ok, text);
	return true;
}

static bool on_guest_connected(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	uint64_t id = msg_get_u64(in);
	int fd = msg_try_fd(in);

	if (!msg_end(in)) {
		(void)fd_close(fd);
		return false;
	}
	sessions_connected(w->core, w, id, fd, bytes_str(fd < 0 ? "sawd has no descriptor free" : ""));
	return true;
}

static bool on_guest_refused(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	uint64_t id = msg_get_u64(in);
	struct bytes why = msg_get_bytes(in, ERR_MAX);

	if (!msg_end(in))
		return false;
	sessions_connected(w->core, w, id, -1, why);
	return true;
}

static bool on_event_done(void *owner, struct msg_in *in)
{
	(void)owner;
	(void)msg_get_u64(in);
	(void)msg_get_u64(in);
	return true;
}

static const struct chan_permit permits[] = {
	{ MSG_HELLO, on_hello },		   { MSG_STATE, on_state },
	{ MSG_POLICY_DONE, on_policy_done },	   { MSG_GUEST_CONNECTED, on_guest_connected },
	{ MSG_GUEST_REFUSED, on_guest_refused }, { MSG_EVENT_DONE, on_event_done },
};

static void on_end(void *owner, const char *why)
{
	struct ws *w = owner;

	if (strcmp(why, "closed") != 0)
		log_line("%s: control channel: %s", w->row.name, why);
	control_close(w);
	ws_kick(w);
}

static int attach(struct ws *w, int fd, struct err *e)
{
	struct core *c = w->core;
	int r = chan_new(&w->control, c->loop, fd, permits, sizeof(permits) / sizeof(permits[0]), on_end, w, e);

	if (r < 0)
		return r;
	w->greeted = false;
	w->sup_state = (enum ipc_state)0;
	w->sup_detail[0] = '\0';
	msg_start(&core_out, MSG_HELLO);
	msg_u64(&core_out, IPC_CONTROL_OLDEST);
	msg_str(&core_out, w->row.id);
	msg_u64(&core_out, (uint64_t)getpid());
	chan_send(w->control, &core_out);
	return 0;
}

/* In this state a supervisor is looked for, or met. */
static bool may_have_one(const struct ws *w)
{
	return w->adopting || w->state == SAWD_STARTING || w->state == SAWD_RUNNING || w->state == SAWD_STOPPING || w->state == SAWD_FAILED ||
	       w->state == SAWD_DELETING;
}

/* That is no reason to end: whoever comes after us would find as little. */
static void no_room(const struct ws *w)
{
	static struct log_meter meter;

	if (log_room(&meter, loop_now_ms(w->core->loop)))
		log_line("%s: no descriptor is free for the channel to its supervisor: it is asked for again", w->row.name);
}

static bool on_connected(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	bool ok = in && msg_get_max(in, 1) == 1;
	FD_AUTO int fd = ok ? msg_try_fd(in) : -1;
	struct err e = { 0 };

	if (in && !msg_end(in))
		return false;
	w->reaching = false;
	if (!ok || w->control || !may_have_one(w))
		return true;
	/* One that ends at once (its supervisor is of a newer saw, has too many peers, or no room for what it is sent) would only end again. */
	w->reach_after_ms = loop_now_ms(w->core->loop) + WS_RETRY_MS;
	if (fd < 0) {
		no_room(w);
		return true;
	}
	if (attach(w, fd_take(&fd), &e) < 0)
		log_line("%s: %s", w->row.name, e.text);
	ws_kick(w);
	return true;
}

static const struct ask_kind connected = { ASK_LAUNCHER, { MSG_SAWD_CONNECTED }, on_connected };

void control_reach(struct ws *w)
{
	uint64_t req;

	if (w->control || w->reaching || loop_now_ms(w->core->loop) < w->reach_after_ms)
		return;
	w->reaching = true;
	req = ask_new(w->core, &connected, w);
	msg_start(&core_out, MSG_SAWD_CONNECT);
	msg_u64(&core_out, req);
	msg_str(&core_out, w->row.id);
	chan_send(w->core->parent, &core_out);
}

void control_close(struct ws *w)
{
	if (!w->control)
		return;
	w->control = chan_free(w->control);
	w->greeted = false;
	w->loaded_generation = 0;
	w->sent_generation = 0;
	w->policy_asked = false;
	forget_again(w);
	policy_end(w, false, "the workspace stopped meanwhile");
}

void control_shutdown(struct ws *w, uint64_t grace_ms)
{
	if (!w->control)
		return;
	msg_start(&core_out, MSG_SHUTDOWN);
	msg_u64(&core_out, grace_ms);
	chan_send(w->control, &core_out);
}

void control_kill(const struct ws *w)
{
	msg_start(&core_out, MSG_SAWD_KILL);
	msg_str(&core_out, w->row.id);
	chan_send(w->core->parent, &core_out);
}

/* On disk first: a supervisor that is started again begins with the new one. */
static int open_bundle(struct ws *w, struct err *e)
{
	int r;

	if (!w->control)
		return err_set(e, ENOTCONN, "the workspace does not run");
	if (w->control_version < BUNDLE_VERSION)
		return err_set(e, EPROTO, "its supervisor is of an older version: `saw restart %s` lets it begin with this policy", w->row.name);
	r = provision_refresh(w, e);
	return r < 0 ? r : bundles_open(w->core, w->row.release, e);
}

static void send_policy(struct ws *w)
{
	struct err e = { 0 };
	FD_AUTO int fd = open_bundle(w, &e);

	if (fd < 0) {
		if (w->control_version >= BUNDLE_VERSION && w->control && !w->policy_again.slot)
			(void)send_again_later(w);
		policy_end(w, false, e.text);
		return;
	}
	if (w->sent_generation != w->row.generation)
		forget_again(w);
	supply_widen(w);
	w->sent_generation = w->row.generation;
	w->policy_asked = true;
	w->policy_deadline_ms = loop_now_ms(w->core->loop) + WS_POLICY_MS;
	msg_start(&core_out, MSG_BUNDLE);
	msg_u64(&core_out, w->row.generation);
	msg_u64(&core_out, w->row.rollback);
	msg_str(&core_out, w->row.channel);
	msg_fd(&core_out, fd);
	chan_send(w->control, &core_out);
	ws_kick_in(w, WS_POLICY_MS + 10);
}

/* A supervisor takes one policy at a time: the next goes when it has answered. */
void control_policy(struct ws *w, ws_policy_fn fn, void *owner)
{
	/* An older question gets no answer of its own any more: what it asked for is superseded. */
	policy_end(w, true, "");
	w->policy_done = fn;
	w->policy_owner = owner;
	if (w->policy_asked && w->control) {
		w->policy_deadline_ms = loop_now_ms(w->core->loop) + WS_POLICY_MS;
		ws_kick_in(w, WS_POLICY_MS + 10);
	} else {
		send_policy(w);
	}
}

void control_policy_late(struct ws *w)
{
	if (w->policy_deadline_ms && loop_now_ms(w->core->loop) >= w->policy_deadline_ms)
		policy_end(w, false, "its supervisor has not taken the policy in time");
}

bool control_alive(const struct ws *w)
{
	char path[PATHS_MAX];
	int n = snprintf(path, sizeof(path), "%s/ws/%s/lock", w->core->run, w->row.id);

	return n > 0 && n < PATHS_MAX && files_locked(path);
}

void control_guest(struct ws *w, uint64_t id)
{
	msg_start(&core_out, MSG_GUEST_CONNECT);
	msg_u64(&core_out, id);
	msg_u64(&core_out, SSH_PORT);
	chan_send(w->control, &core_out);
}

void control_event(struct ws *w, const struct event *ev)
{
	if (!w->control || !w->greeted)
		return;
	msg_start(&core_out, MSG_EVENT);
	msg_u64(&core_out, 0);
	audit_msg_put(&core_out, ev);
	chan_send(w->control, &core_out);
}
