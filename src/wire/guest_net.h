/* The one small network that every workspace has, the same in each: what the guest is told of it, front builds, and inlet answers. */
#ifndef SAW_WIRE_GUEST_NET_H
#define SAW_WIRE_GUEST_NET_H

/* The gateway: the guest's name server, and http://saw.internal/. */
#define NET_GATEWAY 0x64400001U
#define NET_GATEWAY_TEXT "100.64.0.1"
#define NET_GUEST 0x64400002U
#define NET_GUEST_TEXT "100.64.0.2"
/* 198.18.0.0/15: each name has an address of its own there (workspace/inlet/pool.h). */
#define NET_POOL 0xc6120000U
#define NET_SELF_NAME "saw.internal"
/* The two ends of the link, tap or veth: ours, and the guest's. */
#define NET_DEVICE "guest"
#define NET_GUEST_DEVICE "eth0"
enum { NET_POOL_BITS = 15, NET_MTU = 65520, NET_DNS_PORT = 53, NET_SELF_PORT = 80 };

#endif
