#include "workspace/machine/qemu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "wire/guest_net.h"

/* QEMU opens no file of the workspace by name: disks and console are descriptor sets (-add-fd), tap and monitor plain descriptors, kernel and
 * initramfs are read through /proc/self/fd (its loader knows no descriptor sets). Only virtio devices exist; there is no USB, no display, no
 * user configuration. q35 stripped of its legacy devices: the microvm machine, tried first, hangs under TCG with Debian's kernel as soon as its
 * timers are taken away, and boots no faster with them. */

enum { QMP_FD = 30, FIRST_FD = 10, ARGS_MAX = 96 };

#if defined(__x86_64__)
static const char emulator[] = "qemu-system-x86_64";
static const char machine[] = "q35,usb=off,sata=off,smbus=off,vmport=off";
static const char bus[] = "pci";
static const char console[] = "console=ttyS0";
static const char emulated_cpu[] = "max,la57=off";
#elif defined(__aarch64__)
static const char emulator[] = "qemu-system-aarch64";
static const char machine[] = "virt,gic-version=max,usb=off";
static const char bus[] = "pci";
static const char console[] = "console=ttyAMA0";
static const char emulated_cpu[] = "max";
#else
#error "no virtual machine is defined for this architecture: add a row"
#endif

int qemu_path(char ret[QEMU_PATH_MAX], struct err *e)
{
	static const char *const folders[] = { "/usr/bin", "/usr/local/bin", "/usr/libexec" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		(void)snprintf(ret, QEMU_PATH_MAX, "%s/%s", folders[i], emulator);
		if (access(ret, X_OK) == 0)
			return 0;
	}
	return err_set(e, ENOENT, "%s is not installed: install Debian's qemu-system-x86 (or -arm)", emulator);
}

/* Arguments being collected; texts live in one buffer that never moves. */
struct args {
	const char *v[ARGS_MAX];
	size_t n;
	char text[32 * 1024];
	size_t len;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct args *a, const char *format, ...)
{
	va_list ap;
	int n;

	if (a->failed || a->n == ARGS_MAX - 1) {
		a->failed = true;
		return;
	}
	va_start(ap, format);
	n = vsnprintf(a->text + a->len, sizeof(a->text) - a->len, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(a->text) - a->len) {
		a->failed = true;
		return;
	}
	a->v[a->n++] = a->text + a->len;
	a->len += (size_t)n + 1;
	a->v[a->n] = NULL;
}

static void add_disk(struct args *a, const char *name, enum qemu_fd fd, bool read_only)
{
	add(a, "-add-fd");
	add(a, "fd=%d,set=%d", FIRST_FD + (int)fd, (int)fd);
	add(a, "-blockdev");
	/* `base` is shared by all workspaces of an image: read-only, through the page cache, no lock. */
	add(a, "driver=raw,node-name=%s,read-only=%s,discard=unmap,detect-zeroes=%s,file.driver=file,file.filename=/dev/fdset/%d,"
	       "file.locking=off,file.aio=threads,cache.direct=off",
	    name, read_only ? "on" : "off", read_only ? "off" : "unmap", (int)fd);
	add(a, "-device");
	add(a, "virtio-blk-%s,drive=%s,serial=%s", bus, name, name);
}

static void add_all(struct args *a, const struct qemu_config *c)
{
	add(a, "-name");
	add(a, "%.*s", (int)c->title.len, (const char *)c->title.p);
	add(a, "-nodefaults");
	add(a, "-no-user-config");
	add(a, "-display");
	add(a, "none");
	add(a, "-sandbox");
	add(a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add(a, "-machine");
	add(a, "%s", machine);
	add(a, "-accel");
	add(a, "%s", c->accel == IPC_ACCEL_KVM ? "kvm" : "tcg,thread=multi");
	add(a, "-cpu");
	/* Emulation pays for each level of page tables. */
	add(a, "%s", c->accel == IPC_ACCEL_KVM ? "host" : emulated_cpu);
	add(a, "-smp");
	add(a, "%llu", (unsigned long long)c->cpus);
	add(a, "-m");
	add(a, "%lluM", (unsigned long long)(c->memory_bytes >> 20));
	add(a, "-kernel");
	add(a, "/proc/self/fd/%d", FIRST_FD + QEMU_KERNEL);
	add(a, "-initrd");
	add(a, "/proc/self/fd/%d", FIRST_FD + QEMU_INITRD);
	add(a, "-append");
	/* Mitigations of a CPU that is not there only cost. */
	add(a, "%s quiet loglevel=4 net.ifnames=0 panic=10%s%s%.*s", console, c->accel == IPC_ACCEL_KVM ? "" : " mitigations=off",
	    c->kernel_args.len ? " " : "", (int)c->kernel_args.len, (const char *)c->kernel_args.p);
	add(a, "-add-fd");
	add(a, "fd=%d,set=%d", FIRST_FD + QEMU_CONSOLE, QEMU_CONSOLE);
	add(a, "-chardev");
	add(a, "file,id=console,path=/dev/fdset/%d,append=on", QEMU_CONSOLE);
	add(a, "-serial");
	add(a, "chardev:console");
	add_disk(a, "base", QEMU_BASE, true);
	add_disk(a, "overlay", QEMU_OVERLAY, false);
	add_disk(a, "home", QEMU_HOME, false);
	add_disk(a, "seed", QEMU_SEED, true);
	add(a, "-netdev");
	add(a, "tap,id=net,fd=%d,vhost=off", FIRST_FD + QEMU_TAP);
	add(a, "-device");
	add(a, "virtio-net-%s,netdev=net,mac=%02x:%02x:%02x:%02x:%02x:%02x,host_mtu=%d", bus, c->mac[0], c->mac[1],
	    c->mac[2], c->mac[3], c->mac[4], c->mac[5], NET_MTU);
	add(a, "-object");
	add(a, "rng-builtin,id=rng");
	add(a, "-device");
	add(a, "virtio-rng-%s,rng=rng", bus);
	add(a, "-chardev");
	add(a, "socket,id=qmp,fd=%d", QMP_FD);
	add(a, "-mon");
	add(a, "chardev=qmp,mode=control");
}

int qemu_start(struct child *ret, const struct qemu_config *c, const char *path, int qmp_fd, int words_fd, struct err *e)
{
	struct args *a = calloc(1, sizeof(*a));
	struct child_fd fds[QEMU_N_FDS + 2];
	char title[128];
	struct child_spec spec = { .path = path, .title = title, .fds = fds, .n_fds = QEMU_N_FDS + 2 };
	int r;

	if (!a)
		return err_set(e, ENOMEM, "out of memory for QEMU's arguments");
	(void)snprintf(title, sizeof(title), "%s: %.*s", emulator, (int)c->title.len, (const char *)c->title.p);
	for (int i = 0; i < QEMU_N_FDS; i++)
		fds[i] = (struct child_fd){ .from = c->fds[i], .to = FIRST_FD + i };
	fds[QEMU_N_FDS] = (struct child_fd){ .from = qmp_fd, .to = QMP_FD };
	fds[QEMU_N_FDS + 1] = (struct child_fd){ .from = words_fd, .to = 2 };
	add_all(a, c);
	spec.args = a->v;
	r = a->failed ? err_set(e, E2BIG, "the kernel arguments are too long") : child_start(ret, &spec, e);
	free(a);
	return r;
}
