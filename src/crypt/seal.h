/* Data at rest under a key: AES-256-GCM (NIST SP 800-38D), bound to what it is, whose, and which version of it.
 *
 *	"sawseal" | u8 format = 1 | u64 version, big-endian | nonce 12 | tag 16 | ciphertext
 *
 * Associated data: the first 16 bytes, then kind, owner and id, each with its length (u32 big-endian) in front. So a file that was
 * renamed, given to another owner, or taken for another kind of thing does not open. */
#ifndef SAW_CRYPT_SEAL_H
#define SAW_CRYPT_SEAL_H

#include "base/buf.h"
#include "crypt/secret.h"

enum {
	SEAL_KEY_LEN = 32,
	SEAL_OVERHEAD = 16 + 12 + 16,
	SEAL_MAX = SEAL_OVERHEAD + SECRET_MAX, /* a sealed thing: buf_init(&b, SEAL_MAX) */
	SEAL_TEXT_MAX = 256, /* each text of a label */
};

/* What is sealed. Borrowed. */
struct seal_label {
	const char *kind; /* "secret" */
	struct bytes owner;
	struct bytes id;
	uint64_t version;
};

/* Appends the sealed thing under a fresh nonce. `key` has SEAL_KEY_LEN bytes. False (nothing appended) when `plain` is over
 * SECRET_MAX, a text of the label too long, `out` full, or libcrypto fails. */
bool seal_put(const struct secret *key, const struct seal_label *label, struct bytes plain, struct buf *out);

enum seal_answer {
	SEAL_OK,
	SEAL_MALFORMED, /* no sealed thing, or not a whole one */
	SEAL_NEWER, /* of a format that this program does not know */
	SEAL_WRONG, /* changed, or another's, or another key's: which of them cannot be known */
	SEAL_NO_MEMORY,
};
/* The version in the label of a sealed thing, not yet authenticated. */
enum seal_answer seal_version(struct bytes sealed, uint64_t *ret);
/* Gives the plain text when all of it is as it was sealed, under exactly this label. */
enum seal_answer seal_open(const struct secret *key, const struct seal_label *label, struct bytes sealed, struct secret **ret);
/* What is wrong with the sealed thing, as a clause that follows its name: "is no sealed file, or not a whole one". */
const char *seal_answer_text(enum seal_answer a);

#endif
