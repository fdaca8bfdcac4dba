/* The one network interface: its address, its way out, and no IPv6. */
#ifndef SAW_GUEST_NETWORK_H
#define SAW_GUEST_NETWORK_H

#include <stdint.h>

/* Finds the interface with this hardware address, names it eth0 and brings it up; lo too. What fails is said on the console. */
void network_up(const uint8_t mac[6]);

#endif
