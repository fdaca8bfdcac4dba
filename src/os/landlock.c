#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/jail.h"
#include "os/landlock_abi.h"
#include "os/landlock_rules.h"

/* Apart from landlock_paths.c, so that a role which may open nothing does not even link open(2): tools/lint/symbols. */

uint64_t landlock_fs_known(int abi)
{
	uint64_t bits = LL_FS_ALL_ABI1;

	if (abi >= LL_ABI_REFER)
		bits |= LL_FS_REFER;
	if (abi >= LL_ABI_TRUNCATE)
		bits |= LL_FS_TRUNCATE;
	if (abi >= LL_ABI_IOCTL)
		bits |= LL_FS_IOCTL_DEV;
	return bits;
}

static int make_ruleset(int abi, unsigned net, struct err *e)
{
	struct ll_ruleset attr = { .handled_fs = landlock_fs_known(abi) };
	size_t size = sizeof(attr.handled_fs);
	int fd;

	if (abi >= LL_ABI_NET) {
		size += sizeof(attr.handled_net);
		if (!(net & JAIL_NET_CONNECT))
			attr.handled_net |= LL_NET_CONNECT_TCP;
		if (!(net & JAIL_NET_BIND))
			attr.handled_net |= LL_NET_BIND_TCP;
	}
	if (abi >= LL_ABI_SCOPE) {
		size += sizeof(attr.scoped);
		attr.scoped = LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0U);
	if (fd < 0)
		return err_sys(e, errno, "jail: Landlock: make a ruleset");
	return fd;
}

int landlock_ruleset(unsigned net, int *ret_abi, struct err *e)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0UL, LL_VERSION_QUERY);

	if (abi < LL_ABI_MIN)
		return err_set(e, ENOSYS, "jail: Landlock: this kernel does not offer it: use Linux 5.13 or newer with "
					  "\"landlock\" in its lsm= list");
	*ret_abi = abi;
	return make_ruleset(abi, net, e);
}

/* A sanitizer's leak check reads the process's own tables in /proc when the process ends. */
static void allow_leak_check(int ruleset)
{
#ifdef SAW_SANITIZED
	FD_AUTO int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc", O_PATH | O_CLOEXEC);
	struct ll_path_beneath rule = { .allowed = LL_FS_READ_FILE | LL_FS_READ_DIR, .parent_fd = fd };

	(void)syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0U);
#else
	(void)ruleset;
#endif
}

int landlock_enter(int ruleset, struct err *e)
{
	allow_leak_check(ruleset);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0U) < 0)
		return err_sys(e, errno, "jail: Landlock: enter it");
	return 0;
}

int jail_no_files(unsigned net, struct err *e)
{
	int abi = 0;
	FD_AUTO int ruleset = landlock_ruleset(net, &abi, e);

	return ruleset < 0 ? ruleset : landlock_enter(ruleset, e);
}
