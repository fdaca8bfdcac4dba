#include "workspace/supervisor/machine.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/clock_kit.h"
#include "os/log.h"
#include "workspace/supervisor/guest_ask.h"
#include "workspace/supervisor/ws.h"

/* The parts beside it: what they are told is counted. */

static struct ws ws;
static unsigned told;

void role_send(struct role *r, const struct msg *m)
{
	(void)r;
	(void)m;
}

bool role_on_ready(void *owner, struct msg_in *in)
{
	return owner && in;
}

bool role_on_pong(void *owner, struct msg_in *in)
{
	return owner && in;
}

bool role_on_event(void *owner, struct msg_in *in)
{
	return owner && in;
}

bool role_on_failed(void *owner, struct msg_in *in)
{
	return owner && in;
}

void guest_ask(struct ws *w, uint16_t port, uint64_t id, guest_ask_fn done, void *owner)
{
	(void)w;
	(void)port;
	(void)id;
	(void)done;
	(void)owner;
}

void ws_state(struct ws *w, enum ipc_state state, const char *detail)
{
	w->state = state;
	(void)snprintf(w->detail, sizeof(w->detail), "%s", detail);
	told++;
}

void ws_running(struct ws *w)
{
	ws_state(w, IPC_STATE_RUNNING, "");
}

void ws_stop(struct ws *w, uint64_t grace_ms, const char *why)
{
	(void)grace_ms;
	ws_state(w, IPC_STATE_STOPPING, why);
}

void ws_fail(struct ws *w, const char *format, ...)
{
	ws_state(w, IPC_STATE_FAILED, format);
}

bool ws_stopping(const struct ws *w)
{
	return w->state == IPC_STATE_STOPPING;
}

/* ---- the dialogue ---- */

static int log_fd;
static int real_fd;

static void begin(void)
{
	struct err e = { 0 };

	ws = (struct ws){ .state = IPC_STATE_RUNNING };
	ws.roles[ROLE_MACHINE] = (struct role){ .ws = &ws, .ops = &machine_ops };
	told = 0;
	kit_clock_stops();
	CHECK_INT(loop_new(&ws.loop, &e), 0);
	real_fd = dup(2);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	CHECK(dup2(log_fd, 2) == 2);
}

/* How many lines were logged. */
static unsigned end(void)
{
	static char text[1024 * 1024];
	unsigned lines = 0;
	ssize_t n;

	(void)machine_ops.lost(&ws.roles[ROLE_MACHINE], "end");
	n = pread(log_fd, text, sizeof(text), 0);
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	CHECK(dup2(real_fd, 2) == 2);
	(void)close(real_fd);
	(void)close(log_fd);
	ws.loop = loop_free(ws.loop);
	return lines;
}

static void say(enum ipc_machine state, const char *detail)
{
	static struct msg m;
	struct msg_in in;

	msg_start(&m, MSG_MACHINE_STATE);
	msg_u64(&m, state);
	msg_u64(&m, IPC_ACCEL_TCG);
	msg_str(&m, detail);
	CHECK(msg_open(&in, bytes_of(m.p, m.len)));
	for (size_t i = 0; i < machine_ops.n_permits; i++)
		if (machine_ops.permits[i].type == MSG_MACHINE_STATE)
			CHECK(machine_ops.permits[i].fn(&ws.roles[ROLE_MACHINE], &in));
}

static void passes(uint64_t ms)
{
	kit_clock_moves(ms);
	kit_clock_turns(ws.loop);
	kit_clock_turns(ws.loop);
}

TEST(a_pause_is_told_at_once_and_what_follows_within_a_second)
{
	begin();
	say(IPC_MACHINE_PAUSED, "paused");
	CHECK_INT(told, 1);
	CHECK_STR(ws.detail, "paused");
	say(IPC_MACHINE_RUNNING, "");
	CHECK_INT(told, 1);
	passes(1000);
	CHECK_INT(told, 2);
	CHECK_STR(ws.detail, "");
	passes(1000);
	passes(1000);
	CHECK_INT(told, 2);
	CHECK_INT(end(), 2);
}

TEST(the_same_again_is_neither_told_nor_logged)
{
	begin();
	for (int i = 0; i < 1000; i++)
		say(IPC_MACHINE_PAUSED, "paused");
	passes(1000);
	CHECK_INT(told, 1);
	CHECK_INT(end(), 1);
}

TEST(a_machine_that_stops_and_resumes_for_ever_fills_no_log)
{
	begin();
	for (int s = 0; s < 60; s++) {
		for (int i = 0; i < 100; i++)
			say(i % 2 ? IPC_MACHINE_RUNNING : IPC_MACHINE_PAUSED, i % 2 ? "" : "paused");
		passes(1000);
	}
	CHECK(told <= 2 * 60);
	say(IPC_MACHINE_PAUSED, "the last word");
	passes(1000);
	CHECK_STR(ws.detail, "the last word");
	CHECK(end() <= LOG_METER_BURST + 20);
}
