/* SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104). */
#ifndef SAW_CRYPT_SHA256_H
#define SAW_CRYPT_SHA256_H

#include "base/bytes.h"

enum { SHA256_LEN = 32, SHA256_HEX_MAX = 2 * SHA256_LEN + 1 };

void sha256(struct bytes data, uint8_t ret[SHA256_LEN]);
/* Over two runs, as if they stood behind each other. */
void sha256_2(struct bytes a, struct bytes b, uint8_t ret[SHA256_LEN]);
void sha256_hmac(struct bytes key, struct bytes data, uint8_t ret[SHA256_LEN]);
/* Lower-case hex with a NUL. */
void sha256_hex(const uint8_t digest[SHA256_LEN], char ret[SHA256_HEX_MAX]);

/* For data that comes in pieces. _free takes NULL. */
struct sha256_run;
struct sha256_run *sha256_run_new(void);
void sha256_run_add(struct sha256_run *r, struct bytes data);
/* Gives the digest of all that was added; the run may go on afterwards. */
void sha256_run_digest(const struct sha256_run *r, uint8_t ret[SHA256_LEN]);
struct sha256_run *sha256_run_free(struct sha256_run *r);

#endif
