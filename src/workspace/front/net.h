/* The one small network that every workspace has: its addresses and device names. */
#ifndef SAW_FRONT_NET_H
#define SAW_FRONT_NET_H

#define NET_GATEWAY 0x64400001U /* 100.64.0.1 */
#define NET_GUEST 0x64400002U /* 100.64.0.2 */
#define NET_POOL 0xc6120000U /* 198.18.0.0/15 */
#define NET_DEVICE "guest" /* our end of the link, tap or veth */
#define NET_PEER "eth0" /* the guest's end of a veth pair */
enum { NET_POOL_BITS = 15, NET_MTU = 65520, NET_DNS_PORT = 53 };

#endif
