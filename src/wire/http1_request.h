/* A request in its one canonical form: what policy judges, and byte for byte what the origin receives. */
#ifndef SAW_WIRE_HTTP1_REQUEST_H
#define SAW_WIRE_HTTP1_REQUEST_H

#include "base/buf.h"
#include "wire/http1_body.h"

enum { HTTP1_CANON_MAX = 3 * HTTP1_LINE_MAX + HTTP1_FIELDS_LEN_MAX + 1024, HTTP1_STRIPPED_MAX = 512 };

/* The connection's identity. */
struct http1_place {
	struct bytes name; /* canonical host name */
	uint16_t port;
	uint16_t default_port; /* of the scheme, 80 or 443, which an absolute target must have: left out of Host */
	bool encoded_slash;
	bool websocket; /* the head opens one (ws_handshake.h) and is to go on doing so, without extensions */
};

struct http1_request {
	struct http1_length length; /* of the body, as sent and as announced upstream */
	bool expects_continue; /* the client waits for a 100 before it sends the body */
	bool keep; /* the client would send another request */
	bool override; /* a field or the query would replace the method */
	struct bytes upgrade; /* value of the first Upgrade field, a view into the head; empty when there is none */
};

/* Appends the canonical head to `out`: request line; Host of the place; the client's fields in their order without those that
 * are hop-by-hop, nominated, forwarding or of framing; Content-Length or `Transfer-Encoding: chunked` of our own. Adds the names
 * of what was taken out to `stripped` (lower case, ", " between; cut when it is full). `out` is unchanged on a fault. */
enum http1_fault http1_request_canon(const struct http1_head *h, const struct http1_place *place, struct buf *out,
				     struct buf *stripped, struct http1_request *ret);

/* The second path of a COPY or MOVE, which its Destination names (RFC 4918, 10.3), in the same form: appended to `out`, unchanged on a fault, and when the
 * head has none. It may be a URI of the place's own host, or a path. */
enum http1_fault http1_request_destination(const struct http1_head *h, const struct http1_place *place, struct buf *out);

#endif
