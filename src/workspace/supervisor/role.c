#include "workspace/supervisor/role.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "ipc/audit_msg.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/paths.h"
#include "workspace/supervisor/trail.h"
#include "workspace/supervisor/ws.h"

/* A role has one life cycle: start, configure, ready, end, pause, start. Whatever goes wrong with it (a message that is not
 * permitted, a start that takes too long) becomes an end of its process, so that there is one place where it is missed. */

/* A process that has ended closed its channel; should somebody else hold it, we do not wait for ever. */
enum { LINGER_MS = 1000 };

static struct msg out;

void role_init(struct role *r, struct ws *w, enum role_kind kind, const struct role_ops *ops)
{
	*r = (struct role){ .ws = w, .ops = ops, .kind = kind, .child = CHILD_NONE, .retry_ms = ROLE_RETRY_MS };
}

bool role_runs(const struct role *r)
{
	return r->runs;
}

void role_send(struct role *r, const struct msg *m)
{
	if (r->chan)
		chan_send(r->chan, m);
}

static void on_retry(struct loop_timer *t)
{
	struct role *r = t->owner;

	role_start(r);
}

static void on_slow(struct loop_timer *t)
{
	struct role *r = t->owner;

	(void)snprintf(r->failed, sizeof(r->failed), "was not ready within %d s", ROLE_READY_MS / 1000);
	child_signal(&r->child, SIGKILL);
}

static void on_hang(struct pulse *p)
{
	struct role *r = p->owner;

	(void)snprintf(r->failed, sizeof(r->failed), "did not answer for %d s", PULSE_MS * PULSE_MISSED_MAX / 1000);
	child_signal(&r->child, SIGKILL);
}

static void note(struct role *r, const char *verb, const char *detail)
{
	struct event ev = { .kind = EVENT_ROLE, .action = EVENT_NOTE };

	ev.verb = bytes_str(verb);
	ev.actor = bytes_str(r->ops->name);
	ev.detail = bytes_str(detail);
	ev.pid = (uint32_t)r->pid;
	trail_note(r->ws->trail, &ev);
}

static void try_again(struct role *r)
{
	if (!loop_timer_arm(r->ws->loop, &r->retry, r->retry_ms, on_retry, r))
		ws_fail(r->ws, "out of memory");
	r->retry_ms = r->retry_ms * 2 > ROLE_RETRY_MAX_MS ? ROLE_RETRY_MAX_MS : r->retry_ms * 2;
}

static void missed(struct role *r, const char *why)
{
	struct ws *w = r->ws;

	if (!r->ever_ready && r->ops->has_ready)
		r->failed_starts++;
	if (loop_now_ms(w->loop) - r->started_ms >= ROLE_STEADY_MS)
		r->retry_ms = ROLE_RETRY_MS;
	r->ready = false;
	if (!r->ops->lost(r, why) || ws_stopping(w))
		return;
	if (r->failed_starts >= ROLE_TRIES) {
		ws_fail(w, "%s: %s", r->ops->name, why);
		return;
	}
	r->n_restarts++;
	try_again(r);
}

/* The process has ended and its last message was read. */
static void gone(struct role *r)
{
	char why[sizeof(r->failed) + CHILD_END_TEXT_MAX];
	char how[CHILD_END_TEXT_MAX];

	loop_timer_disarm(&r->slow);
	child_end_text(&r->end, how);
	if (r->failed[0])
		(void)snprintf(why, sizeof(why), "%s", r->failed);
	else
		(void)snprintf(why, sizeof(why), "ended with %s", how);
	r->runs = false;
	pulse_stop(&r->pulse);
	trail_forget(r->ws->trail, r);
	r->chan = chan_free(r->chan);
	if (!r->expected_end) {
		log_line("%s %s", r->ops->name, why);
		note(r, "died", why);
	}
	missed(r, why);
	ws_progress(r->ws);
}

static void on_linger(struct loop_timer *t)
{
	gone(t->owner);
}

static void on_exit(struct loop_io *io, uint32_t events)
{
	struct role *r = io->owner;

	(void)events;
	if (!child_ended(io, &r->child, &r->end))
		return;
	if (r->chan_ended || !loop_timer_arm(r->ws->loop, &r->slow, LINGER_MS, on_linger, r))
		gone(r);
}

static void on_mute(struct loop_timer *t)
{
	struct role *r = t->owner;

	(void)snprintf(r->failed, sizeof(r->failed), "closed its channel and did not end");
	child_signal(&r->child, SIGKILL);
}

static void on_chan_end(void *owner, const char *why)
{
	struct role *r = owner;

	r->chan_ended = true;
	if (r->child.pid <= 0) {
		gone(r);
		return;
	}
	/* It may be about to end by itself, and then says more than "killed". */
	if (strcmp(why, "closed") == 0 && loop_timer_arm(r->ws->loop, &r->slow, LINGER_MS, on_mute, r))
		return;
	(void)snprintf(r->failed, sizeof(r->failed), "sent %s", why);
	child_signal(&r->child, SIGKILL);
}

static int spawn(struct role *r, int *ret_fd, struct err *e)
{
	char path[PATHS_MAX];
	char title[80];
	int pair[2];
	struct ws *w = r->ws;
	struct child_fd fds[CHILD_FDS_MAX] = { { .to = IPC_PARENT_FD }, { .from = 2, .to = 2 } };
	struct child_spec s = { .path = path, .title = title, .fds = fds, .n_fds = 2 };
	int res = paths_helper(r->ops->binary, path, e);

	if (res < 0 || (res = chan_pair(pair, e)) < 0)
		return res;
	(void)snprintf(title, sizeof(title), "%s: %.*s", r->ops->binary, (int)w->spec.name.len,
		       (const char *)w->spec.name.p);
	fds[0].from = pair[1];
	if (r->kind == ROLE_TRY) {
		s.args = (const char *const *)w->command.command;
		s.flags = CHILD_SAME_SESSION | CHILD_KEEP_ENV;
		for (int i = 0; i < 3; i++)
			fds[s.n_fds++] = (struct child_fd){ .from = w->command.stdio[i], .to = IPC_PARENT_FD + 1 + i };
	}
	res = child_start(&r->child, &s, e);
	(void)fd_close(pair[1]);
	if (res < 0)
		(void)fd_close(pair[0]);
	else
		*ret_fd = pair[0];
	return res;
}

static int start(struct role *r, struct err *e)
{
	struct ws *w = r->ws;
	int fd = -1;
	int res;

	r->failed[0] = '\0';
	r->ready = false;
	r->expected_end = false;
	r->chan_ended = false;
	r->started_ms = loop_now_ms(w->loop);
	res = spawn(r, &fd, e);
	if (res < 0)
		return res;
	res = chan_new(&r->chan, w->loop, fd, r->ops->permits, r->ops->n_permits, on_chan_end, r, e);
	if (res == 0)
		res = loop_io_add(w->loop, &r->exit_io, r->child.pid_fd, EPOLLIN, on_exit, r, e);
	if (res < 0) {
		r->chan = chan_free(r->chan);
		child_kill(&r->child);
		return res;
	}
	r->pid = r->child.pid;
	r->runs = true;
	if (r->ops->has_ready)
		(void)loop_timer_arm(w->loop, &r->slow, ROLE_READY_MS, on_slow, r);
	return 0;
}

void role_start(struct role *r)
{
	struct err e = { 0 };

	must(r->ops && !role_runs(r));
	if (ws_stopping(r->ws))
		return;
	if (start(r, &e) < 0) {
		log_line("%s: %s", r->ops->name, e.text);
		missed(r, e.text);
		return;
	}
	note(r, r->ever_ready || r->n_restarts ? "restarted" : "started", "");
	r->ops->configure(r);
}

void role_stop(struct role *r)
{
	loop_timer_disarm(&r->retry);
	if (!role_runs(r))
		return;
	r->expected_end = true;
	pulse_stop(&r->pulse);
	msg_start(&out, MSG_STOP);
	role_send(r, &out);
}

void role_kill(struct role *r)
{
	loop_timer_disarm(&r->retry);
	r->expected_end = true;
	child_signal(&r->child, SIGKILL);
}

void role_deinit(struct role *r)
{
	loop_timer_disarm(&r->retry);
	loop_timer_disarm(&r->slow);
	pulse_stop(&r->pulse);
	loop_io_remove(&r->exit_io);
	r->chan = chan_free(r->chan);
	child_kill(&r->child);
}

bool role_on_ready(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	(void)in;
	if (r->ready)
		return false;
	r->ready = true;
	r->ever_ready = true;
	/* Of a role without has_ready it says only that the process began: what makes its start a good one is known to its ops. */
	if (r->ops->has_ready)
		r->failed_starts = 0;
	loop_timer_disarm(&r->slow);
	if (r->ops->has_ready && !pulse_start(&r->pulse, r->ws->loop, r->chan, on_hang, r))
		return false;
	ws_progress(r->ws);
	return true;
}

bool role_on_pong(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	(void)in;
	return pulse_heard(&r->pulse);
}

bool role_on_failed(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	struct bytes why = msg_get_bytes(in, ERR_MAX);

	if (!msg_end(in))
		return false;
	(void)snprintf(r->failed, sizeof(r->failed), "%.*s", (int)why.len, (const char *)why.p);
	return true;
}

static void on_written(void *owner, uint64_t id, bool ok)
{
	struct role *r = owner;

	msg_start(&out, MSG_EVENT_DONE);
	msg_u64(&out, id);
	msg_u64(&out, ok);
	if (r->chan)
		chan_post(r->chan, &out);
}

bool role_on_event(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t id = msg_get_u64(in);
	struct event ev;

	if (!audit_msg_get(in, &ev) || !msg_end(in) || !(r->ops->events[ev.kind] & 1U << ev.action))
		return false;
	if (ev.credential.len && !r->ops->spends)
		return false;
	if (ev.generation && !trail_knows(r->ws->trail, ev.generation))
		return false;
	/* Whatever a role says about itself: who said it, and when, is known here. */
	ev.actor = bytes_str(r->ops->name);
	ev.at_ms = 0;
	ev.pid = 0;
	if (ev.action == EVENT_CLOSED && !id)
		trail_lazily(r->ws->trail, &ev);
	else
		trail_write(r->ws->trail, &ev, id, on_written, r);
	return true;
}
