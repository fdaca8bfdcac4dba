/* Where a message body ends: the framing that a head announces, and an incremental decoder for it (RFC 9112, 6 and 7). */
#ifndef SAW_WIRE_HTTP1_BODY_H
#define SAW_WIRE_HTTP1_BODY_H

#include "base/buf.h"
#include "wire/http1_head.h"

enum http1_framing {
	HTTP1_NO_BODY,
	HTTP1_LENGTH,
	HTTP1_CHUNKED,
	HTTP1_UNTIL_CLOSE, /* responses only */
};

struct http1_length {
	enum http1_framing framing;
	uint64_t len; /* HTTP1_LENGTH; for an answer without a body the announced length, when `announced` */
	bool announced;
	bool keep; /* responses: the connection may carry another message */
};

/* False with a fault for anything but none, exactly one plain Content-Length, or exactly one `Transfer-Encoding: chunked`. */
bool http1_request_length(const struct http1_head *h, struct http1_length *ret, enum http1_fault *ret_fault);
/* `to_head`: the request was HEAD. Both lengths at once: chunked counts, and the connection is not kept (RFC 9112, 6.3).
 * HTTP1_NO_BODY by the answer's kind (HEAD, 1xx, 204, 304): an origin that sends a body all the same would answer the next
 * request with it, so a connection to an origin that is not trusted should not be kept then. */
bool http1_response_length(const struct http1_head *h, bool to_head, struct http1_length *ret, enum http1_fault *ret_fault);

/* Fields are private to http1_body.c. */
struct http1_body {
	enum http1_framing framing;
	uint8_t state;
	uint8_t digits;
	uint64_t left;
	uint32_t ext_len;
	uint32_t ext_total;
	uint32_t trailers_len;
	struct buf *trailers; /* NULL: dropped */
	size_t trailer_at; /* in it: where the present name or value begins */
	uint8_t n_trailers;
	bool keeping; /* the present trailer, so far */
};
void http1_body_init(struct http1_body *b, enum http1_framing framing, uint64_t len);
/* From here on trailers are appended to `lines` (borrowed until DONE or BAD), in the canonical text of http1_trailer.h: those whose
 * names may pass; the others are dropped all the same. What stands there counts only when the body is DONE. `lines` full: BAD,
 * TOO_LARGE; room for HTTP1_TRAILERS_LEN_MAX always suffices. */
void http1_body_keep_trailers(struct http1_body *b, struct buf *lines);

/* Takes bytes off the front of `in`: *ret_used of them, of which *ret_data (a view into `in`, perhaps empty) is content.
 * MORE: call again with the rest; when nothing is left, with what comes next. DONE: the body is complete (its last content may
 * come with this answer); the rest of `in` belongs to the next message. Trailers are checked, and dropped unless
 * http1_body_keep_trailers() was called.
 * HTTP1_UNTIL_CLOSE never says DONE: the end of the connection does. */
enum http1_answer http1_body_next(struct http1_body *b, struct bytes in, size_t *ret_used, struct bytes *ret_data,
				  enum http1_fault *ret_fault);
/* A chunked body: the next byte is content, not framing. */
bool http1_body_in_content(const struct http1_body *b);

#endif
