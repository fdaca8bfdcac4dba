/* Whether an address is this host's own is asked of the kernel without a right of its own (no netlink, no files), by what it lets a
 * datagram socket do. The source that a connected socket gets is no answer for IPv4: for a second address of a subnet it is the first one.
 * Nor is bind(), which takes any address where ip_nonlocal_bind is set. */
#include "workspace/dialer/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "os/fd.h"

enum {
	IDLE_S = 60,
	INTERVAL_S = 30,
	PROBES = 4,
	ANY_PORT = 9,
	LOOPBACK_INDEX = 1, /* of lo, in every network namespace (net/loopback.h) */
	ONLY_A_PROBE = MSG_CONFIRM | 0x10, /* MSG_PROBE: an empty datagram is looked at by all that would refuse it, and not sent */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t put_address(union address *a, struct ip ip, uint16_t port)
{
	if (ip.family == 4) {
		a->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&a->v4.sin_addr, ip.b, 4);
		return sizeof(a->v4);
	}
	a->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	memcpy(&a->v6.sin6_addr, ip.b, 16);
	return sizeof(a->v6);
}

/* `device`: 0, or the only one through which it may go. */
static int connect_by(int type, struct ip ip, uint16_t port, int device)
{
	union address to = { .any = { 0 } };
	socklen_t len = put_address(&to, ip, port);
	int fd = socket(to.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if ((device && setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, sizeof(device)) < 0) ||
	    (connect(fd, &to.any, len) < 0 && errno != EINPROGRESS)) {
		int code = errno;

		(void)fd_close(fd);
		return -code;
	}
	return fd;
}

int sock_connect(int type, struct ip ip, uint16_t port)
{
	return connect_by(type, ip, port, 0);
}

int sock_error(int fd)
{
	socklen_t len = sizeof(int);
	int code = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		return errno;
	return code;
}

bool sock_routable(struct ip ip)
{
	int fd = sock_connect(SOCK_DGRAM, ip, ANY_PORT);

	if (fd < 0)
		return false;
	(void)fd_close(fd);
	return true;
}

static bool is_shortage(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOMEM || code == -ENOBUFS;
}

/* IPv4 sends from the host's own addresses only, those routed to loopback included; the source is looked at before anything else
 * (net/ipv4/route.c, ip_route_output_key_hash_rcu). Any other answer tells nothing. */
static bool may_be_source(struct ip ip)
{
	union address to = { .any = { 0 } };
	struct {
		_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { 0 };
	struct msghdr h = { .msg_name = &to, .msg_control = control.space, .msg_controllen = sizeof(control.space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	struct in_pktinfo from = { 0 };
	FD_AUTO int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return true;
	h.msg_namelen = put_address(&to, ip, ANY_PORT);
	from.ipi_spec_dst = to.v4.sin_addr;
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(from));
	memcpy(CMSG_DATA(c), &from, sizeof(from));
	return sendmsg(fd, &h, ONLY_A_PROBE | MSG_NOSIGNAL) == 0 || (errno != ENETUNREACH && errno != EINVAL);
}

/* RFC 6724, section 5, rule 1: who talks to an address of his own talks from it. */
static bool is_own_source(struct ip ip)
{
	union address from = { .any = { 0 } };
	socklen_t len = sizeof(from);
	FD_AUTO int fd = sock_connect(SOCK_DGRAM, ip, ANY_PORT);

	if (fd < 0)
		return is_shortage(fd);
	return getsockname(fd, &from.any, &len) < 0 || memcmp(&from.v6.sin6_addr, ip.b, 16) == 0;
}

static bool leads_through_loopback(struct ip ip)
{
	FD_AUTO int fd = connect_by(SOCK_DGRAM, ip, ANY_PORT, LOOPBACK_INDEX);

	return fd >= 0 || is_shortage(fd);
}

bool sock_is_ours(struct ip ip)
{
	if (ip.family == 4)
		return may_be_source(ip);
	return is_own_source(ip) || leads_through_loopback(ip);
}

void sock_tune(int fd)
{
	static const struct {
		int level;
		int name;
		int value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, PROBES },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}
