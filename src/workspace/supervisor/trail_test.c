#include "workspace/supervisor/trail.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "store/sync_kit.h"
#include "workspace/supervisor/hold.h"
#include "workspace/supervisor/ws.h"

/* The log is a real one. */

enum { YES = 1, NO = 2, SKIPPED = 77 };

static struct ws ws;
static char folder[] = "/tmp/saw-trail-XXXXXX";
static char path[64];
static unsigned answers[8]; /* by id; 0: none */

uint64_t hold_generation(const struct hold *h)
{
	(void)h;
	return 1;
}

static void on_done(void *owner, uint64_t id, bool ok)
{
	CHECK(owner == answers && answers[id] == 0);
	answers[id] = ok ? YES : NO;
}

static void write_event(struct trail *t, uint64_t id)
{
	struct event ev = { .kind = EVENT_FLOW, .action = EVENT_ALLOWED };

	trail_write(t, &ev, id, on_done, answers);
}

static struct trail *start(void)
{
	struct trail *t = NULL;

	memset(answers, 0, sizeof(answers));
	if (!*path && mkdtemp(folder))
		(void)snprintf(path, sizeof(path), "%s/audit.jsonl", folder);
	CHECK(loop_new(&ws.loop, NULL) == 0 && trail_new(&t, &ws, path, NULL) == 0);
	return t;
}

static void stop(struct trail *t)
{
	trail_free(t);
	ws.loop = loop_free(ws.loop);
	(void)unlink(path);
}

static void turn(void)
{
	CHECK_INT(loop_turn(ws.loop, 0, NULL), 0);
}

TEST(whoever_waits_for_an_event_hears_of_it_when_the_turn_is_over)
{
	struct trail *t = start();

	write_event(t, 1);
	write_event(t, 2);
	CHECK(!answers[1] && !answers[2]);
	turn();
	CHECK(answers[1] == YES && answers[2] == YES);
	stop(t);
}

TEST(whoever_went_away_hears_nothing)
{
	struct trail *t = start();

	write_event(t, 1);
	trail_forget(t, answers);
	turn();
	CHECK(!answers[1]);
	stop(t);
}

/* Gives the number of the answer that is not what it should be. */
static int on_a_disk_that_does_not_sync(void)
{
	struct trail *t = start();

	write_event(t, 1);
	turn();
	if (answers[1] != YES)
		return 1;
	if (!kit_sync_fails(-1))
		return SKIPPED;
	write_event(t, 2);
	turn();
	if (answers[2] != NO)
		return 2;
	write_event(t, 3);
	trail_flush(t);
	return answers[3] == NO ? 0 : 3;
}

TEST(what_is_in_the_file_and_not_on_disk_is_answered_with_no)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(on_a_disk_that_does_not_sync());
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED)
		tap_skip("this host does not let a process filter its system calls");
	else
		CHECK_INT(WEXITSTATUS(status), 0);
}

TEST(the_folder_of_this_test_is_removed)
{
	char journal[80];

	(void)snprintf(journal, sizeof(journal), "%s.journal", path);
	(void)unlink(path);
	(void)unlink(journal);
	CHECK(rmdir(folder) == 0);
}
