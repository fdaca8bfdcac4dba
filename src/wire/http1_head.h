/* The head of an HTTP/1.1 message: start line and header section, strict and incremental. */
#ifndef SAW_WIRE_HTTP1_HEAD_H
#define SAW_WIRE_HTTP1_HEAD_H

#include "wire/http1.h"

struct http1_field {
	struct bytes name; /* token, as sent */
	struct bytes value; /* without the blanks around it; no CR, LF, NUL or other control byte but HTAB */
};

/* Views into the bytes that were parsed. */
struct http1_head {
	struct bytes method; /* request: token of at most HTTP1_METHOD_MAX */
	struct bytes target; /* request: one or more visible ASCII bytes, not yet judged: http1_target.h */
	uint16_t status; /* response: 100..599 */
	struct bytes phrase; /* response: may be empty */
	uint8_t minor; /* HTTP/1.0 or HTTP/1.1 */
	size_t n_fields;
	struct http1_field fields[HTTP1_FIELDS_MAX];
};

/* Remembers how far a growing buffer was looked at, so that a head sent byte by byte costs no more than one sent at once.
 * Zero-initialise for each message. */
struct http1_scan {
	size_t at; /* bytes looked at */
	size_t line_at; /* where the present line begins */
	size_t fields_at; /* where the header section begins; 0: still in the start line */
	size_t n_lines;
};

/* `in`: everything of this message so far, always from its first byte. DONE: *ret is filled (its first n_fields fields) and *ret_len is the
 * length of the head with its empty line; else *ret holds nothing of use: it is large, and the scan's scratch. Requests take no 8-bit byte; responses take them in values and phrase (obs-text, RFC 9110 5.5). */
enum http1_answer http1_request_head(struct http1_scan *s, struct bytes in, struct http1_head *ret, size_t *ret_len,
				     enum http1_fault *ret_fault);
enum http1_answer http1_response_head(struct http1_scan *s, struct bytes in, struct http1_head *ret, size_t *ret_len,
				      enum http1_fault *ret_fault);

/* How many fields have this name (any case); the first one's value in *ret when there is one (ret may be NULL). */
size_t http1_find(const struct http1_head *h, const char *name, struct bytes *ret);

/* Takes the next member off a comma list (RFC 9110, 5.6.1). Empty members are skipped. */
bool http1_member_next(struct bytes *list, struct bytes *ret);
/* Walks the members of such a list in all fields of this name: zero-initialise `at`. */
struct http1_list {
	size_t field;
	size_t off;
};
bool http1_list_next(const struct http1_head *h, const char *name, struct http1_list *at, struct bytes *ret);

#endif
