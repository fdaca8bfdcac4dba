#include "workspace/machine/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"
#include "ipc/spec.h"
#include "os/fd.h"

static struct loop *loop;
static struct console console;
static int file = -1;
static int child = -1; /* this test plays QEMU */

static void begin(const char *before)
{
	struct err e = { 0 };

	file = memfd_create("console", MFD_CLOEXEC);
	CHECK_INT(write(file, before, strlen(before)), (long long)strlen(before));
	CHECK_INT(loop_new(&loop, &e), 0);
	CHECK_INT(console_init(&console, loop, file, &child, &e), 0);
}

static void end(void)
{
	console_deinit(&console);
	console_deinit(&console);
	child = fd_close(child);
	file = fd_close(file);
	loop = loop_free(loop);
}

static uint64_t size(void)
{
	struct stat st;

	CHECK_INT(fstat(file, &st), 0);
	return (uint64_t)st.st_size;
}

static void check_file(const char *text)
{
	char got[64] = "";

	CHECK(pread(file, got, sizeof(got) - 1, 0) >= 0);
	CHECK_STR(got, text);
}

/* Numbers of eight digits, each once, until `total` bytes are written. */
static void count_to(uint64_t total)
{
	struct err e = { 0 };
	char text[4096 + 1];

	for (uint64_t at = 0; at < total; at += 4096) {
		for (unsigned i = 0; i < 512; i++)
			(void)snprintf(text + i * 8, 9, "%08llu", (unsigned long long)(at / 8 + i) % 100000000);
		CHECK_INT(write(child, text, 4096), 4096);
		CHECK(loop_turn(loop, 0, &e) >= 0);
		if (size() > SPEC_CONSOLE_MAX)
			CHECK_INT(size(), SPEC_CONSOLE_MAX);
	}
}

TEST(text_goes_behind_what_an_earlier_machine_wrote)
{
	struct err e = { 0 };

	begin("before\n");
	CHECK_INT(write(child, "booting\n", 8), 8);
	CHECK_INT(loop_turn(loop, 0, &e), 0);
	check_file("before\nbooting\n");
	end();
}

TEST(what_stands_in_the_pipe_at_the_end_is_not_lost)
{
	begin("");
	CHECK_INT(write(child, "last words", 10), 10);
	child = fd_close(child);
	console_drain(&console);
	console_drain(&console);
	check_file("last words");
	end();
}

TEST(the_newest_text_is_kept_whole_and_in_order_below_the_limit)
{
	const uint64_t total = 5ULL * SPEC_CONSOLE_MAX / 2;
	char number[9] = "";
	uint64_t first;

	begin("");
	count_to(total);
	CHECK(size() >= SPEC_CONSOLE_KEPT && size() <= SPEC_CONSOLE_MAX);
	first = (total - size()) / 8;
	for (uint64_t i = 0; i < size() / 8; i++) {
		CHECK_INT(pread(file, number, 8, (off_t)(i * 8)), 8);
		if (strtoull(number, NULL, 10) != first + i)
			CHECK_INT(strtoull(number, NULL, 10), first + i);
	}
	end();
}

TEST(a_file_that_was_longer_is_brought_below_the_limit)
{
	struct err e = { 0 };
	char tail[7] = "";

	begin("");
	console_deinit(&console);
	child = fd_close(child);
	CHECK_INT(ftruncate(file, 3LL * SPEC_CONSOLE_MAX), 0);
	CHECK_INT(pwrite(file, "older", 5, 3LL * SPEC_CONSOLE_MAX - 5), 5);
	CHECK_INT(console_init(&console, loop, file, &child, &e), 0);
	CHECK_INT(write(child, "!", 1), 1);
	CHECK_INT(loop_turn(loop, 0, &e), 0);
	CHECK_INT(size(), SPEC_CONSOLE_KEPT + 1);
	CHECK_INT(pread(file, tail, 6, SPEC_CONSOLE_KEPT - 5), 6);
	CHECK_STR(tail, "older!");
	end();
}

TEST(what_is_no_file_is_refused)
{
	struct err e = { 0 };
	int pair[2];

	CHECK_INT(pipe(pair), 0);
	CHECK_INT(console_init(&console, NULL, pair[1], &child, &e), -EINVAL);
	(void)close(pair[0]);
	(void)close(pair[1]);
}
