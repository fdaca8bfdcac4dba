#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"

static int memory(const char *text)
{
	int fd = fd_sealed("test", text, strlen(text), NULL);

	CHECK(fd >= 0);
	(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

TEST(a_file_is_read_to_its_end_and_appended)
{
	FD_AUTO int fd = memory("world");
	struct buf b BUF_AUTO = { 0 };

	buf_init(&b, 16);
	CHECK(buf_str(&b, "hello "));
	CHECK_INT(fd_read_all(fd, &b), 0);
	CHECK(bytes_is(buf_view(&b), "hello world"));
}

TEST(a_file_that_fills_the_buffer_exactly_is_not_too_long)
{
	FD_AUTO int fd = memory("12345");
	struct buf b BUF_AUTO = { 0 };

	buf_init(&b, 5);
	CHECK_INT(fd_read_all(fd, &b), 0);
	CHECK(bytes_is(buf_view(&b), "12345") && !b.failed);
}

TEST(one_byte_more_is_too_long)
{
	FD_AUTO int fd = memory("123456");
	struct buf b BUF_AUTO = { 0 };

	buf_init(&b, 5);
	CHECK_INT(fd_read_all(fd, &b), -EFBIG);
	CHECK(!b.failed && b.len == 5);
}

TEST(what_cannot_be_read_or_written_says_why)
{
	FD_AUTO int fd = open("/", O_RDONLY | O_CLOEXEC);
	struct buf b BUF_AUTO = { 0 };

	buf_init(&b, 5);
	CHECK_INT(fd_read_all(fd, &b), -EISDIR);
	CHECK_INT(fd_write_all(fd, bytes_str("x")), -EBADF);
	CHECK_INT(fd_write_all(-1, bytes_of(NULL, 0)), 0);
}

TEST(a_place_of_a_file_is_written_and_read_whatever_its_offset)
{
	int fd FD_AUTO = memfd_create("place", MFD_CLOEXEC);
	char got[6] = { 0 };

	CHECK_INT(fd_pwrite_all(fd, bytes_str("abcdef"), 3), 0);
	CHECK_INT(fd_pwrite_all(fd, bytes_str("XY"), 4), 0);
	CHECK_INT(fd_pread_all(fd, got, 5, 3), 0);
	CHECK(memcmp(got, "aXYde", 5) == 0);
	CHECK_INT(fd_pread_all(fd, got, 5, 5), -EIO);
	CHECK_INT(fd_pread_all(-1, got, 1, 0), -EBADF);
	CHECK_INT(fd_pwrite_all(-1, bytes_str("a"), 0), -EBADF);
	CHECK_INT(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(a_pipe_gets_all_that_is_written)
{
	struct buf b BUF_AUTO = { 0 };
	int ends[2];

	CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
	CHECK_INT(fd_write_all(ends[1], bytes_str("whole")), 0);
	(void)fd_close(ends[1]);
	buf_init(&b, 64);
	CHECK_INT(fd_read_all(ends[0], &b), 0);
	CHECK(bytes_is(buf_view(&b), "whole"));
	(void)fd_close(ends[0]);
}

TEST(a_file_of_ones_own_is_one_that_nobody_else_can_write)
{
	char path[] = "/tmp/saw-fd-XXXXXX";
	int fd FD_AUTO = mkostemp(path, O_CLOEXEC);
	int folder FD_AUTO = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	struct err e;

	CHECK_INT(fd_own_file(fd, "f", &st, &e), 0);
	CHECK(fchmod(fd, 0644) == 0 && fd_own_file(fd, "f", &st, &e) == 0);
	CHECK(fchmod(fd, 0620) == 0);
	CHECK_INT(fd_own_file(fd, "f", &st, &e), -EPERM);
	CHECK_STR(e.text, "f may be written by others: look at what it has, then `chmod go-w` it");
	CHECK(fchmod(fd, 0602) == 0);
	CHECK_INT(fd_own_file(fd, "f", &st, &e), -EPERM);
	CHECK_INT(fd_own_file(folder, "d", &st, &e), -EBADMSG);
	CHECK_STR(e.text, "d is not a regular file: move it away");
	CHECK_INT(fd_own_file(-1, "none", &st, &e), -EBADF);
	CHECK(unlink(path) == 0);
}

TEST(a_file_of_another_user_is_refused_with_the_remedy)
{
	char path[] = "/tmp/saw-fd-XXXXXX";
	int fd FD_AUTO = mkostemp(path, O_CLOEXEC);
	struct stat st;
	struct err e;

	CHECK(unlink(path) == 0);
	if (fchown(fd, 12345, (gid_t)-1)) {
		tap_skip("only root gives a file away");
		return;
	}
	CHECK_INT(fd_own_file(fd, "f", &st, &e), -EPERM);
	CHECK_STR(e.text, "f belongs to user 12345, not to user 0: move it away, or change its owner");
}

static bool nothing_takes_a_standard_place(void)
{
	char c = 'c';

	for (int fd = 0; fd <= 2; fd++)
		(void)close(fd);
	fd_hold_standard();
	return open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) > 2 && read(0, &c, 1) < 0 && errno == EBADF && write(1, &c, 1) < 0 &&
	       errno == EBADF && write(2, &c, 1) < 0 && errno == EBADF;
}

TEST(no_file_takes_the_place_of_a_closed_standard_descriptor)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(nothing_takes_a_standard_place() ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
}

TEST(only_memory_that_nobody_can_change_any_more_is_mapped)
{
	static const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	static const int missing[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };
	int good FD_AUTO = memory("text");
	int plain FD_AUTO = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const void *p = NULL;
	size_t len = 0;

	CHECK_INT(fd_map_sealed(good, 4, &p, &len, NULL), 0);
	CHECK(len == 4 && memcmp(p, "text", 4) == 0);
	CHECK(munmap((void *)(uintptr_t)p, len) == 0);
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		int fd FD_AUTO = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		CHECK(fd_write_all(fd, bytes_str("text")) == 0 && fcntl(fd, F_ADD_SEALS, all & ~missing[i]) == 0);
		CHECK_INT(fd_map_sealed(fd, 4, &p, &len, NULL), -EPERM);
	}
	CHECK_INT(fd_map_sealed(plain, SIZE_MAX, &p, &len, NULL), -EPERM);
	CHECK_INT(fd_map_sealed(-1, 4, &p, &len, NULL), -EPERM);
}

TEST(memory_of_no_byte_or_of_too_many_is_not_mapped)
{
	int some FD_AUTO = memory("text");
	int none FD_AUTO = memory("");
	const void *p = NULL;
	size_t len = 0;

	CHECK_INT(fd_map_sealed(some, 3, &p, &len, NULL), -EFBIG);
	CHECK_INT(fd_map_sealed(none, 3, &p, &len, NULL), -EFBIG);
	CHECK(!p && !len);
}
