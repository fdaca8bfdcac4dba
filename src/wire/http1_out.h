/* Messages on their way out: an answer's head in canonical form, and chunks. */
#ifndef SAW_WIRE_HTTP1_OUT_H
#define SAW_WIRE_HTTP1_OUT_H

#include "base/buf.h"
#include "wire/http1_body.h"

/* How an answer goes on to the client. */
struct http1_relay {
	uint8_t client_minor; /* 0: a client of HTTP/1.0 gets no chunks */
	bool to_head;
	bool keep; /* we would read another request; without, Connection: close is said */
};

/* Appends status line and fields without those that are hop-by-hop, nominated or steer elsewhere (Alt-Svc), and framing of our
 * own. Gives how the body must be framed: NO_BODY, LENGTH, CHUNKED, or UNTIL_CLOSE, which implies the end of the connection. */
enum http1_framing http1_answer_canon(const struct http1_head *h, const struct http1_length *length,
				      const struct http1_relay *relay, struct buf *out);

/* One piece of content in its framing; nothing for an empty piece. */
void http1_piece(struct buf *out, enum http1_framing framing, struct bytes data);
/* What ends the body, with trailers, a canonical text (http1_trailer.h), which may be empty: written in HTTP1_CHUNKED, lost in every
 * other framing, which has no place for them. Only whole fields that are allowed are written, whatever else the text holds. */
void http1_last_with(struct buf *out, enum http1_framing framing, struct bytes trailers);

#endif
