/* The one small network that every workspace has, as inlet sees it. The pool of names is
 * pool.h's. */
#ifndef SAW_INLET_NET_H
#define SAW_INLET_NET_H

#define NET_GATEWAY 0x64400001U /* 100.64.0.1: DNS and saw.internal */
#define NET_GUEST 0x64400002U /* 100.64.0.2 */
#define NET_SELF_NAME "saw.internal"
enum { NET_DNS_PORT = 53, NET_SELF_PORT = 80 };

#endif
