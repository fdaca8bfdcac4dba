#include "workspace/machine/monitor.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"

static struct loop *loop;
static struct monitor *monitor;
static int qemu; /* the other end: this test plays QEMU */
static enum ipc_machine last;
static char detail[256];
static int n_states;

static void on_state(void *owner, enum ipc_machine state, const char *why)
{
	(void)owner;
	last = state;
	(void)snprintf(detail, sizeof(detail), "%s", why);
	n_states++;
}

static void begin(void)
{
	struct err e = { 0 };
	int pair[2];

	last = 0;
	n_states = 0;
	detail[0] = '\0';
	CHECK_INT(loop_new(&loop, &e), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	qemu = pair[1];
	CHECK_INT(monitor_new(&monitor, loop, pair[0], on_state, NULL, &e), 0);
}

static void end(void)
{
	monitor = monitor_free(monitor);
	qemu = fd_close(qemu);
	loop = loop_free(loop);
}

static void say(const char *text)
{
	struct err e = { 0 };

	CHECK_INT(write(qemu, text, strlen(text)), (long long)strlen(text));
	CHECK_INT(loop_turn(loop, 0, &e), 0);
}

/* What the monitor has asked since the last call, as one text. */
static const char *asked(void)
{
	static char text[1024];
	ssize_t n = read(qemu, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

static void greet(void)
{
	say(GREETING);
	CHECK(strstr(asked(), "qmp_capabilities") != NULL);
	say("{\"return\": {}, \"id\": 1}\r\n");
	CHECK(strstr(asked(), "query-status") != NULL);
	say("{\"return\": {\"status\": \"running\", \"running\": true}, \"id\": 2}\r\n");
}

TEST(a_machine_runs_when_qemu_says_that_its_cpus_run)
{
	begin();
	say(GREETING);
	CHECK_INT(n_states, 0);
	end();
	begin();
	greet();
	CHECK_INT(last, IPC_MACHINE_RUNNING);
	end();
}

TEST(what_is_not_the_protocol_ends_the_session)
{
	static const char *const bad[] = { "hello\r\n", "{\"event\":\"STOP\"}\r\n", "{\"return\":{},\"id\":1}\r\n", "[]\r\n",
					   "{\"QMP\":{},\"QMP\":{}}\r\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		say(bad[i]);
		CHECK_INT(last, IPC_MACHINE_FAILED);
		end();
	}
	begin();
	greet();
	say(GREETING);
	CHECK_INT(last, IPC_MACHINE_FAILED);
	end();
}

TEST(an_answer_that_nobody_asked_for_ends_the_session)
{
	begin();
	greet();
	say("{\"return\": {}, \"id\": 9}\r\n");
	CHECK_INT(last, IPC_MACHINE_FAILED);
	CHECK(strstr(detail, "nobody asked") != NULL);
	end();
}

TEST(a_line_without_end_is_cut_off_at_its_limit)
{
	static char big[4096];

	begin();
	memset(big, ' ', sizeof(big) - 1);
	for (int i = 0; i < 40 && last != IPC_MACHINE_FAILED; i++)
		say(big);
	CHECK_INT(last, IPC_MACHINE_FAILED);
	CHECK_STR(detail, "qmp: a line is too long");
	end();
}

TEST(a_qemu_that_goes_away_is_a_failed_machine)
{
	struct err e = { 0 };

	begin();
	greet();
	qemu = fd_close(qemu);
	CHECK_INT(loop_turn(loop, 0, &e), 0);
	CHECK_INT(last, IPC_MACHINE_FAILED);
	end();
}

TEST(power_off_and_pause_are_told_with_their_reason)
{
	begin();
	greet();
	say("{\"timestamp\":{},\"event\":\"STOP\"}\r\n");
	CHECK_INT(last, IPC_MACHINE_PAUSED);
	say("{\"event\":\"RESUME\"}\r\n");
	CHECK_INT(last, IPC_MACHINE_RUNNING);
	say("{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}\r\n");
	CHECK_INT(last, IPC_MACHINE_OFF);
	CHECK_STR(detail, "guest-shutdown");
	end();
}

TEST(a_full_disk_is_said_once_and_the_resume_that_follows_is_not_yet_believed)
{
	static const char full[] = "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"nospace\":true,\"action\":\"stop\","
				   "\"reason\":\"No space left on device\"}}\r\n";
	int n;

	begin();
	greet();
	say(full);
	CHECK_INT(last, IPC_MACHINE_PAUSED);
	CHECK(strstr(detail, "disk is full") != NULL);
	n = n_states;
	say(full);
	say("{\"event\":\"STOP\"}\r\n");
	say("{\"event\":\"RESUME\"}\r\n");
	CHECK_INT(n_states, n);
	say(full);
	CHECK_INT(last, IPC_MACHINE_PAUSED);
	end();
}

/* Several writes are under way when the disk is full: the last to fail is heard after the stop. */
TEST(a_machine_that_waits_for_space_is_let_go_on_however_many_writes_failed)
{
	static const char full[] = "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"nospace\":true,\"action\":\"stop\","
				   "\"reason\":\"No space left on device\"}}\r\n";
	struct err e = { 0 };

	begin();
	greet();
	say(full);
	say("{\"event\":\"STOP\"}\r\n");
	say(full);
	CHECK_STR(asked(), "");
	CHECK_INT(loop_turn(loop, 7000, &e), 0);
	CHECK(strstr(asked(), "cont") != NULL);
	end();
}

TEST(another_disk_error_goes_to_the_guest_and_the_machine_runs_on)
{
	begin();
	greet();
	say("{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"report\",\"reason\":\"Input/output error\"}}\r\n");
	CHECK_INT(last, IPC_MACHINE_RUNNING);
	CHECK_STR(detail, "disk error: Input/output error");
	end();
}

TEST(commands_are_what_qemu_is_asked)
{
	begin();
	greet();
	monitor_powerdown(monitor);
	CHECK(strstr(asked(), "\"system_powerdown\"") != NULL);
	monitor_quit(monitor);
	CHECK(strstr(asked(), "\"quit\"") != NULL);
	end();
}
