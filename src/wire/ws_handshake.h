/* The opening handshake of a WebSocket (RFC 6455, 4): what a request and its answer must say so that frames may follow, and nothing but
 * frames as ws_frame.h knows them. Extensions are never agreed on: ours strips the offer, and an answer that accepts one is refused. */
#ifndef SAW_WIRE_WS_HANDSHAKE_H
#define SAW_WIRE_WS_HANDSHAKE_H

#include "wire/http1_head.h"

enum {
	WS_KEY_LEN = 24, /* 16 bytes in base64 */
	WS_ACCEPT_LEN = 28, /* a SHA-1 in base64; crypt/ws_accept.h computes it */
	WS_PROTOCOL_MAX = 256, /* the list of subprotocols */
};

enum ws_request {
	WS_REQUEST_NONE, /* asks for no WebSocket: an ordinary request, perhaps with another Upgrade */
	WS_REQUEST_OK,
	WS_REQUEST_BAD, /* asks for one, but not as the RFC wants it: 400 */
	WS_REQUEST_VERSION, /* another version than 13: 426 with Sec-WebSocket-Version: 13 */
};

struct ws_offer {
	struct bytes key;
	struct bytes protocols; /* as sent; empty: none */
	bool extensions; /* some were offered; not to be forwarded */
};

/* OK: GET of HTTP/1.1 without a body's length, exactly one Upgrade (websocket), Connection with upgrade, one valid key, at most one list
 * of protocols. *ret only then. */
enum ws_request ws_request(const struct http1_head *h, struct ws_offer *ret);

/* Canonical base64 of 16 bytes. */
bool ws_key_valid(struct bytes key);

/* The answer agrees: 101, one Upgrade (websocket), Connection with upgrade, one Sec-WebSocket-Accept equal to `accept`, no extensions, at
 * most one protocol, which was offered, no body's length. */
bool ws_answer_agrees(const struct http1_head *h, struct bytes accept, const struct ws_offer *offer);

#endif
