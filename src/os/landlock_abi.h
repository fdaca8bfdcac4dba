/* Landlock's constants up to ABI 7, since a distribution's linux/landlock.h may end earlier (Debian 12: ABI 2).
 * Source: Documentation/userspace-api/landlock.rst of the kernel. */
#ifndef SAW_OS_LANDLOCK_ABI_H
#define SAW_OS_LANDLOCK_ABI_H

#include <stdint.h>

enum {
	LL_VERSION_QUERY = 1, /* flag of create_ruleset: gives the ABI */
	LL_RULE_PATH_BENEATH = 1,
	LL_ABI_MIN = 1, /* file rights: we refuse to start below */
	LL_ABI_REFER = 2,
	LL_ABI_TRUNCATE = 3,
	LL_ABI_NET = 4,
	LL_ABI_IOCTL = 5,
	LL_ABI_SCOPE = 6,
};

#define LL_FS_EXECUTE (1ULL << 0)
#define LL_FS_WRITE_FILE (1ULL << 1)
#define LL_FS_READ_FILE (1ULL << 2)
#define LL_FS_READ_DIR (1ULL << 3)
#define LL_FS_REMOVE_DIR (1ULL << 4)
#define LL_FS_REMOVE_FILE (1ULL << 5)
#define LL_FS_MAKE_DIR (1ULL << 7)
#define LL_FS_MAKE_REG (1ULL << 8)
#define LL_FS_MAKE_SOCK (1ULL << 9)
#define LL_FS_ALL_ABI1 ((1ULL << 13) - 1)
#define LL_FS_REFER (1ULL << 13)
#define LL_FS_TRUNCATE (1ULL << 14)
#define LL_FS_IOCTL_DEV (1ULL << 15)

#define LL_NET_BIND_TCP (1ULL << 0)
#define LL_NET_CONNECT_TCP (1ULL << 1)

#define LL_SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define LL_SCOPE_SIGNAL (1ULL << 1)

/* An older kernel takes the shorter struct: its size is passed along. */
struct ll_ruleset {
	uint64_t handled_fs;
	uint64_t handled_net; /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};

struct ll_path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

#endif
