#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/userns.h"

/* Apart from userns.c, so that a role that only loses its network does not link open(2): tools/lint/symbols. */

static int write_file(pid_t pid, const char *name, const char *text, struct err *e)
{
	char path[64];
	FD_AUTO int fd = -1;

	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	else
		(void)snprintf(path, sizeof(path), "/proc/self/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(e, errno, "write \"%s\" to %s", text, path);
	return 0;
}

int userns_map(pid_t pid, uid_t inside, uid_t outside, gid_t gid_inside, gid_t gid_outside, struct err *e)
{
	char uid_line[64];
	char gid_line[64];
	int r;

	(void)snprintf(uid_line, sizeof(uid_line), "%u %u 1", inside, outside);
	(void)snprintf(gid_line, sizeof(gid_line), "%u %u 1", gid_inside, gid_outside);
	r = write_file(pid, "setgroups", "deny", e);
	r = r < 0 ? r : write_file(pid, "uid_map", uid_line, e);
	return r < 0 ? r : write_file(pid, "gid_map", gid_line, e);
}
