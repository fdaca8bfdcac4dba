/* Looks for live secrets in a stream of bytes on its way to a guest, so that an echo of one never gets there.
 *
 * A secret is found as it is, percent-encoded (any of its bytes, in either case of digits, a blank also as plus), as text of a JSON string
 * (any of its bytes as \u00XX or a short escape), as text of HTML or XML (any of its bytes as &#45; or &#x2D; with up to eight digits, or by any
 * name that HTML has for it, such as &amp;, &quot;, &apos;, &sol; and &equals;, each with its semicolon), and in base64 (either alphabet, at any
 * alignment within a longer encoded text, its digits themselves percent-encoded, escaped for JSON or written as HTML does, a line break after any
 * of them). Not found: hex, reversed, compressed, split over fields, with markup in between, encoded twice (HTML within JSON, too), and whatever
 * else a host does on purpose; rules ask hosts for the identity encoding, and the paths of a binding are the better fence.
 *
 * Nothing of a secret is kept but what the caller owns: the values stay where they are (guarded memory), and `struct secret_scan`, which
 * knows their first bytes, belongs there too. */
#ifndef SAW_WIRE_SECRET_SCAN_H
#define SAW_WIRE_SECRET_SCAN_H

#include "base/bytes.h"

enum {
	SECRET_SCAN_MAX = 8, /* secrets */
	SECRET_SCAN_BASE64_MIN = 6, /* bytes: shorter ones are not looked for in base64, where chance would find them */
	SECRET_SCAN_SPELLING = 72, /* the most bytes that a spelling has for each byte of a secret: base64 with &DiacriticalGrave in two breaks */
};

/* Private to secret_scan.c. */
struct secret_scan {
	const struct bytes *secrets;
	size_t n;
	uint8_t may_begin[256]; /* bit i: secret i may begin with this byte in some spelling */
	uint8_t may_follow[256]; /* and go on with this one, when the first is no escape */
	uint8_t may_escape[256]; /* and go on with this one, when it is */
};

/* Borrows `secrets` and their bytes, `n` <= SECRET_SCAN_MAX, none empty, each visible ASCII and blanks (wire/credential.h). */
void secret_scan_init(struct secret_scan *s, const struct bytes *secrets, size_t n);
/* `in`: the bytes of the stream that were not passed on yet, from the first. True: a secret is in there. False: *ret_safe bytes from the
 * front may go on; the rest may be the beginning of a secret and must stand in front of what comes next. `last`: nothing comes, all is
 * safe. Held back are never more than SECRET_SCAN_SPELLING bytes for each byte of the longest secret, and by chance hardly ever more than
 * one or two; a caller whose buffer is smaller treats a full one of which nothing is safe as found. */
bool secret_scan_find(const struct secret_scan *s, struct bytes in, bool last, size_t *ret_safe);

#endif
