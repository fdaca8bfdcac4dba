#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/types.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/launcher/launcher.h"

/* Core is the hub: each other role has one channel to it, made here and given to both ends, and made anew whenever either end is
 * replaced. A role that dies comes back after a back-off; meanwhile what needs it is refused, nothing waits for ever. */

static struct msg out;

static const struct {
	const char *binary;
	const char *name;
} programs[SAWD_ROLE_END] = {
	[SAWD_FRONT] = { "sawd-front", "front" },
	[SAWD_CORE] = { "sawd-core", "core" },
	[SAWD_KEEPER] = { "sawd-keeper", "keeper" },
	[SAWD_COMPILER] = { "sawd-compiler", "compiler" },
};

static void start(struct role *r);

/* systemd hands a service its credentials as files of this folder. */
static void seal_credential(char ret[PATHS_MAX])
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	ret[0] = '\0';
	if (!folder || paths_join(ret, folder, "saw-seal-key", NULL) < 0 || access(ret, F_OK) < 0)
		ret[0] = '\0';
}

static void send_config(struct role *r)
{
	struct launcher *l = r->launcher;
	bool root = geteuid() == 0;
	char keys[PATHS_MAX];

	switch (r->kind) {
	case SAWD_FRONT:
		msg_start(&out, MSG_SAWD_FRONT_CONFIG);
		msg_u64(&out, root ? SAWD_ROLE_UIDS : 0);
		msg_u64(&out, geteuid());
		msg_u64(&out, (uint64_t)getpid());
		msg_u64(&out, l->lab);
		msg_u64(&out, l->session_idle_ms);
		msg_str(&out, l->state);
		msg_str(&out, l->run);
		msg_fd(&out, l->listen_fd);
		break;
	case SAWD_CORE:
		msg_start(&out, MSG_SAWD_CORE_CONFIG);
		msg_u64(&out, geteuid());
		msg_u64(&out, l->lab);
		msg_u64(&out, l->session_max_ms);
		msg_u64(&out, l->running_max);
		msg_str(&out, l->owner);
		msg_str(&out, l->state);
		msg_str(&out, l->run);
		msg_str(&out, l->resolv_conf);
		break;
	case SAWD_KEEPER:
		(void)paths_join(keys, l->state, "keys", NULL);
		msg_start(&out, MSG_SAWD_KEEPER_CONFIG);
		msg_u64(&out, l->running_max);
		msg_str(&out, keys);
		seal_credential(keys);
		msg_str(&out, keys);
		break;
	case SAWD_COMPILER:
	case SAWD_ROLE_END:
	default:
		msg_start(&out, MSG_SAWD_COMPILER_CONFIG);
		msg_u64(&out, root ? SAWD_ROLE_UIDS + 1 : 0);
		break;
	}
	chan_send(r->chan, &out);
}

static void send_peer(struct role *r, enum sawd_role other, int fd)
{
	msg_start(&out, MSG_SAWD_PEER);
	msg_u64(&out, other);
	msg_fd(&out, fd);
	chan_send(r->chan, &out);
}

static void join(struct role *core, struct role *other)
{
	struct err e = { 0 };
	int fds[2];

	if (!core->chan || !other->chan)
		return;
	if (chan_pair(fds, &e) < 0) {
		log_line("%s", e.text);
		return;
	}
	send_peer(core, other->kind, fds[0]);
	send_peer(other, SAWD_CORE, fds[1]);
	(void)fd_close(fds[0]);
	(void)fd_close(fds[1]);
}

static void join_all(struct role *r)
{
	struct launcher *l = r->launcher;

	if (r->kind != SAWD_CORE) {
		join(&l->roles[SAWD_CORE], r);
		return;
	}
	for (unsigned k = 1; k < SAWD_ROLE_END; k++)
		if (k != SAWD_CORE)
			join(r, &l->roles[k]);
}

static bool on_join(void *owner, struct msg_in *in)
{
	struct role *core = owner;
	uint64_t role = msg_get_max(in, SAWD_ROLE_END - 1);

	if (!msg_end(in) || !role || role == SAWD_CORE)
		return false;
	/* One that is starting was joined already. */
	if (core->launcher->roles[role].ready)
		join(core, &core->launcher->roles[role]);
	return true;
}

static void say_ready(struct launcher *l)
{
	for (unsigned k = 1; k < SAWD_ROLE_END; k++)
		if (!l->roles[k].ready)
			return;
	if (!l->ever_ready)
		log_line("ready: %s/api.sock", l->run);
	l->ever_ready = true;
	if (l->ready_fd >= 0)
		(void)!write(l->ready_fd, "ready\n", 6);
	l->ready_fd = fd_close(l->ready_fd);
}

static void on_hang(struct pulse *p)
{
	struct role *r = p->owner;

	(void)snprintf(r->failed, sizeof(r->failed), "did not answer for %d s", PULSE_MS * PULSE_MISSED_MAX / 1000);
	child_signal(&r->child, SIGKILL);
}

/* Core waits for the disk and compiler computes, however long that takes: neither is known to hang when it does not answer. */
static bool has_pulse(const struct role *r)
{
	return r->kind == SAWD_FRONT || r->kind == SAWD_KEEPER;
}

static bool on_ready(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	(void)in;
	r->ready = true;
	r->n_failed = 0;
	if (has_pulse(r) && !pulse_start(&r->pulse, r->launcher->loop, r->chan, on_hang, r))
		return false;
	say_ready(r->launcher);
	return true;
}

static bool on_pong(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	(void)in;
	return pulse_heard(&r->pulse);
}

static bool on_failed(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	struct bytes why = msg_get_bytes(in, sizeof(r->failed) - 1);

	if (!msg_end(in))
		return false;
	(void)snprintf(r->failed, sizeof(r->failed), "%.*s", (int)why.len, (const char *)why.p);
	return true;
}

static bool on_down(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	(void)in;
	roles_stop(r->launcher);
	return true;
}

/* The channel's end is no news by itself: the process ends too, or is ended here. */
static void on_chan_end(void *owner, const char *why)
{
	struct role *r = owner;

	if (strcmp(why, "closed") != 0)
		log_line("%s: channel: %s", programs[r->kind].name, why);
	child_signal(&r->child, SIGKILL);
}

static const struct chan_permit role_permits[] = { { MSG_READY, on_ready }, { MSG_PONG, on_pong }, { MSG_FAILED, on_failed } };
static const struct chan_permit core_permits[] = {
	{ MSG_READY, on_ready },	     { MSG_FAILED, on_failed },	       { MSG_SAWD_SPAWN, jobs_on_spawn },
	{ MSG_SAWD_DISKS, jobs_on_disks }, { MSG_SAWD_DOWN, on_down },	       { MSG_SAWD_JOIN, on_join },
	{ MSG_SAWD_CONNECT, reach_on_connect }, { MSG_SAWD_KILL, jobs_on_kill },
};

static bool all_ended(const struct launcher *l)
{
	for (unsigned k = 1; k < SAWD_ROLE_END; k++)
		if (l->roles[k].child.pid > 0)
			return false;
	return true;
}

static void on_retry(struct loop_timer *t)
{
	start(t->owner);
}

static void retry_later(struct role *r)
{
	struct launcher *l = r->launcher;

	if (!l->ever_ready && ++r->n_failed >= LAUNCHER_TRIES) {
		log_line("%s does not start: %s", programs[r->kind].name, r->failed);
		if (l->ready_fd >= 0)
			(void)dprintf(l->ready_fd, "%s does not start: %s\n", programs[r->kind].name, r->failed);
		loop_stop(l->loop, 1);
		return;
	}
	if (loop_now_ms(l->loop) - r->started_ms > LAUNCHER_STEADY_MS)
		r->retry_ms = LAUNCHER_RETRY_MS;
	(void)loop_timer_arm(l->loop, &r->retry, r->retry_ms, on_retry, r);
	r->retry_ms = r->retry_ms * 2 > LAUNCHER_RETRY_MAX_MS ? LAUNCHER_RETRY_MAX_MS : r->retry_ms * 2;
}

static void on_exit_io(struct loop_io *io, uint32_t events)
{
	struct role *r = io->owner;
	struct launcher *l = r->launcher;
	char text[CHILD_END_TEXT_MAX];
	struct child_end end;

	(void)events;
	if (!child_ended(io, &r->child, &end))
		return;
	pulse_stop(&r->pulse);
	r->chan = chan_free(r->chan);
	r->ready = false;
	if (l->stopping) {
		if (all_ended(l))
			loop_stop(l->loop, 0);
		return;
	}
	child_end_text(&end, text);
	log_line("%s ended with %s%s%s", programs[r->kind].name, text, *r->failed ? ": " : "", r->failed);
	if (!*r->failed)
		(void)snprintf(r->failed, sizeof(r->failed), "%s", text);
	retry_later(r);
}

static int start_process(struct role *r, int fd, struct err *e)
{
	struct launcher *l = r->launcher;
	char path[PATHS_MAX];
	char title[64];
	int n = paths_helper(programs[r->kind].binary, path, e);

	if (n < 0)
		return n;
	(void)snprintf(title, sizeof(title), "%s", programs[r->kind].binary);
	return child_start(&r->child,
			   &(struct child_spec){ .path = path,
						 .title = title,
						 .fds = (struct child_fd[]){ { fd, IPC_PARENT_FD }, { l->log_fd, 2 } },
						 .n_fds = 2 },
			   e);
}

static void start(struct role *r)
{
	struct launcher *l = r->launcher;
	bool core = r->kind == SAWD_CORE;
	struct err e = { 0 };
	int fds[2] = { -1, -1 };
	int n = chan_pair(fds, &e);

	r->failed[0] = '\0';
	r->started_ms = loop_now_ms(l->loop);
	n = n < 0 ? n : start_process(r, fds[1], &e);
	(void)fd_close(fds[1]);
	n = n < 0 ? n : loop_io_add(l->loop, &r->exit_io, r->child.pid_fd, EPOLLIN, on_exit_io, r, &e);
	if (n == 0)
		n = chan_new(&r->chan, l->loop, fd_take(&fds[0]), core ? core_permits : role_permits,
			     core ? sizeof(core_permits) / sizeof(core_permits[0]) :
				    sizeof(role_permits) / sizeof(role_permits[0]),
			     on_chan_end, r, &e);
	(void)fd_close(fds[0]);
	if (n < 0) {
		loop_io_remove(&r->exit_io);
		child_kill(&r->child);
		(void)snprintf(r->failed, sizeof(r->failed), "%.300s", e.text);
		log_line("%s", e.text);
		retry_later(r);
		return;
	}
	send_config(r);
	join_all(r);
}

void roles_start(struct launcher *l)
{
	for (unsigned k = 1; k < SAWD_ROLE_END; k++) {
		l->roles[k] = (struct role){ .launcher = l, .kind = (enum sawd_role)k, .child = CHILD_NONE,
					     .retry_ms = LAUNCHER_RETRY_MS };
		start(&l->roles[k]);
	}
}

static void on_stop_late(struct loop_timer *t)
{
	struct launcher *l = t->owner;

	for (unsigned k = 1; k < SAWD_ROLE_END; k++)
		child_signal(&l->roles[k].child, SIGKILL);
}

void roles_stop(struct launcher *l)
{
	if (l->stopping)
		return;
	l->stopping = true;
	msg_start(&out, MSG_STOP);
	for (unsigned k = 1; k < SAWD_ROLE_END; k++) {
		loop_timer_disarm(&l->roles[k].retry);
		pulse_stop(&l->roles[k].pulse);
		if (l->roles[k].chan)
			chan_send(l->roles[k].chan, &out);
	}
	if (all_ended(l))
		loop_stop(l->loop, 0);
	else
		(void)loop_timer_arm(l->loop, &l->stop_timer, LAUNCHER_STOP_MS, on_stop_late, l);
}

void roles_deinit(struct launcher *l)
{
	loop_timer_disarm(&l->stop_timer);
	for (unsigned k = 1; k < SAWD_ROLE_END; k++) {
		struct role *r = &l->roles[k];

		loop_timer_disarm(&r->retry);
		pulse_stop(&r->pulse);
		loop_io_remove(&r->exit_io);
		r->chan = chan_free(r->chan);
		child_kill(&r->child);
	}
}
