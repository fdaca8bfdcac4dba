/* How a server proves that it read a WebSocket's opening handshake (RFC 6455, 4.2.2). SHA-1 is the protocol's, and no secret depends on it. */
#ifndef SAW_CRYPT_WS_ACCEPT_H
#define SAW_CRYPT_WS_ACCEPT_H

#include "base/bytes.h"

enum { WS_ACCEPT_MAX = 28 + 1 };

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key, with a NUL. */
void ws_accept(struct bytes key, char ret[WS_ACCEPT_MAX]);

#endif
