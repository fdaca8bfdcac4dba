/* Base64 (RFC 4648, section 4) with padding, strict: no white space, no missing or stray padding, no non-zero spare bits. */
#ifndef SAW_BASE_BASE64_H
#define SAW_BASE_BASE64_H

#include "base/buf.h"

/* Appends the text; returns !out->failed. */
bool base64_put(struct buf *out, struct bytes data);
/* Appends the bytes. False (nothing appended) for malformed text, or when `out` failed. */
bool base64_get(struct bytes text, struct buf *out);

#endif
