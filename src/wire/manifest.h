/* manifest.json of a policy bundle: what is signed, and by its hash the policy text too. */
#ifndef SAW_WIRE_MANIFEST_H
#define SAW_WIRE_MANIFEST_H

#include "base/buf.h"

enum {
	MANIFEST_FORMAT = 1,
	MANIFEST_SHA256 = 32,
	MANIFEST_POLICY_MAX = 256, /* bytes of a policy's name */
	MANIFEST_CHANNEL_MAX = 128,
	MANIFEST_LABELS_MAX = 4, /* of a channel's name */
	MANIFEST_TEXT_MAX = 64, /* compiler, key */
};
#define MANIFEST_SERIAL_MAX ((uint64_t)INT64_MAX)
#define MANIFEST_SERIAL_AHEAD_S ((uint64_t)366 * 24 * 60 * 60)

struct manifest {
	uint64_t serial; /* 1 to MANIFEST_SERIAL_MAX */
	uint64_t created_ms;
	uint64_t expires_ms; /* 0: never */
	uint8_t sha256[MANIFEST_SHA256]; /* of policy.yaml */
	char policy[MANIFEST_POLICY_MAX + 1]; /* its name, as in the text */
	char compiler[MANIFEST_TEXT_MAX + 1]; /* version that checked it */
	char channel[MANIFEST_CHANNEL_MAX + 1]; /* the only channel it may stand on; "": any */
	char key[MANIFEST_TEXT_MAX + 1]; /* fingerprint of the key that is to sign; only a hint; may be "" */
};

enum manifest_answer { MANIFEST_DONE, MANIFEST_NEWER, MANIFEST_BAD };

/* Strict: every member once, none that is unknown. BAD: *ret_why names the member or the fault; borrowed for ever. */
enum manifest_answer manifest_get(struct bytes text, struct manifest *ret, const char **ret_why);
/* Appends the text. Returns !out->failed. */
bool manifest_put(struct buf *out, const struct manifest *m);

/* Serials are mostly seconds since 1970, and a channel takes only higher ones: one that is so far ahead of them (a slip of the finger) would
 * end it. For who takes a bundle to ask back. */
bool manifest_serial_is_ahead(uint64_t serial, uint64_t now_ms);

/* "corporate/stable": 2 to 4 labels of a-z, 0-9 and inner hyphens, each at most 40 long, joined by '/'. */
bool manifest_channel_ok(struct bytes name);
/* Every channel but those below "lab/" is one for production: no `lab: true`, no `observe: true` on it. No channel ("") is none. */
bool manifest_channel_is_production(struct bytes name);

#endif
