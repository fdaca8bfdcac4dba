/* Questions to the kernel: virtualization, namespaces, tap devices, Landlock, seccomp, cgroups. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/probe.h"
#include "os/fd.h"
#include "os/landlock_abi.h"
#include "os/userns.h"

#define CGROUP2_MAGIC 0x63677270

void probe_set(struct probe *p, enum probe_level level, const char *found, const char *remedy)
{
	p->level = level;
	snprintf(p->found, sizeof(p->found), "%s", found);
	snprintf(p->remedy, sizeof(p->remedy), "%s", remedy);
}

/* /dev/kvm may open on a host whose CPU has no virtualization; guests hang there. */
static int cpu_virtualizes(void)
{
#if defined(__x86_64__)
	char line[8192];
	int found = 0;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && !found && fgets(line, sizeof(line), f))
		if (strncmp(line, "flags", 5) == 0)
			found = strstr(line, " vmx") || strstr(line, " svm");
	if (f)
		fclose(f);
	return found;
#else
	return 1;
#endif
}

void probe_kvm(struct probe *ret)
{
	FD_AUTO int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int why = errno;

	if (fd >= 0 && cpu_virtualizes()) {
		probe_set(ret, PROBE_OK, "KVM: virtual machines run at full speed", "");
		return;
	}
	ret->level = PROBE_WARN;
	if (fd < 0)
		snprintf(ret->found, sizeof(ret->found),
			 "no KVM (/dev/kvm: %s): machines are emulated, slow, for trying out", strerror(why));
	else
		snprintf(ret->found, sizeof(ret->found), "/dev/kvm opens, but the CPU shows neither vmx nor svm: "
							 "machines are emulated, slow, for trying out");
	if (fd < 0 && why == EACCES)
		snprintf(ret->remedy, sizeof(ret->remedy), "add your user to the group that owns /dev/kvm: usermod -aG kvm USER");
	else
		snprintf(ret->remedy, sizeof(ret->remedy), "switch virtualization on in the firmware, or nested "
							   "virtualization on in the cloud's machine type");
}

/* Runs `try` in a child of its own, since a namespace cannot be left again; its sentence comes back in `e`. */
static int in_child(int (*try)(struct err *), struct err *e)
{
	int ends[2];
	int status;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	pid = fork();
	if (pid == 0) {
		int failed = try(e) < 0;

		n = failed ? write(ends[1], e->text, strlen(e->text)) : 0;
		_exit(failed && n >= 0 ? 1 : 0);
	}
	close(ends[1]);
	n = pid < 0 ? -1 : read(ends[0], e->text, sizeof(e->text) - 1);
	close(ends[0]);
	e->text[n > 0 ? n : 0] = '\0';
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_sys(e, errno, "start a child");
	if (n > 0)
		return -EPERM;
	return status == 0 ? 0 : err_set(e, EPERM, "the child that tried it was killed");
}

static int try_namespaces(struct err *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r = userns_unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, e);

	return r < 0 ? r : userns_map(0, 0, uid, 0, gid, e);
}

void probe_namespaces(struct probe *ret)
{
	struct err e = { "" };

	if (in_child(try_namespaces, &e) == 0)
		probe_set(ret, PROBE_OK, "user and network namespaces: tried, they work", "");
	else
		probe_set(ret, PROBE_FAIL, e.text, "as the sentence says; in a container, its runtime must allow user namespaces");
}

static int try_tap(struct err *e)
{
	struct ifreq want = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int r = try_namespaces(e);
	int fd;

	if (r < 0)
		return r;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &want) < 0)
		return err_sys(e, errno, "make a tap device in a namespace of our own");
	return 0;
}

void probe_tun(struct probe *ret)
{
	struct err e = { "" };

	if (in_child(try_tap, &e) == 0)
		probe_set(ret, PROBE_OK, "tap device: made one in a namespace of our own", "");
	else if (access("/dev/net/tun", F_OK) != 0)
		probe_set(ret, PROBE_FAIL, "/dev/net/tun is missing",
			  "modprobe tun; or as root: mkdir -p /dev/net; mknod -m 666 /dev/net/tun c 10 200");
	else
		probe_set(ret, PROBE_FAIL, e.text, "chmod 666 /dev/net/tun (the usual mode), and allow user namespaces");
}

void probe_landlock(struct probe *ret)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_VERSION_QUERY);

	if (abi < LL_ABI_MIN) {
		probe_set(ret, PROBE_FAIL, "no Landlock: the gateway's processes could not be kept from files",
			  "use kernel 5.13 or newer with landlock among `lsm=` on its command line");
		return;
	}
	snprintf(ret->found, sizeof(ret->found), "Landlock ABI %ld%s", abi,
		 abi < LL_ABI_NET ? ": files only; TCP is held by seccomp and namespaces" : "");
	ret->level = abi < LL_ABI_NET ? PROBE_WARN : PROBE_OK;
	if (abi < LL_ABI_NET)
		snprintf(ret->remedy, sizeof(ret->remedy), "kernel 6.7 or newer adds a second layer for TCP");
}

void probe_seccomp(struct probe *ret)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		probe_set(ret, PROBE_OK, "seccomp filters", "");
	else
		probe_set(ret, PROBE_FAIL, "no seccomp filters: the gateway's processes could not be jailed",
			  "use a kernel with CONFIG_SECCOMP_FILTER (4.14 or newer)");
}

/* Whether a cgroup of our own can be made is known only to who tries: root, or a delegated subtree. */
static int own_cgroup_writable(void)
{
	char line[512];
	char path[600] = "";
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "0::", 3) == 0) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(path, sizeof(path), "/sys/fs/cgroup%s", line + 3);
		}
	if (f)
		fclose(f);
	return path[0] && access(path, W_OK) == 0;
}

void probe_cgroup(struct probe *ret)
{
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) != 0 || fs.f_type != CGROUP2_MAGIC)
		probe_set(ret, PROBE_WARN, "no cgroup v2 at /sys/fs/cgroup: a workspace has no memory and CPU limit but its machine's size",
			  "boot with systemd.unified_cgroup_hierarchy=1");
	else if (!own_cgroup_writable())
		probe_set(ret, PROBE_WARN, "cgroup v2, but our own group may not be divided: no limits beside the machine's size",
			  "run under `systemd-run --user --scope -p Delegate=yes`, or as root");
	else
		probe_set(ret, PROBE_OK, "cgroup v2, delegated to us", "");
}
