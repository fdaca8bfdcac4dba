/* HTTP/1.1 as RFC 9112 writes it: what its units share. Answers, faults, limits. */
#ifndef SAW_WIRE_HTTP1_H
#define SAW_WIRE_HTTP1_H

#include "base/bytes.h"

enum {
	HTTP1_LINE_MAX = 8 * 1024, /* request or status line, its CR LF not counted */
	HTTP1_FIELDS_LEN_MAX = 32 * 1024, /* the header section */
	HTTP1_HEAD_LEN_MAX = HTTP1_LINE_MAX + 2 + HTTP1_FIELDS_LEN_MAX,
	HTTP1_FIELDS_MAX = 100,
	HTTP1_METHOD_MAX = 32,
	HTTP1_CHUNK_EXT_MAX = 256, /* extensions of one chunk */
	HTTP1_CHUNK_EXT_TOTAL_MAX = 4096, /* of all chunks of a body */
	HTTP1_TRAILERS_LEN_MAX = 8 * 1024,
	HTTP1_TRAILERS_MAX = 64, /* how many, dropped ones included */
};

enum http1_answer {
	HTTP1_DONE,
	HTTP1_MORE, /* well-formed so far */
	HTTP1_BAD, /* with a fault; the connection is of no further use */
};

/* What was wrong: one word for each reason that an audit event must be able to tell apart. */
enum http1_fault {
	HTTP1_FAULT_NONE,
	HTTP1_FAULT_NOT_HTTP, /* the first line is no request line at all */
	HTTP1_FAULT_LINE_END, /* bare LF, bare CR */
	HTTP1_FAULT_HEADER,
	HTTP1_FAULT_TOO_LARGE, /* header section or number of fields */
	HTTP1_FAULT_TARGET_TOO_LONG,
	HTTP1_FAULT_VERSION,
	HTTP1_FAULT_METHOD,
	HTTP1_FAULT_STATUS, /* malformed status line */
	HTTP1_FAULT_TARGET,
	HTTP1_FAULT_DOT_SEGMENT,
	HTTP1_FAULT_ENCODED_SLASH,
	HTTP1_FAULT_EMPTY_SEGMENT,
	HTTP1_FAULT_PATH_PARAMETER,
	HTTP1_FAULT_USERINFO,
	HTTP1_FAULT_HOST, /* missing, doubled, a list, with a path, a malformed port */
	HTTP1_FAULT_AUTHORITY, /* a byte that no authority has */
	HTTP1_FAULT_NAME, /* the host part is no canonical name */
	HTTP1_FAULT_NAME_ADDRESS,
	HTTP1_FAULT_NOT_FLOW, /* another authority or scheme than the connection's */
	HTTP1_FAULT_TWO_LENGTHS,
	HTTP1_FAULT_LENGTH,
	HTTP1_FAULT_CODING,
	HTTP1_FAULT_CHUNK,
	HTTP1_FAULT_CHUNK_EXT,
	HTTP1_FAULT_NOMINATED, /* Connection names a field that is not hop-by-hop */
	HTTP1_FAULT_EXPECT,
	HTTP1_FAULT_END
};

/* tchar of RFC 9110, 5.6.2. */
bool http1_is_tchar(uint8_t c);
/* One or more tchars. */
bool http1_is_token(struct bytes s);
/* How many tchars it begins with. */
size_t http1_token_len(struct bytes s);

/* The status that answers a request with this fault: 400, 413, 414, 417, 421, 431, 501 or 505. */
unsigned http1_fault_status(enum http1_fault f);
/* "Not Found" for 404 (RFC 9110, 15); "Unknown" for a status without a name here. */
const char *http1_phrase(unsigned status);

#endif
