/* QEMU as a child: its command line as a value, and its start with nothing but the descriptors of one workspace. */
#ifndef SAW_MACHINE_QEMU_H
#define SAW_MACHINE_QEMU_H

#include <stdint.h>

#include "base/bytes.h"
#include "ipc/types.h"
#include "os/child.h"

/* Descriptors of MACHINE_CONFIG, in its order. */
enum qemu_fd { QEMU_TAP, QEMU_KERNEL, QEMU_INITRD, QEMU_BASE, QEMU_OVERLAY, QEMU_HOME, QEMU_SEED, QEMU_CONSOLE, QEMU_N_FDS };

enum { QEMU_CPUS_MAX = 256, QEMU_MEMORY_MIN = 128 * 1024 * 1024, QEMU_MAC_LEN = 6, QEMU_PATH_MAX = 4096 };

struct qemu_config {
	uint64_t cpus;
	uint64_t memory_bytes; /* whole MiB are used */
	enum ipc_accel accel; /* KVM or TCG */
	uint8_t mac[QEMU_MAC_LEN];
	struct bytes kernel_args; /* appended to ours */
	struct bytes title;
	int fds[QEMU_N_FDS];
};

/* Path of the emulator for this architecture, or -ENOENT with the remedy. */
int qemu_path(char ret[QEMU_PATH_MAX], struct err *e);

/* Starts it with `qmp_fd` (one end of a stream socket pair) as its monitor and `words_fd` as its standard error. All descriptors stay the caller's. */
int qemu_start(struct child *ret, const struct qemu_config *c, const char *path, int qmp_fd, int words_fd, struct err *e);

#endif
