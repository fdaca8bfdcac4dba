/* DNS over TCP on the gateway's address: the same answers, length-framed and pipelined (RFC
 * 7766). */
#ifndef SAW_INLET_DNS_TCP_H
#define SAW_INLET_DNS_TCP_H

#include "workspace/inlet/asked.h"

enum {
	DNS_TCP_CONNS_MAX = 32, /* open at a time; further ones wait in the backlog */
	DNS_TCP_PIPELINE = 16, /* questions of one connection that wait for their events */
	DNS_TCP_IDLE_MS = 10000,
};

struct dns_tcp;

/* Takes `fd`, a listening socket; borrows `asker`. A policy is in force. */
int dns_tcp_new(struct dns_tcp **ret, struct asker *asker, int fd, struct err *e);
struct dns_tcp *dns_tcp_free(struct dns_tcp *t);

#endif
