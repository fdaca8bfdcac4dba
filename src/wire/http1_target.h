/* Path and query in the one form that policy judges and the origin receives.
 *
 * One form: unreserved bytes bare; in the path also ! $ & ' ( ) * , = : @ bare; every other escape kept, its hex digits in upper
 * case; the bytes that stock clients leave bare against RFC 3986 ([ ] | ^ in a path, these and { } ` \ in a query) escaped.
 * Decoded at most once: %252e stays as it is.
 *
 * Refused, never rewritten: dot segments in every spelling (also between encoded slashes), empty segments, `;` in a path, an
 * encoded slash in a path unless the flag is set, an encoded backslash there, malformed escapes, escapes that are not UTF-8 in
 * their sequence, control characters (a query may carry %09 %0A %0D), fragments, and any other byte. */
#ifndef SAW_WIRE_HTTP1_TARGET_H
#define SAW_WIRE_HTTP1_TARGET_H

#include "base/buf.h"
#include "wire/http1.h"

struct http1_target {
	size_t path_len;
	size_t query_len;
	bool has_query; /* "?" stands between them */
};

/* Appends the canonical form of an origin-form target (at most HTTP1_LINE_MAX bytes) to `out`, unchanged on a fault. When `out`
 * cannot take it: HTTP1_FAULT_TARGET_TOO_LONG. */
enum http1_fault http1_target_canon(struct bytes text, bool encoded_slash, struct buf *out, struct http1_target *ret);

#endif
