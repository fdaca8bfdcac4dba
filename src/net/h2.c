#include "net/h2.h"

static const char *const texts[] = {
	[H2_OK] = "no fault",
	[H2_PEER_RESET] = "given up by the peer",
	[H2_NOT_PROCESSED] = "not processed by the host",
	[H2_CLOSED] = "the connection ended",
	[H2_OURS] = "what was to be sent is no message that HTTP/2 carries",
	[H2_BAD_PSEUDO] = "malformed pseudo header",
	[H2_BAD_METHOD] = "malformed method",
	[H2_BAD_CONNECT] = "CONNECT is not spoken here",
	[H2_BAD_SCHEME] = "scheme other than https",
	[H2_BAD_TARGET] = "malformed path",
	[H2_BAD_AUTHORITY] = "no authority, or Host says another",
	[H2_BAD_NAME] = "malformed field name",
	[H2_BAD_VALUE] = "malformed field value",
	[H2_BAD_HOP] = "connection-specific field",
	[H2_BAD_LENGTH] = "malformed content-length",
	[H2_BAD_CONTENT] = "content differs from its length",
	[H2_BAD_TRAILERS] = "malformed trailers",
	[H2_BAD_STATUS] = "malformed status",
	[H2_BAD_STREAM] = "frames out of order",
	[H2_HEAD_TOO_LARGE] = "header section too large",
	[H2_TARGET_TOO_LONG] = "path too long",
	[H2_PROTOCOL] = "malformed HTTP/2",
	[H2_FLOOD_RESET] = "too many streams opened and given up",
	[H2_FLOOD_MALFORMED] = "too many malformed streams",
	[H2_FLOOD_CONTINUATION] = "too many CONTINUATION frames",
	[H2_FLOOD_SETTINGS] = "too many SETTINGS frames",
	[H2_FLOOD_PING] = "too many PING frames",
	[H2_FLOOD_EMPTY] = "too many DATA frames without content",
	[H2_FLOOD_FRAMES] = "too many frames without use",
	[H2_FLOOD_HEADERS] = "header list that decompresses over every limit",
	[H2_STALLED] = "windows kept shut",
	[H2_MEMORY] = "out of memory",
};

const char *h2_fault_text(enum h2_fault f)
{
	return f < H2_FAULT_END ? texts[f] : "";
}

unsigned h2_fault_status(enum h2_fault f)
{
	if (f == H2_HEAD_TOO_LARGE)
		return 431;
	if (f == H2_TARGET_TOO_LONG)
		return 414;
	if (f == H2_BAD_CONNECT)
		return 501;
	if (f == H2_MEMORY)
		return 503;
	return f >= H2_BAD_PSEUDO && f <= H2_BAD_STREAM ? 400 : 502;
}
