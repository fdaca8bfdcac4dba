#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "os/fd.h"

static int held_by_other(int fd, const char *path, struct err *e)
{
	char holder[16] = { 0 };
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

	if (n < 0)
		n = 0;
	holder[strcspn(holder, "\n")] = '\0';
	return err_set(e, EBUSY, "%s is held by process %s", path, *holder ? holder : "(unknown)");
}

int lock_take(const char *path, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char mine[16];
	int n;

	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return held_by_other(fd, path, e);
		return err_sys(e, errno, "lock %s", path);
	}
	n = snprintf(mine, sizeof(mine), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, mine, (size_t)n, 0) != n)
		return err_sys(e, errno, "write %s", path);
	return fd_take(&fd);
}
