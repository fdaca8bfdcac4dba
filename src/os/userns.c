#include "os/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/fd.h"

int userns_unshare(int flags, struct err *e)
{
	if (unshare(CLONE_NEWUSER | flags) == 0)
		return 0;
	if (errno == ENOSPC)
		return err_set(e, ENOSPC, "this host allows no further user namespace: raise sysctl user.max_user_namespaces "
					  "(0 switches them off)");
	if (errno == EPERM)
		return err_set(e, EPERM, "this host does not let us make a user namespace: set sysctl "
					 "kernel.unprivileged_userns_clone=1 and "
					 "kernel.apparmor_restrict_unprivileged_userns=0, and do not run in a chroot");
	if (errno == EINVAL || errno == ENOSYS)
		return err_sys(e, errno, "this kernel has no user namespaces: build it with CONFIG_USER_NS");
	return err_sys(e, errno, "make a user namespace");
}

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
