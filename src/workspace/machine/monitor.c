#include "workspace/machine/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/fd.h"
#include "wire/qmp.h"

/* A full disk of the host is not the guest's fault: QEMU holds the machine where it is, and we let it go on every few seconds. It
 * counts as running again once a while has passed without the next error. */

enum { COMMAND_MAX = 128, FULL_RETRY_MS = 5000, FULL_SETTLED_MS = 2000 };

enum { ID_CAPABILITIES = 1, ID_STATUS, ID_POWERDOWN, ID_QUIT, ID_CONT, ID_WATCH };

static const char disk_full[] = "the host's disk is full: the machine waits, and goes on by itself when there is space";

struct monitor {
	struct loop *loop;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_timer again;
	struct loop_timer watch;
	int fd;
	struct buf in;
	bool greeted;
	bool over;
	bool full; /* the latest stop is for want of space on the host */
	bool stopped; /* as QEMU's events say */
	unsigned waiting; /* commands without an answer yet */
	monitor_state_fn on_state;
	void *owner;
};

static void fail(struct monitor *m, const char *why)
{
	if (m->over)
		return;
	m->over = true;
	loop_io_remove(&m->io);
	loop_timer_disarm(&m->deadline);
	loop_timer_disarm(&m->again);
	loop_timer_disarm(&m->watch);
	m->on_state(m->owner, IPC_MACHINE_FAILED, why);
}

static void on_deadline(struct loop_timer *t)
{
	struct monitor *m = t->owner;

	fail(m, m->greeted ? "qmp: QEMU does not answer" : "qmp: no greeting from QEMU");
}

/* Commands are short and few: a socket that cannot take one at once belongs to a QEMU that reads no more. */
static void command(struct monitor *m, const char *name, unsigned id)
{
	char line[COMMAND_MAX];
	int n = snprintf(line, sizeof(line), "{\"execute\": \"%s\", \"id\": %u}\n", name, id);

	if (m->over)
		return;
	if (send(m->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n) {
		fail(m, "qmp: QEMU does not read");
		return;
	}
	m->waiting++;
	if (!loop_timer_arm(m->loop, &m->deadline, MONITOR_ANSWER_MS, on_deadline, m))
		fail(m, "out of memory");
}

static void on_watch(struct loop_timer *t)
{
	struct monitor *m = t->owner;

	if (!m->waiting)
		command(m, "query-status", ID_WATCH);
	if (!m->over)
		(void)loop_timer_arm(m->loop, t, MONITOR_WATCH_MS, on_watch, m);
}

static void on_retry(struct loop_timer *t)
{
	command(t->owner, "cont", ID_CONT);
}

static void on_settled(struct loop_timer *t)
{
	struct monitor *m = t->owner;

	m->on_state(m->owner, IPC_MACHINE_RUNNING, "");
}

static void on_stop(struct monitor *m)
{
	m->stopped = true;
	if (m->full)
		(void)loop_timer_arm(m->loop, &m->again, FULL_RETRY_MS, on_retry, m);
	else
		m->on_state(m->owner, IPC_MACHINE_PAUSED, "paused");
}

static void on_resume(struct monitor *m)
{
	m->stopped = false;
	if (m->full)
		(void)loop_timer_arm(m->loop, &m->again, FULL_SETTLED_MS, on_settled, m);
	else
		m->on_state(m->owner, IPC_MACHINE_RUNNING, "");
	m->full = false;
}

static void on_disk_error(struct monitor *m, const char *reason)
{
	char detail[QMP_TEXT_MAX + 32];

	/* QEMU's environment is empty: its C library speaks English. */
	if (strcmp(reason, "No space left on device") == 0) {
		if (m->stopped) /* a write that was under way when the machine stopped: no second stop follows */
			(void)loop_timer_arm(m->loop, &m->again, FULL_RETRY_MS, on_retry, m);
		else
			loop_timer_disarm(&m->again);
		if (!m->full)
			m->on_state(m->owner, IPC_MACHINE_PAUSED, disk_full);
		m->full = true;
		return;
	}
	/* The guest is told of the error and runs on. */
	(void)snprintf(detail, sizeof(detail), "disk error: %s", *reason ? reason : "see the host's disk");
	m->on_state(m->owner, IPC_MACHINE_RUNNING, detail);
}

static void on_event(struct monitor *m, const struct qmp *q)
{
	char detail[QMP_TEXT_MAX + 32];

	if (strcmp(q->name, "SHUTDOWN") == 0) {
		(void)snprintf(detail, sizeof(detail), "%s", q->text[0] ? q->text : "powered off");
		m->on_state(m->owner, IPC_MACHINE_OFF, detail);
	} else if (strcmp(q->name, "STOP") == 0) {
		on_stop(m);
	} else if (strcmp(q->name, "RESUME") == 0) {
		on_resume(m);
	} else if (strcmp(q->name, "BLOCK_IO_ERROR") == 0) {
		on_disk_error(m, q->text);
	} else if (strcmp(q->name, "GUEST_PANICKED") == 0) {
		fail(m, "the guest's kernel panicked");
	}
}

static void on_answer(struct monitor *m, const struct qmp *q)
{
	char why[QMP_TEXT_MAX + 32];

	if (!m->waiting) {
		fail(m, "qmp: an answer that nobody asked for");
		return;
	}
	if (--m->waiting == 0)
		loop_timer_disarm(&m->deadline);
	if (q->kind == QMP_ERROR && q->id == ID_CONT) {
		/* It may be on its way out. */
		(void)loop_timer_arm(m->loop, &m->again, FULL_RETRY_MS, on_retry, m);
	} else if (q->kind == QMP_ERROR) {
		(void)snprintf(why, sizeof(why), "qmp: %s", q->text);
		fail(m, why);
	} else if (q->id == ID_CAPABILITIES) {
		command(m, "query-status", ID_STATUS);
		(void)loop_timer_arm(m->loop, &m->watch, MONITOR_WATCH_MS, on_watch, m);
	} else if (q->id == ID_STATUS && strcmp(q->name, "running") == 0) {
		m->on_state(m->owner, IPC_MACHINE_RUNNING, "");
	} else if (q->id == ID_STATUS) {
		m->on_state(m->owner, IPC_MACHINE_PAUSED, q->name);
	}
}

static void on_line(struct monitor *m, struct bytes line)
{
	struct qmp q;

	qmp_read(line, &q);
	if (q.kind == QMP_GREETING && !m->greeted) {
		m->greeted = true;
		command(m, "qmp_capabilities", ID_CAPABILITIES);
	} else if (!m->greeted || q.kind == QMP_BAD || q.kind == QMP_GREETING) {
		fail(m, "qmp: QEMU sent what is not its protocol");
	} else if (q.kind == QMP_EVENT) {
		on_event(m, &q);
	} else {
		on_answer(m, &q);
	}
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct monitor *m = io->owner;
	uint8_t *room = buf_room(&m->in, 4096);
	ssize_t n;

	(void)events;
	if (!room) {
		fail(m, "qmp: a line is too long");
		return;
	}
	n = read(m->fd, room, 4096);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(m, "");
		return;
	}
	buf_grew(&m->in, (size_t)n);
	while (!m->over) {
		size_t len = bytes_find(buf_view(&m->in), '\n');

		if (len == m->in.len)
			break;
		on_line(m, bytes_of(m->in.p, len && m->in.p[len - 1] == '\r' ? len - 1 : len));
		buf_consume(&m->in, len + 1);
	}
}

int monitor_new(struct monitor **ret, struct loop *l, int fd, monitor_state_fn on_state, void *owner, struct err *e)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		(void)fd_close(fd);
		return err_set(e, ENOMEM, "out of memory for QEMU's monitor");
	}
	*m = (struct monitor){ .loop = l, .fd = fd, .on_state = on_state, .owner = owner };
	buf_init(&m->in, QMP_LINE_MAX + 4096);
	r = fd_nonblock(fd, e);
	r = r < 0 ? r : loop_io_add(l, &m->io, fd, EPOLLIN, on_io, m, e);
	if (r == 0 && !loop_timer_arm(l, &m->deadline, MONITOR_GREETING_MS, on_deadline, m))
		r = err_set(e, ENOMEM, "out of memory for a timer");
	if (r < 0) {
		monitor_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

struct monitor *monitor_free(struct monitor *m)
{
	if (!m)
		return NULL;
	loop_io_remove(&m->io);
	loop_timer_disarm(&m->deadline);
	loop_timer_disarm(&m->again);
	loop_timer_disarm(&m->watch);
	buf_deinit(&m->in);
	(void)fd_close(m->fd);
	free(m);
	return NULL;
}

void monitor_powerdown(struct monitor *m)
{
	command(m, "system_powerdown", ID_POWERDOWN);
}

void monitor_quit(struct monitor *m)
{
	command(m, "quit", ID_QUIT);
}
