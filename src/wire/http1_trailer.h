/* Trailer fields (RFC 9110, 6.5): which may pass, and the canonical text in which they wait for the end of a body.
 *
 * That text is what http1_body_keep_trailers() collects and http1_last_with() writes: "Name: value" CR LF for each field, no blank
 * but the one behind the colon, names as sent. Only names that a recipient may safely treat as metadata pass; the others are dropped
 * without a word: framing, routing, credentials and cookies, request modifiers, control of the answer, how to read the content
 * (RFC 9110, 6.5.1), and whatever is stripped or refused in a header section (http1_fields.h). */
#ifndef SAW_WIRE_HTTP1_TRAILER_H
#define SAW_WIRE_HTTP1_TRAILER_H

#include "base/buf.h"
#include "wire/http1_head.h"

/* Any case; whatever is neither letter nor digit counts as `-`. False also when `name` is no token. */
bool http1_trailer_allowed(struct bytes name);
/* Appends one field. False, with nothing appended, when it is not allowed, its value has a byte that no trailer value of ours has
 * (control but HTAB, 8-bit) or a blank at an end, or `lines` is full. */
bool http1_trailer_put(struct buf *lines, struct bytes name, struct bytes value);
/* Takes the next field off the front of a canonical text; false at its end, and for what is no such text. */
bool http1_trailer_next(struct bytes *lines, struct http1_field *ret);

#endif
