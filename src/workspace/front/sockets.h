/* The sockets that front opens in the guest's network for others. Each gives a descriptor or a negative errno with a sentence. */
#ifndef SAW_FRONT_SOCKETS_H
#define SAW_FRONT_SOCKETS_H

#include <stdint.h>

#include "base/err.h"
#include "ipc/types.h"

/* Non-blocking. TCP on every address of ours; DNS on the gateway's address only. Not for IPC_LISTEN_OBSERVER. */
int sockets_listen(enum ipc_listener kind, uint16_t port, struct err *e);

/* A packet socket that sees what comes in by the guest's link and no socket of ours serves, as whole Ethernet frames: TCP that
 * opens a connection, UDP that is not for our DNS, other protocols, fragments, foreign ARP, tagged frames, and anything that is
 * neither IPv4 nor ARP. Needs CAP_NET_RAW. PACKET_AUXDATA is on: a VLAN tag stands beside the frame. */
int sockets_observer(const uint8_t guest_mac[6], struct err *e);

#endif
