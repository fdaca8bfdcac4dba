/* May this bundle be loaded? Signature by a trusted key, the policy text that was signed, not expired. Pure: the same code says it in
 * `saw policy verify`, at push, and in the supervisor, whose word counts. */
#ifndef SAW_RULES_BUNDLE_CHECK_H
#define SAW_RULES_BUNDLE_CHECK_H

#include "rules/reason.h"
#include "wire/bundle.h"
#include "wire/manifest.h"

enum {
	BUNDLE_KEY = 32,
	BUNDLE_KEYS_MAX = 32,
	BUNDLE_ID = 32,
	BUNDLE_FINGERPRINT_MAX = sizeof("SHA256:") + 43, /* with its NUL */
};

/* What libcrypto does (crypt/): this room does no cryptography of its own. */
struct bundle_crypto {
	void (*sha256)(struct bytes data, uint8_t ret[32]);
	bool (*ed25519)(const uint8_t key[BUNDLE_KEY], struct bytes data, const uint8_t signature[64]);
	bool (*sshsig)(const uint8_t key[BUNDLE_KEY], const char *namespace, bool is_sha512, struct bytes data,
		       const uint8_t signature[64]);
};

struct bundle_keys {
	uint8_t key[BUNDLE_KEYS_MAX][BUNDLE_KEY];
	size_t n;
};

/* Parts borrow from the bundle's bytes. */
struct bundle_checked {
	struct bundle parts;
	struct manifest manifest;
	uint8_t key[BUNDLE_KEY]; /* that signed it */
	uint8_t id[BUNDLE_ID]; /* SHA-256 of the manifest: names this release */
};

/* REASON_OK and *ret, else why not: *ret_why is one more sentence, borrowed for ever, "" when the reason says it all. `channel`: where it
 * is to stand, "" for none. */
enum reason bundle_check(struct bytes raw, struct bytes channel, const struct bundle_keys *trusted, uint64_t now_ms,
			 const struct bundle_crypto *crypto, struct bundle_checked *ret, const char **ret_why);

/* A bundle with this serial may follow upon one with serial `last`: the same or a higher one, or exactly the one that was rolled back to
 * (0: none). */
bool bundle_serial_ok(uint64_t serial, uint64_t last, uint64_t rolled_back_to);

/* OpenSSH's form, "SHA256:" and 43 digits of base64, as `ssh-keygen -l` prints. */
void bundle_fingerprint(const uint8_t key[BUNDLE_KEY], const struct bundle_crypto *crypto, char ret[BUNDLE_FINGERPRINT_MAX]);

#endif
