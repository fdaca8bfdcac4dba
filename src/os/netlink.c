#include "os/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "os/fd.h"

/* A request is built in a fixed buffer: header, one family struct, attributes, each padded to 4 bytes. */

enum { REQUEST_MAX = 512 };

struct request {
	union {
		struct nlmsghdr h;
		uint8_t p[REQUEST_MAX];
	};
};

static void *grow(struct request *q, size_t len)
{
	size_t at = NLMSG_ALIGN(q->h.nlmsg_len);

	must(len <= REQUEST_MAX - NLMSG_ALIGNTO && at <= REQUEST_MAX - NLMSG_ALIGN(len));
	q->h.nlmsg_len = (uint32_t)(at + NLMSG_ALIGN(len));
	return q->p + at;
}

static void *start(struct request *q, uint16_t type, uint16_t flags, size_t body)
{
	*q = (struct request){ 0 };
	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	q->h.nlmsg_len = NLMSG_HDRLEN;
	return grow(q, body);
}

static void attr(struct request *q, uint16_t type, const void *p, size_t len)
{
	struct rtattr *a = grow(q, RTA_LENGTH(len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), p, len);
}

static void attr_u32(struct request *q, uint16_t type, uint32_t v)
{
	attr(q, type, &v, sizeof(v));
}

static void attr_ip(struct request *q, uint16_t type, uint32_t ip)
{
	attr_u32(q, type, htonl(ip));
}

static void attr_text(struct request *q, uint16_t type, const char *s)
{
	attr(q, type, s, strlen(s) + 1);
}

/* Gives the offset for nest_end(). */
static uint32_t nest(struct request *q, uint16_t type)
{
	uint32_t at = q->h.nlmsg_len;
	struct rtattr *a = grow(q, RTA_LENGTH(0));

	a->rta_type = type;
	return at;
}

static void nest_end(struct request *q, uint32_t at)
{
	struct rtattr a;

	memcpy(&a, q->p + at, sizeof(a));
	a.rta_len = (uint16_t)(q->h.nlmsg_len - at);
	memcpy(q->p + at, &a, sizeof(a));
}

/* Sends and waits for the acknowledgement: 0 or the kernel's negative errno. */
static int ask(struct netlink *n, struct request *q)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	union {
		struct nlmsghdr h;
		uint8_t p[4096];
	} in;
	ssize_t len;

	q->h.nlmsg_seq = ++n->seq;
	if (sendto(n->fd, q->p, q->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	for (;;) {
		struct nlmsgerr done;

		len = recv(n->fd, in.p, sizeof(in.p), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		if (len < (ssize_t)(NLMSG_HDRLEN + sizeof(done)) || in.h.nlmsg_type != NLMSG_ERROR)
			return -EPROTO;
		if (in.h.nlmsg_seq != n->seq)
			continue;
		memcpy(&done, in.p + NLMSG_HDRLEN, sizeof(done));
		return done.error;
	}
}

static int ask_or(struct netlink *n, struct request *q, const char *what, struct err *e)
{
	int r = ask(n, q);

	return r < 0 ? err_sys(e, -r, "%s", what) : 0;
}

int netlink_open(struct netlink *ret, struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return err_sys(e, errno, "open a netlink socket");
	*ret = (struct netlink){ .fd = fd };
	return 0;
}

void netlink_close(struct netlink *n)
{
	n->fd = fd_close(n->fd);
}

int netlink_index(const char *name, unsigned *ret, struct err *e)
{
	unsigned i = if_nametoindex(name);

	if (i == 0)
		return err_sys(e, errno, "find network device %s", name);
	*ret = i;
	return 0;
}

static struct ifinfomsg *link_request(struct request *q, uint16_t type, uint16_t flags, unsigned link)
{
	struct ifinfomsg *body = start(q, type, flags, sizeof(*body));

	body->ifi_family = AF_UNSPEC;
	body->ifi_index = (int)link;
	return body;
}

int netlink_up(struct netlink *n, unsigned link, uint32_t mtu, struct err *e)
{
	struct request q;
	struct ifinfomsg *body = link_request(&q, RTM_NEWLINK, 0, link);

	body->ifi_flags = IFF_UP;
	body->ifi_change = IFF_UP;
	if (mtu)
		attr_u32(&q, IFLA_MTU, mtu);
	return ask_or(n, &q, "bring a network device up", e);
}

int netlink_veth(struct netlink *n, const char *name, const char *peer, const uint8_t peer_mac[6], struct err *e)
{
	struct request q;
	struct ifinfomsg none = { .ifi_family = AF_UNSPEC };
	uint32_t info;
	uint32_t data;
	uint32_t peer_at;

	(void)link_request(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	attr_text(&q, IFLA_IFNAME, name);
	info = nest(&q, IFLA_LINKINFO);
	attr_text(&q, IFLA_INFO_KIND, "veth");
	data = nest(&q, IFLA_INFO_DATA);
	peer_at = nest(&q, VETH_INFO_PEER);
	memcpy(grow(&q, sizeof(none)), &none, sizeof(none));
	attr_text(&q, IFLA_IFNAME, peer);
	attr(&q, IFLA_ADDRESS, peer_mac, 6);
	nest_end(&q, peer_at);
	nest_end(&q, data);
	nest_end(&q, info);
	return ask_or(n, &q, "make a veth pair", e);
}

int netlink_move(struct netlink *n, unsigned link, int netns_fd, struct err *e)
{
	struct request q;

	(void)link_request(&q, RTM_NEWLINK, 0, link);
	attr_u32(&q, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	return ask_or(n, &q, "move a network device to the guest's namespace", e);
}

int netlink_address(struct netlink *n, unsigned link, uint32_t ip, uint8_t bits, struct err *e)
{
	struct request q;
	struct ifaddrmsg *body = start(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*body));

	body->ifa_family = AF_INET;
	body->ifa_prefixlen = bits;
	body->ifa_index = link;
	attr_ip(&q, IFA_LOCAL, ip);
	attr_ip(&q, IFA_ADDRESS, ip);
	return ask_or(n, &q, "give a device its address", e);
}

int netlink_neighbour(struct netlink *n, unsigned link, uint32_t ip, const uint8_t mac[6], struct err *e)
{
	struct request q;
	struct ndmsg *body = start(&q, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*body));

	body->ndm_family = AF_INET;
	body->ndm_ifindex = (int)link;
	body->ndm_state = NUD_PERMANENT;
	attr_ip(&q, NDA_DST, ip);
	attr(&q, NDA_LLADDR, mac, 6);
	return ask_or(n, &q, "pin the guest's address", e);
}

int netlink_route(struct netlink *n, const struct netlink_route *r, struct err *e)
{
	struct request q;
	struct rtmsg *body = start(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*body));

	body->rtm_family = AF_INET;
	body->rtm_dst_len = r->bits;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_table = r->kind == NETLINK_ROUTE_LOCAL ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
	body->rtm_type = r->kind == NETLINK_ROUTE_LOCAL ? RTN_LOCAL : RTN_UNICAST;
	body->rtm_scope = r->kind == NETLINK_ROUTE_LOCAL ? RT_SCOPE_HOST :
			  r->kind == NETLINK_ROUTE_LINK	 ? RT_SCOPE_LINK :
							   RT_SCOPE_UNIVERSE;
	if (r->bits)
		attr_ip(&q, RTA_DST, r->dst);
	if (r->kind == NETLINK_ROUTE_GATEWAY)
		attr_ip(&q, RTA_GATEWAY, r->gateway);
	if (r->source)
		attr_ip(&q, RTA_PREFSRC, r->source);
	attr_u32(&q, RTA_OIF, r->link);
	return ask_or(n, &q, "add a route", e);
}

int netlink_rule_prohibit_from(struct netlink *n, const char *name, uint32_t priority, struct err *e)
{
	struct request q;
	struct fib_rule_hdr *body = start(&q, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*body));

	body->family = AF_INET;
	body->action = FR_ACT_PROHIBIT;
	attr_text(&q, FRA_IIFNAME, name);
	attr_u32(&q, FRA_PRIORITY, priority);
	return ask_or(n, &q, "prohibit forwarding", e);
}
