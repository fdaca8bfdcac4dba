/* Setting up a network namespace by rtnetlink (RFC 3549, linux/rtnetlink.h): links, addresses, routes, rules, neighbours. */
#ifndef SAW_OS_NETLINK_H
#define SAW_OS_NETLINK_H

#include <stdint.h>

#include "base/err.h"

/* A socket in the namespace that was current when it was opened. Blocking: one question, one answer. */
struct netlink {
	int fd;
	uint32_t seq;
};

/* Each returns 0 or a negative errno with a sentence. Addresses are in host byte order, MACs 6 bytes. */
int netlink_open(struct netlink *ret, struct err *e);
void netlink_close(struct netlink *n);

int netlink_index(const char *name, unsigned *ret, struct err *e);
int netlink_up(struct netlink *n, unsigned link, uint32_t mtu, struct err *e); /* mtu 0: keep */
/* A pair of linked devices; the peer gets `peer_mac`. */
int netlink_veth(struct netlink *n, const char *name, const char *peer, const uint8_t peer_mac[6], struct err *e);
int netlink_move(struct netlink *n, unsigned link, int netns_fd, struct err *e);
int netlink_address(struct netlink *n, unsigned link, uint32_t ip, uint8_t bits, struct err *e);
/* A neighbour that no ARP packet can change. */
int netlink_neighbour(struct netlink *n, unsigned link, uint32_t ip, const uint8_t mac[6], struct err *e);

enum netlink_route_kind { NETLINK_ROUTE_LINK, NETLINK_ROUTE_LOCAL, NETLINK_ROUTE_GATEWAY };
struct netlink_route {
	enum netlink_route_kind kind;
	uint32_t dst;
	uint8_t bits; /* 0: default route */
	unsigned link;
	uint32_t gateway; /* for NETLINK_ROUTE_GATEWAY */
	uint32_t source; /* preferred source address; 0: none */
};
int netlink_route(struct netlink *n, const struct netlink_route *r, struct err *e);
/* A policy rule: what comes in by device `name` and is not for a local address is answered "administratively prohibited". */
int netlink_rule_prohibit_from(struct netlink *n, const char *name, uint32_t priority, struct err *e);

#endif
