#include "workspace/machine/console.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/spec.h"
#include "os/fd.h"

/* One file that is shortened in place: this role opens and renames nothing. The newest part is copied before the rest is cut off, so a crash
 * between the two repeats text and loses none. QEMU's end does not block: it waits with the guest's next byte while the pipe is full. */

enum { READ_LEN = 64 * 1024, READS_MAX = 64 /* of what a child left behind: more than a pipe holds */ };

static char some[READ_LEN];

static bool copy_newest(const struct console *c)
{
	uint64_t from = c->len - SPEC_CONSOLE_KEPT;

	for (uint64_t at = 0; at < SPEC_CONSOLE_KEPT;) {
		uint64_t left = SPEC_CONSOLE_KEPT - at;
		ssize_t n = pread(c->file_fd, some, left < sizeof(some) ? left : sizeof(some), (off_t)(from + at));

		if (n <= 0 || pwrite(c->file_fd, some, (size_t)n, (off_t)at) != n)
			return false;
		at += (uint64_t)n;
	}
	return true;
}

static void shorten(struct console *c)
{
	uint64_t keep = copy_newest(c) ? SPEC_CONSOLE_KEPT : 0;

	if (ftruncate(c->file_fd, (off_t)keep) == 0)
		c->len = keep;
}

/* 1: there may be more; 0: not now; -1: never again. */
static int look(struct console *c)
{
	ssize_t n;

	if (c->len > SPEC_CONSOLE_MAX - READ_LEN)
		shorten(c);
	n = read(c->pipe_fd, some, sizeof(some));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	if (c->len <= SPEC_CONSOLE_MAX - READ_LEN)
		n = pwrite(c->file_fd, some, (size_t)n, (off_t)c->len);
	else
		n = 0;
	c->len += n > 0 ? (uint64_t)n : 0;
	return 1;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct console *c = io->owner;

	(void)events;
	if (look(c) < 0)
		loop_io_remove(io);
}

static int open_ends(struct console *c, int file_fd, int *ret_fd, struct err *e)
{
	struct stat st;
	int pair[2];

	if (fstat(file_fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "the console's log is no file");
	c->len = (uint64_t)st.st_size;
	c->file_fd = fcntl(file_fd, F_DUPFD_CLOEXEC, 0);
	if (c->file_fd < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for the console");
	c->pipe_fd = pair[0];
	*ret_fd = pair[1];
	return fd_nonblock(c->pipe_fd, e);
}

int console_init(struct console *c, struct loop *l, int file_fd, int *ret_fd, struct err *e)
{
	FD_AUTO int theirs = -1;
	int r;

	*c = (struct console){ .pipe_fd = -1, .file_fd = -1 };
	r = open_ends(c, file_fd, &theirs, e);
	r = r < 0 ? r : loop_io_add(l, &c->io, c->pipe_fd, EPOLLIN, on_io, c, e);
	if (r < 0) {
		console_deinit(c);
		return r;
	}
	*ret_fd = fd_take(&theirs);
	return 0;
}

void console_drain(struct console *c)
{
	for (int i = 0; c->pipe_fd > 0 && i < READS_MAX && look(c) > 0; i++)
		;
}

void console_deinit(struct console *c)
{
	loop_io_remove(&c->io);
	if (c->pipe_fd > 0)
		(void)fd_close(c->pipe_fd);
	if (c->file_fd > 0)
		(void)fd_close(c->file_fd);
	c->pipe_fd = c->file_fd = -1;
}
