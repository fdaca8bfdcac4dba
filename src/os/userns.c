#include "os/userns.h"

#include <errno.h>
#include <sched.h>

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
