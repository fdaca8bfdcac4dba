#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/jail.h"
#include "os/landlock_abi.h"
#include "os/landlock_rules.h"

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

int jail_files(const struct jail_path *paths, size_t n, unsigned net, struct err *e)
{
	int abi = 0;
	FD_AUTO int ruleset = landlock_ruleset(net, &abi, e);

	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; i < n; i++) {
		int r = allow(ruleset, &paths[i], landlock_fs_known(abi), e);

		if (r < 0)
			return r;
	}
	return landlock_enter(ruleset, e);
}
