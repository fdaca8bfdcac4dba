/* Watches one direction of a WebSocket (RFC 6455) and says when it stops being one. It changes nothing and keeps no content: frames pass
 * as they came. No extension is ever agreed on (ws_handshake.h), so the reserved bits are zero and text is what it looks like. */
#ifndef SAW_WIRE_WS_FRAME_H
#define SAW_WIRE_WS_FRAME_H

#include "base/utf8.h"

enum {
	WS_HEAD_MAX = 14, /* of a frame */
	WS_CONTROL_MAX = 125,
};

/* Codes for a close frame (RFC 6455, 7.4.1). */
enum ws_code {
	WS_PROTOCOL_ERROR = 1002,
	WS_NOT_TEXT = 1007,
	WS_TOO_BIG = 1009,
};

/* Read `closed`, `n_messages` and `n_text`; the rest is private. */
struct ws_check {
	bool from_client;
	bool closed; /* a close frame passed, whole: nothing may follow in this direction */
	bool in_message; /* a fragmented one has begun */
	bool text; /* the present message is */
	uint8_t have; /* bytes of the head */
	uint8_t head[WS_HEAD_MAX];
	uint8_t mask_at;
	uint64_t left; /* of the present frame's payload */
	uint64_t message; /* payload of the present message's frames so far */
	uint64_t max;
	struct utf8_run utf8;
	struct utf8_run reason; /* of a close frame */
	uint8_t reason_at;
	uint16_t code;
	uint16_t fault; /* stays */
	uint64_t n_messages; /* complete ones, without control frames */
	uint64_t n_text; /* of them text */
};

/* `max`: payload bytes of one message, all its fragments together. */
void ws_check_init(struct ws_check *w, bool from_client, uint64_t max);
/* The next bytes, in pieces of any size. False with a code when they break the protocol, and from then on: nothing of this piece may
 * pass. */
bool ws_check_feed(struct ws_check *w, struct bytes in, enum ws_code *ret_code);
/* Between two messages: where a connection may end without cutting one. */
bool ws_check_between(const struct ws_check *w);
/* Between two frames, none of which closed: where another control frame may stand. */
bool ws_check_at_border(const struct ws_check *w);

#endif
