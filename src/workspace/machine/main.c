/* saw-machine: starts QEMU with the descriptors of one workspace and reads its monitor. It has no network and opens no file of the workspace. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/chan.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "workspace/machine/accel.h"
#include "workspace/machine/console.h"
#include "workspace/machine/monitor.h"
#include "workspace/machine/qemu.h"
#include "workspace/machine/words.h"

enum { MACHINE_FDS = 128, ARGS_LEN_MAX = 8000, END_MS = 2000 /* from QEMU's hanging up to its end */ };

struct machine {
	struct loop *loop;
	struct chan *parent;
	struct monitor *monitor;
	struct child qemu;
	struct loop_io ended;
	struct loop_timer end_timer;
	struct words words;
	struct console console;
	struct accel accel;
	enum ipc_machine last;
	bool started;
};

static struct msg out;

static void say_state(struct machine *m, enum ipc_machine state, const char *detail)
{
	/* OFF and FAILED are final: QEMU's end, which follows, adds nothing. */
	if (m->last == IPC_MACHINE_OFF || m->last == IPC_MACHINE_FAILED)
		return;
	m->last = state;
	msg_start(&out, MSG_MACHINE_STATE);
	msg_u64(&out, state);
	msg_u64(&out, m->accel.use);
	msg_str(&out, state == IPC_MACHINE_RUNNING && !*detail ? m->accel.why : detail);
	chan_send(m->parent, &out);
}

static void say_fatal(struct machine *m, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&out, MSG_FAILED);
	msg_str(&out, e->text);
	chan_send(m->parent, &out);
	loop_stop(m->loop, 1);
}

static void on_no_end(struct loop_timer *t)
{
	struct machine *m = t->owner;

	log_line("QEMU closed its monitor and did not end");
	child_signal(&m->qemu, SIGKILL);
}

static void on_monitor(void *owner, enum ipc_machine state, const char *detail)
{
	struct machine *m = owner;

	if (state == IPC_MACHINE_FAILED && !*detail) {
		if (!loop_timer_arm(m->loop, &m->end_timer, END_MS, on_no_end, m))
			child_signal(&m->qemu, SIGKILL);
		return;
	}
	if (state == IPC_MACHINE_FAILED && m->last != IPC_MACHINE_OFF) {
		log_line("%s", detail);
		child_signal(&m->qemu, SIGKILL);
	}
	say_state(m, state, detail);
}

static void on_qemu_end(struct loop_io *io, uint32_t events)
{
	struct machine *m = io->owner;
	struct child_end end;
	char text[CHILD_END_TEXT_MAX];
	char why[CHILD_END_TEXT_MAX + WORDS_LAST_MAX + 48];
	const char *words;

	(void)events;
	if (!child_ended(io, &m->qemu, &end))
		return;
	child_end_text(&end, text);
	words = words_last(&m->words);
	console_drain(&m->console);
	(void)snprintf(why, sizeof(why), "QEMU ended: %s%s%s%s", text, *words ? "; its last words: \"" : "", words, *words ? "\"" : "");
	log_line("%s", why);
	say_state(m, end.signalled || end.code ? IPC_MACHINE_FAILED : IPC_MACHINE_OFF, why);
	loop_stop(m->loop, 0);
}

/* What QEMU (which inherits this) may still open: its own program, libraries and firmware, the accelerator, and the two files that its
 * loader reads again by /proc/self/fd. */
static int enter_files(const struct qemu_config *c, struct err *e)
{
	char links[2][32];
	struct jail_path paths[] = {
		{ "/usr", JAIL_READ | JAIL_LIST | JAIL_EXEC, 1 },
		{ "/lib", JAIL_READ | JAIL_EXEC, 0 },
		{ "/lib64", JAIL_READ | JAIL_EXEC, 0 },
		{ "/etc/ld.so.cache", JAIL_READ, 0 },
		{ "/sys/devices/system/cpu", JAIL_READ | JAIL_LIST, 0 },
		{ "/dev/null", JAIL_READ | JAIL_WRITE, 0 },
		{ "/dev/urandom", JAIL_READ, 0 },
		{ "/dev/kvm", JAIL_READ | JAIL_WRITE | JAIL_DEVICE, 0 },
		{ links[0], JAIL_READ, 1 },
		{ links[1], JAIL_READ, 1 },
	};

	/* through the descriptors: their folders are closed to the role's uid */
	(void)snprintf(links[0], sizeof(links[0]), "/proc/self/fd/%d", c->fds[QEMU_KERNEL]);
	(void)snprintf(links[1], sizeof(links[1]), "/proc/self/fd/%d", c->fds[QEMU_INITRD]);
	return jail_files(paths, sizeof(paths) / sizeof(paths[0]), JAIL_NET_NONE, e);
}

static int enter_jail(struct machine *m, const struct qemu_config *c, uint64_t uid, struct err *e)
{
	int r = m->accel.use == IPC_ACCEL_KVM ? jail_identity_with(uid, m->accel.kvm_group, e) : jail_identity(uid, e);

	r = r < 0 ? r : jail_capabilities(0, MACHINE_FDS, 1, e);
	r = r < 0 ? r : jail_namespaces(e);
	return r < 0 ? r : enter_files(c, e);
}

static int start(struct machine *m, const struct qemu_config *c, uint64_t uid, struct err *e)
{
	char path[QEMU_PATH_MAX];
	FD_AUTO int words_fd = -1;
	FD_AUTO int console_fd = -1;
	struct qemu_config piped = *c;
	int pair[2] = { -1, -1 };
	int r = qemu_path(path, e);

	r = r < 0 ? r : enter_jail(m, c, uid, e);
	r = r < 0 ? r : words_init(&m->words, m->loop, &words_fd, e);
	r = r < 0 ? r : console_init(&m->console, m->loop, c->fds[QEMU_CONSOLE], &console_fd, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "create QEMU's monitor socket");
	piped.fds[QEMU_CONSOLE] = console_fd;
	r = jail_no_reach(e);
	r = r < 0 ? r : qemu_start(&m->qemu, &piped, path, pair[1], words_fd, e);
	pair[1] = fd_close(pair[1]);
	if (r < 0) {
		(void)fd_close(pair[0]);
		return r;
	}
	r = monitor_new(&m->monitor, m->loop, pair[0], on_monitor, m, e);
	r = r < 0 ? r : loop_io_add(m->loop, &m->ended, m->qemu.pid_fd, EPOLLIN, on_qemu_end, m, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_CHILD | JAIL_SYS_APPEND, e);
}

static bool take_config(struct machine *m, struct msg_in *in, struct qemu_config *c, uint64_t *ret_uid, uint64_t *ret_accel)
{
	struct bytes mac;

	*ret_uid = msg_get_max(in, UINT32_MAX - 1);
	c->cpus = msg_get_max(in, QEMU_CPUS_MAX);
	c->memory_bytes = msg_get_u64(in);
	*ret_accel = msg_get_max(in, IPC_ACCEL_TCG);
	mac = msg_get_bytes(in, QEMU_MAC_LEN);
	c->kernel_args = msg_get_bytes(in, ARGS_LEN_MAX);
	for (int i = 0; i < QEMU_N_FDS; i++)
		c->fds[i] = msg_take_fd(in);
	if (!msg_end(in) || m->started || !c->cpus || c->memory_bytes < QEMU_MEMORY_MIN || mac.len != QEMU_MAC_LEN ||
	    bytes_find(c->kernel_args, 0) != c->kernel_args.len)
		return false;
	memcpy(c->mac, mac.p, QEMU_MAC_LEN);
	return true;
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct machine *m = owner;
	struct qemu_config c = { .title = bytes_str(program_invocation_name) };
	struct err e = { 0 };
	uint64_t uid;
	uint64_t accel;
	bool ok = take_config(m, in, &c, &uid, &accel);
	size_t blank = bytes_find(c.title, ' ');
	int r;

	if (ok) {
		m->started = true;
		c.title = blank < c.title.len ? bytes_skip(c.title, blank + 1) : c.title;
		r = accel_choose(&m->accel, (enum ipc_accel)accel, &e);
		c.accel = m->accel.use;
		r = r < 0 ? r : start(m, &c, uid, &e);
		if (r < 0) {
			say_fatal(m, &e);
		} else {
			if (*m->accel.why)
				log_line("%s", m->accel.why);
			msg_start(&out, MSG_READY);
			chan_send(m->parent, &out);
		}
	}
	for (int i = 0; i < QEMU_N_FDS; i++)
		c.fds[i] = fd_close(c.fds[i]);
	return ok;
}

static bool on_powerdown(void *owner, struct msg_in *in)
{
	struct machine *m = owner;

	if (m->monitor && msg_end(in))
		monitor_powerdown(m->monitor);
	return m->monitor != NULL;
}

static bool on_quit(void *owner, struct msg_in *in)
{
	struct machine *m = owner;

	(void)in;
	if (m->monitor && m->last == IPC_MACHINE_RUNNING)
		monitor_quit(m->monitor);
	else
		child_signal(&m->qemu, SIGKILL);
	return true;
}

static bool on_stop(void *owner, struct msg_in *in)
{
	struct machine *m = owner;

	(void)in;
	loop_stop(m->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct machine *m = owner;

	(void)why;
	loop_stop(m->loop, 1);
}

static const struct chan_permit permits[] = {
	{ MSG_MACHINE_CONFIG, on_config },
	{ MSG_MACHINE_POWERDOWN, on_powerdown },
	{ MSG_MACHINE_QUIT, on_quit },
	{ MSG_STOP, on_stop },
};

int main(void)
{
	static struct machine m;
	struct err e = { 0 };
	int r;

	m.qemu = CHILD_NONE;
	log_init("machine");
	r = loop_new(&m.loop, &e);
	r = r < 0 ? r :
		    chan_new(&m.parent, m.loop, IPC_PARENT_FD, permits, sizeof(permits) / sizeof(permits[0]), on_parent_end,
			     &m, &e);
	r = r < 0 ? r : loop_run(m.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	child_kill(&m.qemu);
	monitor_free(m.monitor);
	words_deinit(&m.words);
	console_drain(&m.console);
	console_deinit(&m.console);
	chan_free(m.parent);
	loop_free(m.loop);
	return r == 0 ? 0 : 1;
}
