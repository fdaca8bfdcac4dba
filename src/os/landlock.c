#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/jail.h"
#include "os/landlock_abi.h"

static uint64_t fs_known(int abi)
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

static uint64_t fs_of(unsigned rights)
{
	uint64_t bits = 0;

	if (rights & JAIL_READ)
		bits |= LL_FS_READ_FILE;
	if (rights & JAIL_LIST)
		bits |= LL_FS_READ_DIR;
	if (rights & JAIL_WRITE)
		bits |= LL_FS_WRITE_FILE | LL_FS_TRUNCATE;
	if (rights & JAIL_CREATE)
		bits |= LL_FS_MAKE_REG | LL_FS_MAKE_DIR | LL_FS_MAKE_SOCK | LL_FS_REMOVE_FILE | LL_FS_REMOVE_DIR |
			LL_FS_REFER;
	if (rights & JAIL_EXEC)
		bits |= LL_FS_EXECUTE;
	if (rights & JAIL_DEVICE)
		bits |= LL_FS_IOCTL_DEV;
	return bits;
}

/* Rights that make sense on a file; the kernel refuses the others there. */
static const uint64_t file_bits =
	LL_FS_EXECUTE | LL_FS_WRITE_FILE | LL_FS_READ_FILE | LL_FS_TRUNCATE | LL_FS_IOCTL_DEV;

static int allow(int ruleset, const struct jail_path *p, uint64_t known, struct err *e)
{
	FD_AUTO int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct ll_path_beneath rule = { .allowed = fs_of(p->rights) & known, .parent_fd = fd };
	struct stat st;

	if (fd < 0 && errno == ENOENT && !p->must_exist)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "jail: Landlock: open %s", p->path);
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= file_bits;
	if (rule.allowed && syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0U) < 0)
		return err_sys(e, errno, "jail: Landlock: allow %s", p->path);
	return 0;
}

static int make_ruleset(int abi, unsigned net, struct err *e)
{
	struct ll_ruleset attr = { .handled_fs = fs_known(abi) };
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

int jail_files(const struct jail_path *paths, size_t n, unsigned net, struct err *e)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0UL, LL_VERSION_QUERY);
	FD_AUTO int ruleset = -1;

	if (abi < LL_ABI_MIN)
		return err_set(e, ENOSYS, "jail: Landlock: this kernel does not offer it: use Linux 5.13 or newer with "
					  "\"landlock\" in its lsm= list");
	ruleset = make_ruleset(abi, net, e);
	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; i < n; i++) {
		int r = allow(ruleset, &paths[i], fs_known(abi), e);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0U) < 0)
		return err_sys(e, errno, "jail: Landlock: enter it");
	return 0;
}
