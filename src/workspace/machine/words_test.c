#include "workspace/machine/words.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"

static struct loop *loop;
static struct words words;
static int child; /* this test plays QEMU */

static void begin(void)
{
	struct err e = { 0 };

	CHECK_INT(loop_new(&loop, &e), 0);
	CHECK_INT(words_init(&words, loop, &child, &e), 0);
}

static void end(void)
{
	words_deinit(&words);
	words_deinit(&words);
	child = fd_close(child);
	loop = loop_free(loop);
}

static void say(const char *text)
{
	CHECK_INT(write(child, text, strlen(text)), (long long)strlen(text));
}

TEST(the_last_line_is_kept)
{
	begin();
	CHECK_STR(words_last(&words), "");
	say("first\nsecond\n");
	CHECK_STR(words_last(&words), "second");
	end();
}

TEST(a_line_without_an_end_counts_when_the_child_has_ended)
{
	begin();
	say("first\nhalf");
	child = fd_close(child);
	CHECK_STR(words_last(&words), "half");
	CHECK_STR(words_last(&words), "half");
	end();
}

TEST(a_line_in_pieces_is_one)
{
	struct err e = { 0 };

	begin();
	say("cannot set up ");
	CHECK_INT(loop_turn(loop, 0, &e), 0);
	say("memory\n");
	CHECK_INT(loop_turn(loop, 0, &e), 0);
	CHECK_STR(words_last(&words), "cannot set up memory");
	end();
}

TEST(a_warning_and_an_empty_line_hide_no_reason)
{
	begin();
	say("no memory\nqemu: warning: no feature\n\n");
	CHECK_STR(words_last(&words), "no memory");
	end();
}

TEST(what_is_kept_is_short_and_printable)
{
	char much[5000];

	begin();
	say("a\x1b[31m\xc3\xa9\n");
	CHECK_STR(words_last(&words), "a?[31m??");
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	say(much);
	CHECK_INT(strlen(words_last(&words)), WORDS_LAST_MAX);
	end();
}

TEST(a_closed_pipe_leaves_the_loop_at_rest)
{
	struct err e = { 0 };

	begin();
	child = fd_close(child);
	CHECK_INT(loop_turn(loop, 0, &e), 0);
	CHECK(words.io.loop == NULL);
	end();
}

TEST(none_is_safe_to_end)
{
	static struct words none;

	words_deinit(&none);
	CHECK_STR(words_last(&none), "");
}

TEST(what_a_child_says_for_ever_fills_no_log)
{
	struct err e = { 0 };
	int real_fd = dup(2);
	int log_fd = memfd_create("log", MFD_CLOEXEC);
	off_t len;

	begin();
	CHECK(dup2(log_fd, 2) == 2);
	for (int i = 0; i < 5000; i++) {
		say("again and again\n");
		CHECK_INT(loop_turn(loop, 0, &e), 0);
	}
	end();
	len = lseek(log_fd, 0, SEEK_END);
	CHECK(dup2(real_fd, 2) == 2);
	CHECK(len > 16 * LOG_METER_BURST && len < 100 * (LOG_METER_BURST + 50));
	(void)close(real_fd);
	(void)close(log_fd);
}
