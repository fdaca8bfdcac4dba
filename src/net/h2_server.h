/* HTTP/2 towards a client (a guest): net/h2.h with requests coming in. */
#ifndef SAW_NET_H2_SERVER_H
#define SAW_NET_H2_SERVER_H

#include "net/h2.h"

/* Expects the client's preface, says SETTINGS first. NULL: no memory. `ops` and `owner` are borrowed. */
struct h2 *h2_server_new(const struct h2_ops *ops, void *owner);

#endif
