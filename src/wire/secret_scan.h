/* Looks for live secrets in a stream of bytes on its way to a guest, so that an echo of one never gets there.
 *
 * A secret is found in these layers, each by itself and each within each other one:
 *  - percent-encoded (any of its bytes, in either case of digits, a blank also as plus),
 *  - as text of JSON or of a script (any of its bytes as \u00XX, \xXX or a short escape),
 *  - as text of HTML or XML (any of its bytes as &#45; or &#x2D; with up to eight digits, or by any name that HTML has for it, such as &amp;, &quot;, &apos;,
 *    &sol; and &equals;; the semicolon may be missing where HTML lets it),
 *  - in base64 (either alphabet, at any alignment within a longer encoded text, its digits themselves in one of the layers above, a line break after any
 *    of them).
 * Also with letters in another case, in UTF-16 and UTF-32 (escapes in it and base64 around it included), and in hex.
 * Not found: what is encoded three times (but base64 of base64 with escaped digits), reversed, compressed, split over fields, with markup or blanks in between, in other codes
 * (quoted-printable, octal escapes, base32, EBCDIC), and whatever else a host does on purpose; rules ask hosts for the identity encoding, and the
 * paths of a binding are the better fence.
 *
 * Nothing of a secret is kept but what the caller owns: the values stay where they are (guarded memory), and `struct secret_scan`, which
 * knows their first bytes, belongs there too. */
#ifndef SAW_WIRE_SECRET_SCAN_H
#define SAW_WIRE_SECRET_SCAN_H

#include "base/bytes.h"

enum {
	SECRET_SCAN_MAX = 8, /* secrets */
	SECRET_SCAN_BASE64_MIN = 6, /* bytes: shorter ones are not looked for in base64 or hex, where chance would find them */
	SECRET_SCAN_CASE_MIN = 12, /* bytes: nor these in another case */
	SECRET_SCAN_BEHIND = 4, /* bytes that have gone and are looked at once more */
	/* the most bytes that a spelling has for each byte of a secret: base64 with &DiacriticalGrave in two breaks, of &DiacriticalGrave; */
	SECRET_SCAN_SPELLING = 72 * 18,
};

/* Private to secret_scan.c. */
struct secret_scan {
	const struct bytes *secrets;
	uint8_t n;
	uint8_t marked; /* bit i: some byte of secret i begins an escape in some layer */
	uint8_t may_begin[256]; /* it may begin with this byte in some spelling */
	uint8_t may_follow[4][256]; /* and go on with this one, by the layer in which the first begins an escape */
	uint8_t may_pair[4096 / 8]; /* two digits of base64 in which some other spelling of some secret begins */
};

/* Borrows `secrets` and their bytes, `n` <= SECRET_SCAN_MAX, none empty, each visible ASCII and blanks (wire/credential.h). */
void secret_scan_init(struct secret_scan *s, const struct bytes *secrets, size_t n);
/* `in`: the bytes of the stream from SECRET_SCAN_BEHIND before the first that was not passed on yet (or from the stream's first); `behind`: how many of them
 * have gone. True: a secret is in there. False: *ret_safe bytes from the front may go on, at least `behind`; the rest may be the beginning of a secret and must
 * stand in front of what comes next. `last`: nothing comes, all is safe. Held back are never more than SECRET_SCAN_SPELLING bytes for each byte of the longest
 * secret, and by chance hardly ever more than one or two; a caller whose buffer is smaller treats a full one of which nothing is safe as found. What has
 * gone of a secret that is found in the end are at most SECRET_SCAN_BEHIND digits of base64. */
bool secret_scan_find(const struct secret_scan *s, struct bytes in, size_t behind, bool last, size_t *ret_safe);

#endif
