/* Recognises a git-upload-pack request, which only reads: protocol v2 (gitprotocol-v2(5)) with one of its commands, or the want and have
 * lines of v0 and v1 (gitprotocol-pack(5)). Fed with the body in pieces of any size; keeps one line. Anything else is bad. */
#ifndef SAW_WIRE_GIT_FETCH_H
#define SAW_WIRE_GIT_FETCH_H

#include "wire/git_pkt.h"

enum { GIT_FETCH_LINE_MAX = 2048 }; /* with its four digits; filters and server options are the long ones */

enum git_fetch_kind {
	GIT_FETCH_UNKNOWN, /* too little of it yet */
	GIT_FETCH_NOTHING, /* a lone flush: git's probe, or a clone of nothing */
	GIT_FETCH_LS_REFS,
	GIT_FETCH_FETCH, /* in v2 */
	GIT_FETCH_OBJECT_INFO,
	GIT_FETCH_BUNDLE_URI,
	GIT_FETCH_WANT, /* v0 and v1 */
};

/* Read `kind`, the rest is private. Zero-initialise for each request. */
struct git_fetch {
	enum git_fetch_kind kind;
	uint8_t state;
	uint16_t len; /* of `line` */
	uint8_t line[GIT_FETCH_LINE_MAX];
};

/* MORE while the body is such a request; BAD stays BAD. */
enum git_answer git_fetch_feed(struct git_fetch *g, struct bytes in, enum git_fault *ret_fault);
/* The body is over: DONE, or BAD when it was cut short. */
enum git_answer git_fetch_end(struct git_fetch *g, enum git_fault *ret_fault);

#endif
