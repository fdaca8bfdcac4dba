/* A header list of HTTP/2 as the head of an HTTP/1.1 message, checked field by field (RFC 9113, 8.2 and 8.3). Pure. */
#ifndef SAW_NET_H2_HEAD_H
#define SAW_NET_H2_HEAD_H

#include "net/h2.h"
#include "wire/http1_body.h"

enum h2_head_kind { H2_HEAD_REQUEST, H2_HEAD_ANSWER, H2_HEAD_TRAILERS };

/* Fields are private to h2_head.c, but all may be read once h2_head_end() said H2_OK. The buffers keep their memory from one list to
 * the next. */
struct h2_head {
	enum h2_head_kind kind;
	enum h2_fault fault; /* the first one; what comes later is only counted */
	size_t list_len; /* RFC 9113, 6.5.2 */
	size_t n_fields;
	unsigned pseudo; /* which were seen */
	size_t path_at;
	size_t path_len;
	bool has_host;
	bool has_authority;
	bool to_head; /* request: HEAD; answer: set by the caller before the end, the request was HEAD */
	bool has_length;
	uint64_t length;
	uint16_t status;
	bool coding; /* the head ends with "transfer-encoding: chunked" */
	struct buf start; /* "METHOD path", either part as it comes */
	struct buf authority;
	struct buf fields; /* lines */
	struct buf cookie;
};

void h2_head_init(struct h2_head *h);
void h2_head_deinit(struct h2_head *h);

void h2_head_begin(struct h2_head *h, enum h2_head_kind kind);
void h2_head_field(struct h2_head *h, struct bytes name, struct bytes value);
/* Appends the head with its empty line (trailers: the lines only) to `out`, unchanged on a fault, and gives the framing of what follows.
 * `end_stream`: nothing follows. */
enum h2_fault h2_head_end(struct h2_head *h, bool end_stream, struct buf *out,
			  enum http1_framing *ret);

/* A field that belongs to one connection only (RFC 9113, 8.2.2); any case. */
bool h2_head_is_hop(struct bytes name);

#endif
