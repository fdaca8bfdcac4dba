#include "workspace/front/link.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/netlink.h"
#include "os/userns.h"
#include "wire/guest_net.h"

/* Nothing here forbids traffic; there is simply no way for it to go. The namespace has lo and the guest's link. The pool is a route of
 * type "local" on lo, so that each of its addresses is ours and a listener on 0.0.0.0 serves it. What the guest sends to any other
 * address meets one policy rule, "what came in by the guest's link: prohibited", and is answered by ICMP so that a client fails at
 * once instead of waiting. The kernel answers only on a device that forwards, hence `forwarding` of that device is on; the rule
 * stands before every other table, so that not even a packet to the guest's own address is sent back to it. */

struct setting {
	const char *path;
	const char *value;
	bool may_miss;
};

/* New devices take their values from `default`, which itself is a copy of the host's: each is written, none is trusted. */
static const struct setting before_link[] = {
	{ "net/ipv6/conf/all/disable_ipv6", "1", true },
	{ "net/ipv6/conf/default/disable_ipv6", "1", true },
	{ "net/ipv4/conf/all/forwarding", "0", false },
	{ "net/ipv4/conf/default/forwarding", "0", false },
	{ "net/ipv4/conf/all/rp_filter", "1", false },
	{ "net/ipv4/conf/default/rp_filter", "1", false },
	{ "net/ipv4/conf/all/arp_ignore", "1", false },
	{ "net/ipv4/conf/default/arp_ignore", "1", false },
	{ "net/ipv4/conf/all/arp_announce", "2", false },
	{ "net/ipv4/conf/default/arp_announce", "2", false },
	{ "net/ipv4/conf/all/arp_accept", "0", false },
	{ "net/ipv4/conf/default/arp_accept", "0", false },
	{ "net/ipv4/conf/all/proxy_arp", "0", false },
	{ "net/ipv4/conf/default/proxy_arp", "0", false },
	{ "net/ipv4/conf/all/accept_local", "0", false },
	{ "net/ipv4/conf/default/accept_local", "0", false },
	{ "net/ipv4/conf/all/route_localnet", "0", false },
	{ "net/ipv4/conf/default/route_localnet", "0", false },
	{ "net/ipv4/conf/all/accept_redirects", "0", false },
	{ "net/ipv4/conf/default/accept_redirects", "0", false },
	{ "net/ipv4/conf/all/send_redirects", "0", false },
	{ "net/ipv4/conf/default/send_redirects", "0", false },
	{ "net/ipv4/conf/all/accept_source_route", "0", false },
	{ "net/ipv4/conf/default/accept_source_route", "0", false },
	{ "net/ipv4/conf/all/log_martians", "0", false },
	{ "net/ipv4/conf/default/log_martians", "0", false },
	{ "net/ipv4/conf/all/bootp_relay", "0", false },
	{ "net/ipv4/conf/default/bootp_relay", "0", false },
	/* No packet in parts is put together: nothing here needs one, and what cannot be done costs no memory. */
	{ "net/ipv4/ipfrag_low_thresh", "0", true },
	{ "net/ipv4/ipfrag_high_thresh", "0", true },
	{ "net/ipv4/icmp_echo_ignore_all", "1", false },
	{ "net/ipv4/icmp_echo_ignore_broadcasts", "1", false },
	{ "net/ipv4/tcp_syncookies", "1", true },
	/* Milliseconds between two refusals to one peer; the default of 1000 lets most of a client's attempts hang. */
	{ "net/ipv4/icmp_ratelimit", "10", false },
	/* Listeners on low ports need no capability then, so that none has to be kept. */
	{ "net/ipv4/ip_unprivileged_port_start", "0", false },
};

static int write_setting(const char *name, const char *value, bool may_miss, struct err *e)
{
	char path[160];
	FD_AUTO int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && may_miss)
		return 0;
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return err_sys(e, errno, "set %s to %s", path, value);
	return 0;
}

static int write_settings(struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(before_link) / sizeof(before_link[0]); i++)
		r = write_setting(before_link[i].path, before_link[i].value, before_link[i].may_miss, e);
	return r;
}

/* Waits for a byte, then writes the maps of our parent, as root outside can. */
static int map_for_parent(int go_fd, uid_t uid)
{
	char c;

	if (read(go_fd, &c, 1) != 1)
		return 1;
	return userns_map(getppid(), 0, uid, 0, uid, NULL) < 0 ? 1 : 0;
}

/* Root becomes `uid` inside: only someone who stayed outside may map a foreign uid, hence a helper for that one line. */
static int enter_as(uid_t uid, struct err *e)
{
	int go[2];
	int status = 1;
	pid_t helper;
	int r;

	if (setgroups(0, NULL) < 0)
		return err_sys(e, errno, "drop groups");
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	helper = fork();
	if (helper == 0) {
		(void)fd_close(go[1]);
		_exit(map_for_parent(go[0], uid));
	}
	(void)fd_close(go[0]);
	r = helper < 0 ? err_sys(e, errno, "fork") : userns_unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, e);
	if (r == 0 && write(go[1], "", 1) != 1)
		r = err_sys(e, errno, "start mapping uid %u", uid);
	(void)fd_close(go[1]);
	if (helper > 0 && waitpid(helper, &status, 0) != helper)
		status = 1;
	if (r == 0 && status != 0)
		r = err_set(e, EPERM, "map uid %u into the user namespace", uid);
	return r;
}

static int enter_as_ourselves(struct err *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r = userns_unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, e);

	return r < 0 ? r : userns_map(0, 0, uid, 0, gid, e);
}

/* From here on root of the new namespace is who we are. */
static int settle(struct err *e)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, errno, "become root of the user namespace");
	/* The change of uid cleared it, and /proc/self would not be ours. jail_capabilities() clears it again. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return err_sys(e, errno, "set dumpable");
	return 0;
}

static int keep_namespaces(struct link *l, struct err *e)
{
	l->user_fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	l->net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (l->user_fd < 0 || l->net_fd < 0)
		return err_sys(e, errno, "open our namespaces");
	return 0;
}

/* The device belongs to the namespace that was current when the file was opened; as root the file may be root's alone, hence
 * open() comes before settle(), and the ioctl, which needs the new namespace's capability, after it. */
static int open_tap(struct err *e)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == EACCES)
		return err_set(e, EACCES, "open /dev/net/tun: permission denied: let this user open it (chmod 0666 /dev/net/tun)");
	if (fd < 0)
		return err_sys(e, errno, "open /dev/net/tun (modprobe tun)");
	return fd;
}

static int name_tap(int fd, struct err *e)
{
	struct ifreq r = { .ifr_name = NET_DEVICE };

	r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return err_sys(e, errno, "make a tap device");
	return 0;
}

static int set_up_link(struct netlink *n, unsigned link, const uint8_t mac[6], struct err *e)
{
	const struct netlink_route guest = { .kind = NETLINK_ROUTE_LINK, .dst = NET_GUEST, .bits = 32, .link = link,
					     .source = NET_GATEWAY };
	int r = netlink_address(n, link, NET_GATEWAY, 32, e);

	r = r < 0 ? r : netlink_rule_prohibit_from(n, NET_DEVICE, 10, e);
	r = r < 0 ? r : netlink_up(n, link, NET_MTU, e);
	r = r < 0 ? r : netlink_route(n, &guest, e);
	r = r < 0 ? r : netlink_neighbour(n, link, NET_GUEST, mac, e);
	return r < 0 ? r : write_setting("net/ipv4/conf/" NET_DEVICE "/forwarding", "1", false, e);
}

static int set_up(struct netlink *n, enum ipc_link kind, const uint8_t mac[6], struct err *e)
{
	struct netlink_route pool = { .kind = NETLINK_ROUTE_LOCAL, .dst = NET_POOL, .bits = NET_POOL_BITS };
	unsigned link = 0;
	int r = netlink_index("lo", &pool.link, e);

	r = r < 0 ? r : netlink_up(n, pool.link, 0, e);
	r = r < 0 ? r : netlink_route(n, &pool, e);
	if (r == 0 && kind == IPC_LINK_VETH)
		r = netlink_veth(n, NET_DEVICE, NET_GUEST_DEVICE, mac, e);
	r = r < 0 ? r : netlink_index(NET_DEVICE, &link, e);
	return r < 0 ? r : set_up_link(n, link, mac, e);
}

int link_make(struct link *ret, enum ipc_link kind, uint64_t uid, const uint8_t guest_mac[6], struct err *e)
{
	bool as_role = uid != 0 && uid != geteuid();
	struct link l = LINK_NONE;
	struct netlink n = { .fd = -1 };
	int r = as_role ? enter_as((uid_t)uid, e) : enter_as_ourselves(e);

	if (r == 0 && kind == IPC_LINK_TAP)
		r = l.tap_fd = open_tap(e);
	r = r < 0 ? r : settle(e);
	r = r < 0 ? r : keep_namespaces(&l, e);
	r = r < 0 ? r : write_settings(e);
	if (r == 0 && kind == IPC_LINK_TAP)
		r = name_tap(l.tap_fd, e);
	r = r < 0 ? r : netlink_open(&n, e);
	r = r < 0 ? r : set_up(&n, kind, guest_mac, e);
	netlink_close(&n);
	if (r < 0) {
		link_deinit(&l);
		return err_in(e, r, "network of the guest");
	}
	*ret = l;
	return 0;
}

int link_join(int user_fd, int net_fd, uint64_t uid, struct err *e)
{
	/* The namespace's owner is the role's uid; as root we have every capability in it anyway. */
	if (uid != 0 && uid != geteuid() && setgroups(0, NULL) < 0)
		return err_sys(e, errno, "drop groups");
	if (setns(user_fd, CLONE_NEWUSER) < 0 || setns(net_fd, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "join the guest's network");
	return settle(e);
}

int link_attach(int guest_net_fd, struct err *e)
{
	struct netlink n;
	unsigned peer;
	int r = netlink_open(&n, e);

	if (r < 0)
		return r;
	r = netlink_index(NET_GUEST_DEVICE, &peer, e);
	r = r < 0 ? r : netlink_move(&n, peer, guest_net_fd, e);
	netlink_close(&n);
	return r;
}

void link_deinit(struct link *l)
{
	l->user_fd = fd_close(l->user_fd);
	l->net_fd = fd_close(l->net_fd);
	l->tap_fd = fd_close(l->tap_fd);
}
