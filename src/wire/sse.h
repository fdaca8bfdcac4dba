/* The data of server-sent events (WHATWG HTML, 9.2.6), read along while a stream passes: nothing is kept, nothing held back. */
#ifndef SAW_WIRE_SSE_H
#define SAW_WIRE_SSE_H

#include "base/bytes.h"

enum sse_item {
	SSE_MORE, /* `in` is used up */
	SSE_DATA, /* a piece of the present event's data; LF stands between its lines */
	SSE_END, /* the event is over, and had data */
};

/* Private to sse.c. Zero-initialise for each stream. */
struct sse {
	uint8_t state;
	uint8_t at; /* bytes of the field's name, or of the byte order mark, that matched */
	bool after_cr; /* an LF now belongs to the line end before */
	bool begun; /* not before the first byte of the stream */
	bool has_data; /* the present event */
};

/* Takes *ret_used bytes off the front of `in`. DATA: *ret is a view into `in`, or an LF. Call again with the rest until MORE. */
enum sse_item sse_next(struct sse *s, struct bytes in, size_t *ret_used, struct bytes *ret);

#endif
