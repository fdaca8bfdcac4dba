#include "workspace/try/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/netlink.h"
#include "os/userns.h"
#include "wire/guest_net.h"

/* The same shape as a machine's network, as far as a command can tell: eth0 with 100.64.0.2, one gateway, one DNS server. The rest of
 * the host stays visible: this is a place to try policies in, not an isolation boundary. */

/* What answers names beside the DNS of resolv.conf; hidden where it exists. */
static const char *const hidden[] = { "/run/nscd", "/var/run/nscd", "/run/systemd/resolve", "/run/avahi-daemon" };
/* The gateway answers at once or not at all: a question that was lost with an inlet is soon asked again. */
static const char resolv_text[] = "nameserver " NET_GATEWAY_TEXT "\noptions no-aaaa timeout:1 attempts:5\n";

/* The link has no IPv6; without this the kernel would try, and each try be an event. Absent where the host has none itself. */
static int no_ipv6(struct err *e)
{
	FD_AUTO int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) < 0)
		return err_sys(e, errno, "switch IPv6 off");
	return 0;
}

int place_enter(int front_user_fd, uint32_t uid, uint32_t gid, struct err *e)
{
	const int ours = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID;
	int fd;
	int r;

	if (setns(front_user_fd, CLONE_NEWUSER) < 0)
		return err_sys(e, errno, "join the gateway's user namespace");
	r = userns_unshare(ours, e);
	r = r < 0 ? r : userns_map(0, uid, 0, gid, 0, e);
	r = r < 0 ? r : no_ipv6(e);
	if (r < 0)
		return r;
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "open our network namespace") : fd;
}

int place_network(struct err *e)
{
	struct netlink_route out = { .kind = NETLINK_ROUTE_GATEWAY, .gateway = NET_GATEWAY };
	struct netlink n = { .fd = -1 };
	unsigned lo = 0;
	int r = netlink_open(&n, e);

	r = r < 0 ? r : netlink_index("lo", &lo, e);
	r = r < 0 ? r : netlink_up(&n, lo, 0, e);
	r = r < 0 ? r : netlink_index(NET_GUEST_DEVICE, &out.link, e);
	r = r < 0 ? r : netlink_address(&n, out.link, NET_GUEST, 24, e);
	r = r < 0 ? r : netlink_up(&n, out.link, 0, e);
	r = r < 0 ? r : netlink_route(&n, &out, e);
	netlink_close(&n);
	return r;
}

static int mount_or(const char *what, const char *where, const char *type, unsigned long flags, struct err *e)
{
	if (mount(what, where, type, flags, NULL) < 0)
		return err_sys(e, errno, "mount %s on %s", what, where);
	return 0;
}

static int hide_others(struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (access(hidden[i], F_OK) == 0)
			r = mount_or("tmpfs", hidden[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, e);
	return r;
}

static int write_resolv(const char *path, struct err *e)
{
	FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, resolv_text, sizeof(resolv_text) - 1) < 0)
		return err_sys(e, errno, "write %s", path);
	return 0;
}

/* A bind mount needs a file to come from: a tmpfs that is mounted over /proc for a moment, the one folder that is certain to exist
 * and is replaced anyway. A link into a hidden folder leads into a fresh tmpfs: there the file itself is written. */
static int cover_resolv(struct err *e)
{
	static const char source[] = "/proc/resolv.conf";
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;
	int r;

	if (!realpath("/etc/resolv.conf", target)) {
		n = readlink("/etc/resolv.conf", target, sizeof(target) - 1);
		if (n < 0)
			return err_sys(e, errno, "/etc/resolv.conf: this host needs one, for the gateway's to stand in its place");
		target[n] = '\0';
		return chdir("/etc") < 0 ? err_sys(e, errno, "/etc") : write_resolv(target, e);
	}
	r = mount_or("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, e);
	r = r < 0 ? r : write_resolv(source, e);
	r = r < 0 ? r : mount_or(source, target, NULL, MS_BIND, e);
	if (r == 0 && (stat(target, &st) < 0 || st.st_size != (off_t)sizeof(resolv_text) - 1))
		r = err_set(e, EIO, "%s was not replaced", target);
	return r;
}

/* What the host trusts; the same with the workspace's own root stands in the place of each file that is there. */
static int cover(const char *variable, const char *const *files, size_t n, struct err *e)
{
	const char *ours = getenv(variable);
	int r = 0;

	for (size_t i = 0; ours && r == 0 && i < n; i++)
		if (access(files[i], F_OK) == 0)
			r = mount_or(ours, files[i], NULL, MS_BIND, e);
	(void)unsetenv(variable);
	return r;
}

static int cover_trust(struct err *e)
{
	static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };
	static const char *const stores[] = { "/etc/ssl/certs/java/cacerts", "/etc/pki/ca-trust/extracted/java/cacerts" };
	int r = cover(PLACE_CA_VARIABLE, bundles, sizeof(bundles) / sizeof(bundles[0]), e);

	return r < 0 ? r : cover(PLACE_JAVA_CA_VARIABLE, stores, sizeof(stores) / sizeof(stores[0]), e);
}

int place_files(struct err *e)
{
	FD_AUTO int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? err_sys(e, errno, "make mounts private") : 0;

	r = r < 0 ? r : hide_others(e);
	r = r < 0 ? r : cover_trust(e);
	r = r < 0 ? r : cover_resolv(e);
	r = r < 0 ? r : mount_or("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, e);
	if (r == 0 && cwd >= 0 && fchdir(cwd) < 0)
		r = err_sys(e, errno, "return to the current folder");
	return r;
}
