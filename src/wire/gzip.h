/* A bounded decoder for one gzip member (RFC 1952), as git sends request bodies. zlib's door.
 *
 * Strict where decoders differ: exactly one member, nothing behind it; no zlib or raw streams. Bounded where they are not: a ceiling for
 * what comes out, and for how much more comes out than went in. */
#ifndef SAW_WIRE_GZIP_H
#define SAW_WIRE_GZIP_H

#include "base/bytes.h"

enum {
	GZIP_RATIO_MAX = 128, /* git's lines of hex digits reach 20; what deflate can do is 1032 */
	GZIP_RATIO_FROM = 64 * 1024, /* output up to here may have any ratio */
	GZIP_MEMORY = 48 * 1024, /* what a decoder costs, about */
};

enum gzip_answer {
	GZIP_DONE,
	GZIP_MORE,
	GZIP_BAD, /* with a fault; stays so */
};

enum gzip_fault {
	GZIP_FAULT_NONE,
	GZIP_FAULT_MALFORMED, /* no gzip, a damaged one, a wrong checksum or length */
	GZIP_FAULT_TRAILING, /* bytes behind the member, perhaps another one */
	GZIP_FAULT_TOO_LARGE,
	GZIP_FAULT_RATIO,
	GZIP_FAULT_MEMORY, /* there is none */
};

struct gzip;
/* `max`: the most bytes that may come out. NULL when out of memory. _free takes NULL. */
struct gzip *gzip_new(uint64_t max);
struct gzip *gzip_free(struct gzip *g);

/* Takes *ret_used bytes off the front of `in` and writes *ret_len decoded ones to `out`, `size` > 0. MORE: call again, with the rest of
 * `in` when some is left, with room again when `out` is full, else with what comes next. A body that ends at MORE is cut short. */
enum gzip_answer gzip_next(struct gzip *g, struct bytes in, uint8_t *out, size_t size, size_t *ret_used, size_t *ret_len,
			   enum gzip_fault *ret_fault);

#endif
