#include "workspace/supervisor/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "os/fd.h"
#include "os/log.h"
#include "workspace/supervisor/guest_ask.h"
#include "workspace/supervisor/ws.h"

/* The machine is told what to run by descriptors alone. It runs when QEMU says so; the workspace is ready when the guest's SSH port
 * answers a connection of ours: nothing the guest says is taken for it. A machine that ends by itself is started again; one whose
 * guest powered off ends the workspace cleanly. What follows is the control plane's to decide: while `running` is desired it starts it again. */

enum { UID_MACHINE = 3, TELL_MS = 1000 };

static struct msg out;
static struct loop_timer probe;
/* An escaped QEMU may stop and resume for ever, and name reasons: the control plane hears the latest once a second, the log less often. */
static struct loop_timer tell;
static struct log_meter meter;
static uint64_t last_state;
static char last_detail[WS_DETAIL_MAX];
static bool powered_off;

static void on_probed(void *owner, uint64_t id, int fd, struct bytes why)
{
	struct ws *w = owner;

	(void)id;
	(void)why;
	if (fd < 0)
		return;
	(void)fd_close(fd);
	loop_timer_disarm(&probe);
	if (w->state == IPC_STATE_STARTING)
		ws_running(w);
}

static void on_probe(struct loop_timer *t)
{
	struct ws *w = t->owner;

	if (w->state != IPC_STATE_STARTING)
		return;
	(void)loop_timer_arm(w->loop, t, MACHINE_PROBE_MS, on_probe, w);
	guest_ask(w, WS_SSH_PORT, 0, on_probed, w);
}

static int open_disk(struct ws *w, bool image, const char *name, int flags, struct err *e)
{
	char dir[PATHS_MAX];
	char path[PATHS_MAX];
	int fd;

	if (image)
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)w->spec.image_dir.len, (const char *)w->spec.image_dir.p);
	else
		memcpy(dir, w->dir, sizeof(dir));
	if (paths_join(path, dir, name, e) < 0)
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

/* In the order of MSG_MACHINE_CONFIG, after the tap. */
static const struct {
	const char *name;
	bool image;
	int flags;
} disks[] = {
	{ "kernel", true, O_RDONLY },	   { "initrd", true, O_RDONLY },    { "base.img", true, O_RDONLY },
	{ "overlay.img", false, O_RDWR },  { "home.img", false, O_RDWR },   { "seed.img", false, O_RDONLY },
	{ "console.log", false, O_RDWR | O_CREAT },
};

static void configure(struct role *r)
{
	enum { N = sizeof(disks) / sizeof(disks[0]) };
	struct ws *w = r->ws;
	struct err e = { 0 };
	int fds[N];
	size_t n = 0;

	powered_off = false;
	while (n < N && (fds[n] = open_disk(w, disks[n].image, disks[n].name, disks[n].flags, &e)) >= 0)
		n++;
	if (n == N) {
		msg_start(&out, MSG_MACHINE_CONFIG);
		msg_u64(&out, w->spec.uid_base ? w->spec.uid_base + UID_MACHINE : 0);
		msg_u64(&out, w->spec.cpus);
		msg_u64(&out, w->spec.memory_bytes);
		msg_u64(&out, w->spec.accel);
		msg_bytes(&out, bytes_of(w->mac, WS_MAC_LEN));
		msg_bytes(&out, w->spec.kernel_args);
		msg_fd(&out, w->tap_fd);
		for (size_t i = 0; i < N; i++)
			msg_fd(&out, fds[i]);
		role_send(r, &out);
	}
	for (size_t i = 0; i < n; i++)
		(void)fd_close(fds[i]);
	if (n < N)
		ws_fail(w, "machine: %s", e.text);
}

static void on_runs(struct ws *w)
{
	if (w->state == IPC_STATE_STARTING && !probe.slot)
		(void)loop_timer_arm(w->loop, &probe, MACHINE_PROBE_MS, on_probe, w);
}

static bool lives(uint64_t state)
{
	return state == IPC_MACHINE_RUNNING || state == IPC_MACHINE_PAUSED;
}

static void on_tell(struct loop_timer *t)
{
	struct ws *w = t->owner;

	if (w->state != IPC_STATE_RUNNING || !lives(last_state) || strcmp(w->detail, last_detail) == 0)
		return;
	ws_state(w, w->state, last_detail);
	(void)loop_timer_arm(w->loop, t, TELL_MS, on_tell, w);
}

static void say(struct ws *w, uint64_t state, struct bytes detail)
{
	char text[WS_DETAIL_MAX];

	(void)snprintf(text, sizeof(text), "%.*s", (int)detail.len, (const char *)detail.p);
	if (state == last_state && strcmp(text, last_detail) == 0)
		return;
	last_state = state;
	memcpy(last_detail, text, sizeof(last_detail));
	if (log_room(&meter, loop_now_ms(w->loop)))
		log_line("machine: state %llu %s", (unsigned long long)state, text);
}

static bool on_state(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	struct ws *w = r->ws;
	uint64_t state = msg_get_max(in, IPC_MACHINE_FAILED);
	uint64_t accel = msg_get_max(in, IPC_ACCEL_TCG);
	struct bytes detail = msg_get_bytes(in, ERR_MAX);

	if (!msg_end(in) || !state)
		return false;
	say(w, state, detail);
	if (accel)
		w->accel = accel;
	if (state == IPC_MACHINE_RUNNING)
		on_runs(w);
	tell.owner = w;
	if (!tell.slot)
		on_tell(&tell);
	if (state == IPC_MACHINE_OFF)
		powered_off = true;
	if (state == IPC_MACHINE_FAILED)
		(void)snprintf(r->failed, sizeof(r->failed), "%.*s", (int)detail.len, (const char *)detail.p);
	/* Off or failed: the role has nothing left to keep; its end says the rest. */
	if (state == IPC_MACHINE_OFF || state == IPC_MACHINE_FAILED) {
		msg_start(&out, MSG_STOP);
		role_send(r, &out);
	}
	return true;
}

static bool lost(struct role *r, const char *why)
{
	struct ws *w = r->ws;
	char detail[WS_DETAIL_MAX];

	loop_timer_disarm(&probe);
	loop_timer_disarm(&tell);
	log_rest(&meter);
	last_state = 0;
	if (ws_stopping(w))
		return false;
	/* What the first program says of a damaged disk stands on the console: no guest's words are repeated here. */
	if (powered_off && w->state == IPC_STATE_STARTING) {
		ws_fail(w, "the machine powered off before it answered: `saw log %.*s` says why", (int)w->spec.name.len,
			(const char *)w->spec.name.p);
		return false;
	}
	if (powered_off) {
		ws_stop(w, 0, "the guest powered off");
		return false;
	}
	/* Until the guest answered once, each end counts as a failed start. */
	if (w->state == IPC_STATE_RUNNING)
		r->failed_starts = 0;
	else if (++r->failed_starts >= ROLE_TRIES) {
		ws_fail(w, "machine: %s", why);
		return false;
	}
	(void)snprintf(detail, sizeof(detail), "the machine ended (%.300s) and is started again", why);
	ws_state(w, IPC_STATE_STARTING, detail);
	return true;
}

void machine_powerdown(struct ws *w)
{
	msg_start(&out, MSG_MACHINE_POWERDOWN);
	role_send(&w->roles[ROLE_MACHINE], &out);
}

void machine_quit(struct ws *w)
{
	msg_start(&out, MSG_MACHINE_QUIT);
	role_send(&w->roles[ROLE_MACHINE], &out);
}

static const struct chan_permit permits[] = { ROLE_PERMITS, { MSG_MACHINE_STATE, on_state } };

const struct role_ops machine_ops = {
	.name = "machine",
	.binary = "saw-machine",
	.permits = permits,
	.n_permits = sizeof(permits) / sizeof(permits[0]),
	.configure = configure,
	.lost = lost,
	.has_ready = false,
};
