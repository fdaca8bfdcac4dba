/* Sockets towards addresses as values. */
#ifndef SAW_DIALER_SOCK_H
#define SAW_DIALER_SOCK_H

#include "base/err.h"
#include "wire/ip.h"

/* A non-blocking socket of `type` (SOCK_STREAM, SOCK_DGRAM) connected, or connecting, to the address. The fd, or a negative errno. */
int sock_connect(int type, struct ip ip, uint16_t port);
/* 0 when a connecting socket has become connected, else the positive errno of its failure. */
int sock_error(int fd);
/* The host has a route to it. Sends nothing. */
bool sock_routable(struct ip ip);
/* What is sent there is delivered on this host itself: one of its addresses, of whatever interface, or a range that is routed to loopback.
 * So is what cannot be told, as for want of a descriptor. Sends nothing. */
bool sock_is_ours(struct ip ip);
/* For a stream that is handed on: no delay, keepalive. */
void sock_tune(int fd);

#endif
