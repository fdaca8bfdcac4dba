/* HTTP/2 towards a server (a host): net/h2.h with requests going out. */
#ifndef SAW_NET_H2_CLIENT_H
#define SAW_NET_H2_CLIENT_H

#include "net/h2.h"

/* Says preface and SETTINGS first, server push off. NULL: no memory. `ops` and `owner` are borrowed. */
struct h2 *h2_client_new(const struct h2_ops *ops, void *owner);
/* The same for requests that wear a credential: what of them lies in memory is wiped when they are sent, and no field enters a table of
 * HPACK, under whatever name. */
struct h2 *h2_client_new_wiping(const struct h2_ops *ops, void *owner);
/* How many streams may be opened now: what the host allows less what is open; 0 after its GOAWAY, and while half of the connection's window
 * lies unread: those who do not read would hold up the new one. */
size_t h2_client_room(const struct h2 *c);
/* The host's SETTINGS are here: what it allows is known. */
bool h2_client_greeted(const struct h2 *c);
/* Asks the host for a sign of life. */
void h2_client_ping(struct h2 *c);
/* A stream to write a request into, to be released; NULL when there is no room. The request has a path as its target (or the `*`
 * of OPTIONS) and one Host; connection-specific fields are left out, and `te: trailers` is added to calls of gRPC. */
struct h2_stream *h2_client_open(struct h2 *c);

#endif
