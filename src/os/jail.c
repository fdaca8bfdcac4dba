#include "os/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/userns.h"

/* After the last stage the process can use the descriptors it holds and nothing else. The order matters: the uid change needs
 * capabilities; making a user namespace needs none but gives new ones, which go at once; Landlock and seccomp need
 * no_new_privs; seccomp comes last because the other stages are system calls that it forbids. */

static pid_t parent; /* 0: jail_identity() was not called, and this process may outlive its parent */

static int die_with_parent(struct err *e)
{
	if (parent == 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, errno, "jail: arrange to die with the parent");
	if (getppid() != parent)
		_exit(0);
	return 0;
}

int jail_identity_with(uint64_t uid, gid_t group, struct err *e)
{
	uid_t u = (uid_t)uid;
	gid_t g = (gid_t)uid;
	int r;

	parent = getppid();
	r = die_with_parent(e);
	if (r < 0 || uid == 0)
		return r;
	if (uid >= UINT32_MAX)
		return err_set(e, EINVAL, "jail: identity: uid %llu is out of range", (unsigned long long)uid);
	if (setgroups(group ? 1 : 0, &group) < 0 || setresgid(g, g, g) < 0 || setresuid(u, u, u) < 0)
		return err_sys(e, errno, "jail: identity: become uid %u: run as root, or without role uids", u);
	if (getuid() != u || geteuid() != u || getgid() != g || getegid() != g || setuid(0) == 0)
		return err_set(e, EPERM, "jail: identity: uid %u did not stick", u);
	/* The change of uid cleared it. */
	return die_with_parent(e);
}

int jail_identity(uint64_t uid, struct err *e)
{
	return jail_identity_with(uid, 0, e);
}

int jail_capabilities_drop(uint64_t keep, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	for (int i = 0; i < 2; i++)
		d[i].effective = d[i].permitted = (uint32_t)(keep >> (32 * i));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, errno, "jail: capabilities: clear the ambient set");
	/* Needs CAP_SETPCAP; without it nothing can be gained either: no_new_privs is set. */
	for (unsigned long cap = 0; cap < 64; cap++)
		if (!(keep & JAIL_CAP(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM &&
		    errno != EINVAL)
			return err_sys(e, errno, "jail: capabilities: drop %lu from the bounding set", cap);
	if (syscall(SYS_capset, &h, d) < 0)
		return err_sys(e, errno, "jail: capabilities: set them");
	return 0;
}

static int set_limit(int what, uint64_t n, struct err *e)
{
	struct rlimit l = { .rlim_cur = n, .rlim_max = n };

	if (setrlimit((__rlimit_resource_t)what, &l) < 0)
		return err_sys(e, errno, "jail: limits: set limit %d to %llu", what, (unsigned long long)n);
	return 0;
}

static int set_max_fds(uint64_t max_fds, struct err *e)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return err_sys(e, errno, "jail: limits: read the limit of descriptors");
	if (l.rlim_max < max_fds)
		return err_set(e, EMFILE, "jail: limits: %llu descriptors are needed, the hard limit is %llu: raise it (ulimit -Hn)",
			       (unsigned long long)max_fds, (unsigned long long)l.rlim_max);
	return set_limit(RLIMIT_NOFILE, max_fds, e);
}

int jail_hide_memory(struct err *e)
{
#ifndef SAW_SANITIZED
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, errno, "clear dumpable");
#else
	(void)e;
#endif
	return 0;
}

int jail_capabilities(uint64_t keep, uint64_t max_fds, int may_fork, struct err *e)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "jail: capabilities: set no_new_privs");
	/* Limits first: to raise a soft limit up to the hard one needs nothing, to go above would need a capability. */
	r = max_fds ? set_max_fds(max_fds, e) : 0;
	r = r < 0 ? r : set_limit(RLIMIT_CORE, 0, e);
	if (r == 0) {
		r = jail_hide_memory(e);
		r = r < 0 ? err_in(e, r, "jail: capabilities") : 0;
	}
#ifndef SAW_SANITIZED
	if (r == 0 && !may_fork)
		r = set_limit(RLIMIT_NPROC, 0, e);
#else
	(void)may_fork;
#endif
	r = r < 0 ? r : jail_capabilities_drop(keep, e);
	return r < 0 ? r : die_with_parent(e);
}

int jail_namespaces(struct err *e)
{
	int r = userns_unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, e);

	if (r < 0)
		return err_in(e, r, "jail: namespaces");
	r = jail_capabilities_drop(0, e);
	return r < 0 ? r : die_with_parent(e);
}

const char *jail_left_out(void)
{
#ifdef SAW_SANITIZED
	return "seccomp, not dumpable, process limit, no /proc";
#else
	return "";
#endif
}
