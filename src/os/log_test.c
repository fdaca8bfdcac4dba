#include "os/log.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/tap.h"

static char text[256 * 1024];
static int log_fd;
static int real_fd;

/* What is logged meanwhile comes back as one text. */
static void begin(void)
{
	real_fd = dup(2);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	CHECK(real_fd >= 0 && log_fd >= 0 && dup2(log_fd, 2) == 2);
}

static unsigned end(void)
{
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);
	unsigned lines = 0;

	text[n > 0 ? n : 0] = '\0';
	CHECK(dup2(real_fd, 2) == 2);
	(void)close(real_fd);
	(void)close(log_fd);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	return lines;
}

static unsigned say(struct log_meter *m, unsigned n, uint64_t now)
{
	unsigned written = 0;

	for (unsigned i = 0; i < n; i++)
		if (log_room(m, now)) {
			log_line("again");
			written++;
		}
	return written;
}

TEST(a_burst_is_written_and_then_one_line_in_its_time_with_what_was_left_out)
{
	struct log_meter m = { 0 };
	uint64_t now = 12345;

	begin();
	CHECK_INT(say(&m, 5000, now), LOG_METER_BURST);
	CHECK_INT(say(&m, 5000, now + LOG_METER_MS), 1);
	CHECK_INT(end(), LOG_METER_BURST + 2);
	CHECK(strstr(text, ": 4900 lines of this kind were left out\n") != NULL);
	begin();
	log_rest(&m);
	log_rest(&m);
	CHECK_INT(end(), 1);
	CHECK(strstr(text, ": 4999 lines of this kind were left out\n") != NULL);
}

TEST(a_source_that_was_quiet_has_its_burst_again_and_no_more)
{
	struct log_meter m = { 0 };

	begin();
	(void)say(&m, 5000, 1);
	CHECK_INT(say(&m, 5000, 1000 * 1000 * 1000), LOG_METER_BURST);
	(void)end();
}

TEST(a_line_has_no_control_characters)
{
	begin();
	log_line("a\nb\x1b[31m");
	CHECK_INT(end(), 1);
	CHECK(strstr(text, "a?b?[31m\n") != NULL);
}
