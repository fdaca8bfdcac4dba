/* Times as text: UTC, RFC 3339. Pure: the clock is read elsewhere (os/loop.h). */
#ifndef SAW_BASE_TIME_TEXT_H
#define SAW_BASE_TIME_TEXT_H

#include "base/bytes.h"

enum { TIME_TEXT_MAX = sizeof("9999-12-31T23:59:59.999Z") };

/* Milliseconds since the epoch -> "2026-11-24T17:00:00.000Z", NUL-terminated. */
void time_text(uint64_t unix_ms, char ret[TIME_TEXT_MAX]);
/* The reverse; whole seconds or exactly three fractional digits, 'Z' only. */
bool time_text_parse(struct bytes text, uint64_t *ret_unix_ms);

#endif
