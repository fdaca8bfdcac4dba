/* DNS over UDP on the gateway's address. */
#ifndef SAW_INLET_DNS_UDP_H
#define SAW_INLET_DNS_UDP_H

#include "workspace/inlet/asked.h"

enum {
	DNS_UDP_OPEN_MAX = 256, /* questions that wait for their events */
	DNS_UDP_BATCH = 32, /* questions read in one turn of the loop */
	DNS_LOST_FIRST_MS = 1000, /* until dropped questions are reported the first time ... */
	DNS_LOST_NEXT_MS = 60000, /* ... and then */
	DNS_PAUSE_MS = 20, /* when there is no room for another question */
};

struct dns_udp;

/* Takes `fd`, a bound socket; borrows `asker`. A policy is in force. */
int dns_udp_new(struct dns_udp **ret, struct asker *asker, int fd, struct err *e);
struct dns_udp *dns_udp_free(struct dns_udp *u);

#endif
