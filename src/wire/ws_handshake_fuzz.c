#include <stdlib.h>

#include "base/must.h"
#include "wire/ws_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Either kind of head; what is accepted has what the frames behind it rely on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http1_head h;
	struct http1_scan s = { 0 }, t = { 0 };
	struct ws_offer o;
	enum http1_fault f;
	struct bytes accept;
	size_t len;

	if (http1_request_head(&s, bytes_of(data, size), &h, &len, &f) == HTTP1_DONE && ws_request(&h, &o) == WS_REQUEST_OK) {
		must(ws_key_valid(o.key) && bytes_is(h.method, "GET") && h.minor == 1);
		must(!http1_find(&h, "transfer-encoding", NULL) && http1_find(&h, "upgrade", NULL) == 1);
	}
	o = (struct ws_offer){ .protocols = bytes_str("a, b") };
	if (http1_response_head(&t, bytes_of(data, size), &h, &len, &f) == HTTP1_DONE && http1_find(&h, "sec-websocket-accept", &accept) &&
	    ws_answer_agrees(&h, accept, &o))
		must(h.status == 101 && !http1_find(&h, "sec-websocket-extensions", NULL));
	return 0;
}
