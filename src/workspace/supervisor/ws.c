#include "workspace/supervisor/ws.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "rules/reason.h"
#include "workspace/supervisor/bundle.h"
#include "workspace/supervisor/command.h"
#include "workspace/supervisor/control.h"
#include "workspace/supervisor/gateway.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/listeners.h"
#include "workspace/supervisor/machine.h"
#include "workspace/supervisor/reload.h"
#include "workspace/supervisor/resolv.h"
#include "workspace/supervisor/roots.h"
#include "workspace/supervisor/trail.h"

/* Start: log and policy first (without them nothing may happen), then the roles side by side. Front's namespaces bring the machine or
 * the command to life. Stop: the guest first, then the gateway, so that nothing the guest does goes unrecorded; each step has a
 * deadline, after which it is forced. */

enum stop_phase { STOP_NONE, STOP_POWERDOWN, STOP_QUIT, STOP_GUEST_KILLED, STOP_GATEWAY, STOP_ALL_KILLED, STOP_DONE };
enum { QUIT_MS = 5000, KILL_MS = 3000, GATEWAY_MS = 2000, BUTTON_MS = 3000 };
enum { MEMORY_OVERHEAD = 768 * 1024 * 1024, PIDS_MAX = 512 };

static void stop_step(struct ws *w, enum stop_phase phase);

bool ws_stopping(const struct ws *w)
{
	return w->stop_phase != STOP_NONE;
}

static void note(struct ws *w, const char *verb, const char *detail)
{
	struct event ev = { .kind = EVENT_LIFECYCLE, .action = EVENT_NOTE };

	ev.verb = bytes_str(verb);
	ev.actor = w->spec.owner;
	ev.name = w->spec.name;
	ev.detail = bytes_str(detail);
	trail_note(w->trail, &ev);
}

void ws_state(struct ws *w, enum ipc_state state, const char *detail)
{
	if (state != w->state)
		w->since_ms = clock_real_ms();
	w->state = state;
	if (detail != w->detail)
		(void)snprintf(w->detail, sizeof(w->detail), "%s", detail);
	control_tell(w->control);
}

void ws_running(struct ws *w)
{
	const char *accel = w->accel == IPC_ACCEL_TCG ? "emulated, slow, for trying out" : "";

	w->was_running = true;
	note(w, "ready", accel);
	ws_state(w, IPC_STATE_RUNNING, accel);
}

static struct role *guest_of(struct ws *w)
{
	return &w->roles[w->command.command ? ROLE_TRY : ROLE_MACHINE];
}

static bool gateway_runs(const struct ws *w)
{
	return role_runs(&w->roles[ROLE_FRONT]) || role_runs(&w->roles[ROLE_INLET]) || role_runs(&w->roles[ROLE_DIALER]) ||
	       role_runs(&w->roles[ROLE_OUTLET]);
}

static void finish(struct ws *w)
{
	w->stop_phase = STOP_DONE;
	loop_timer_disarm(&w->stop_timer);
	loop_timer_disarm(&w->button_timer);
	note(w, w->state == IPC_STATE_FAILED ? "failed" : "stopped", w->detail);
	trail_flush(w->trail);
	ws_state(w, w->state == IPC_STATE_FAILED ? IPC_STATE_FAILED : IPC_STATE_STOPPED, w->detail);
	command_tell_end(w);
	loop_stop(w->loop, w->state == IPC_STATE_FAILED ? 1 : 0);
}

/* A guest that is still booting misses the button: it is pressed again until the machine is off or the grace is over. */
static void on_button(struct loop_timer *t)
{
	struct ws *w = t->owner;

	if (w->stop_phase != STOP_POWERDOWN)
		return;
	machine_powerdown(w);
	(void)loop_timer_arm(w->loop, t, BUTTON_MS, on_button, w);
}

static void on_stop_timer(struct loop_timer *t)
{
	struct ws *w = t->owner;

	stop_step(w, (enum stop_phase)(w->stop_phase + 1));
}

static void wait_step(struct ws *w, uint64_t ms)
{
	(void)loop_timer_arm(w->loop, &w->stop_timer, ms, on_stop_timer, w);
}

static void stop_gateway(struct ws *w)
{
	static const enum role_kind order[] = { ROLE_INLET, ROLE_OUTLET, ROLE_DIALER, ROLE_FRONT };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		role_stop(&w->roles[order[i]]);
	wait_step(w, GATEWAY_MS);
}

static void stop_step(struct ws *w, enum stop_phase phase)
{
	w->stop_phase = phase;
	switch (phase) {
	case STOP_QUIT:
		if (!w->command.command)
			machine_quit(w);
		role_stop(guest_of(w));
		wait_step(w, w->command.command ? 200 : QUIT_MS);
		break;
	case STOP_GUEST_KILLED:
		role_kill(guest_of(w));
		wait_step(w, KILL_MS);
		break;
	case STOP_GATEWAY:
		stop_gateway(w);
		break;
	case STOP_ALL_KILLED:
		for (size_t i = 0; i < ROLE_COUNT; i++)
			role_kill(&w->roles[i]);
		wait_step(w, KILL_MS);
		break;
	case STOP_DONE:
		finish(w);
		return;
	case STOP_NONE:
	case STOP_POWERDOWN:
		break;
	}
	ws_progress(w);
}

void ws_stop(struct ws *w, uint64_t grace_ms, const char *why)
{
	if (w->command.command)
		grace_ms = 0;
	if (w->stop_phase == STOP_NONE) {
		if (w->state != IPC_STATE_FAILED)
			ws_state(w, IPC_STATE_STOPPING, why);
		w->stop_phase = STOP_POWERDOWN;
		guest_of(w)->expected_end = true;
		if (grace_ms)
			(void)loop_timer_arm(w->loop, &w->button_timer, 0, on_button, w);
	}
	if (w->stop_phase == STOP_POWERDOWN && (!w->stop_timer.slot || grace_ms < w->stop_timer.due_ms - loop_now_ms(w->loop)))
		wait_step(w, grace_ms);
}

void ws_fail(struct ws *w, const char *format, ...)
{
	char why[WS_DETAIL_MAX];
	va_list ap;

	if (w->state == IPC_STATE_FAILED)
		return;
	va_start(ap, format);
	(void)vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	log_line("failed: %s", why);
	ws_state(w, IPC_STATE_FAILED, why);
	ws_stop(w, 0, why);
}

static void stop_progress(struct ws *w)
{
	if (role_runs(guest_of(w)) || w->stop_phase == STOP_DONE)
		return;
	if (w->stop_phase < STOP_GATEWAY)
		stop_step(w, STOP_GATEWAY);
	else if (!gateway_runs(w))
		finish(w);
}

void ws_progress(struct ws *w)
{
	if (ws_stopping(w)) {
		stop_progress(w);
		return;
	}
	reload_progress(w);
	if (w->command.command && gateway_up(w) && role_runs(&w->roles[ROLE_TRY]))
		command_go(w);
}

static void on_resolv(void *owner)
{
	gateway_send_resolv(owner);
}

static int make_journal(struct ws *w, struct err *e)
{
	w->journal_fd = memfd_create("saw-names", MFD_CLOEXEC);
	if (w->journal_fd < 0 || ftruncate(w->journal_fd, IPC_JOURNAL_BYTES) < 0)
		return err_sys(e, errno, "make the journal of names");
	return 0;
}

static int open_roots(struct ws *w, struct err *e)
{
	w->roots_fd = roots_open(e);
	return w->roots_fd < 0 ? w->roots_fd : 0;
}

static int open_trail(struct ws *w, struct err *e)
{
	char path[PATHS_MAX];
	int r = paths_join(path, w->dir, "audit.jsonl", e);

	if (r == 0)
		r = trail_new(&w->trail, w, w->command.audit ? w->command.audit : path, e);
	return r;
}

static int open_policy(struct ws *w, struct err *e)
{
	uint16_t ports[POLICY_PORTS_MAX];
	char path[PATHS_MAX];
	int r = paths_join(path, w->dir, "policy.blob", e);

	if (r == 0)
		r = *w->keys ? bundle_start(w, &w->hold, e) : hold_load(&w->hold, path, w->spec.generation, e);
	r = r < 0 ? r : listeners_new(&w->listeners, w, e);
	if (r < 0)
		return r;
	trail_policy(w->trail, hold_generation(w->hold), policy_label(hold_policy(w->hold)), policy_lab(hold_policy(w->hold)));
	listeners_want(w->listeners, ports, hold_ports(w->hold, ports));
	return 0;
}

static int open_resolv(struct ws *w, struct err *e)
{
	char path[PATHS_MAX];

	if (w->spec.resolv_conf.len)
		(void)snprintf(path, sizeof(path), "%.*s", (int)w->spec.resolv_conf.len,
			       (const char *)w->spec.resolv_conf.p);
	else
		(void)snprintf(path, sizeof(path), "/etc/resolv.conf");
	return resolv_new(&w->resolv, w->loop, path, on_resolv, w, e);
}

static void enter_cgroup(struct ws *w)
{
	char name[SPEC_ID_MAX + 8];
	struct err e = { 0 };

	(void)snprintf(name, sizeof(name), "saw-%.*s", (int)w->spec.id.len, (const char *)w->spec.id.p);
	if (cgroup_enter(&w->cgroup, name, w->spec.memory_bytes + MEMORY_OVERHEAD, PIDS_MAX, &e) == 0)
		return;
	log_line("%s", e.text);
	(void)snprintf(w->limits, sizeof(w->limits), "%.390s", e.text);
}

/* This process reads no outside bytes; what it gives up is what its children could not have either: they start inside of it. As root it
 * keeps what it takes to give a child a uid. `saw try` mounts, which Landlock forbids, hence no Landlock around it. */
static int enter_jail(struct ws *w, struct err *e)
{
	const struct jail_path paths[] = {
		{ .path = "/", .rights = JAIL_READ | JAIL_LIST | JAIL_EXEC | JAIL_DEVICE },
		{ .path = "/proc", .rights = JAIL_WRITE },
		{ .path = "/dev/null", .rights = JAIL_WRITE },
		{ .path = "/dev/net/tun", .rights = JAIL_WRITE },
		{ .path = "/dev/kvm", .rights = JAIL_WRITE },
		{ .path = "/sys/fs/cgroup", .rights = JAIL_WRITE | JAIL_CREATE },
		{ .path = w->dir, .rights = JAIL_WRITE | JAIL_CREATE, .must_exist = 1 },
		{ .path = w->run, .rights = JAIL_WRITE | JAIL_CREATE, .must_exist = 1 },
	};
	uint64_t keep = 0;
	int r = 0;

	if (w->command.command)
		return 0;
	if (geteuid() == 0) {
		keep = JAIL_CAP(CAP_KILL) | JAIL_CAP(CAP_SETGID) | JAIL_CAP(CAP_SETUID);
		/* Without uids of their own the roles are root outside, and to map that takes one more. */
		if (!w->spec.uid_base)
			keep |= JAIL_CAP(CAP_SETFCAP);
	}
	r = jail_capabilities(keep, 0, 1, e);
	return r < 0 ? r : jail_files(paths, sizeof(paths) / sizeof(paths[0]), JAIL_NET_ANY, e);
}

static void init_roles(struct ws *w)
{
	role_init(&w->roles[ROLE_FRONT], w, ROLE_FRONT, &gateway_front_ops);
	role_init(&w->roles[ROLE_INLET], w, ROLE_INLET, &gateway_inlet_ops);
	role_init(&w->roles[ROLE_DIALER], w, ROLE_DIALER, &gateway_dialer_ops);
	role_init(&w->roles[ROLE_OUTLET], w, ROLE_OUTLET, &gateway_outlet_ops);
	role_init(&w->roles[ROLE_MACHINE], w, ROLE_MACHINE, &machine_ops);
	role_init(&w->roles[ROLE_TRY], w, ROLE_TRY, &command_ops);
}

int ws_start(struct ws *w, struct err *e)
{
	int r;

	init_roles(w);
	r = open_trail(w, e);
	r = r < 0 ? r : open_policy(w, e);
	r = r < 0 ? r : open_resolv(w, e);
	r = r < 0 ? r : make_journal(w, e);
	r = r < 0 ? r : open_roots(w, e);
	r = r < 0 ? r : control_new(&w->control, w, e);
	if (r < 0)
		return r;
	if (!w->command.command)
		enter_cgroup(w);
	r = enter_jail(w, e);
	if (r < 0)
		return r;
	note(w, "started", w->limits);
	ws_state(w, IPC_STATE_STARTING, "");
	role_start(&w->roles[ROLE_FRONT]);
	role_start(&w->roles[ROLE_DIALER]);
	role_start(&w->roles[ROLE_OUTLET]);
	role_start(&w->roles[ROLE_INLET]);
	return 0;
}
