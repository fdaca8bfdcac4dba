/* A signed policy as machines pass it: manifest, signature and policy text in one run of bytes. People have the same three parts as the
 * files manifest.json, signature.sig and policy.yaml of a folder.
 *
 * "saw-bundle-1\n", then each part as u32 length (big-endian) and bytes. */
#ifndef SAW_WIRE_BUNDLE_H
#define SAW_WIRE_BUNDLE_H

#include "base/buf.h"

enum {
	BUNDLE_MANIFEST_MAX = 4096,
	BUNDLE_SIGNATURE_MAX = 4096,
	BUNDLE_POLICY_MAX = 8 * 1024 * 1024,
	BUNDLE_MAX = BUNDLE_MANIFEST_MAX + BUNDLE_SIGNATURE_MAX + BUNDLE_POLICY_MAX + 64,
};

/* The namespace of an SSH signature over a manifest: ssh-keygen -Y sign -n saw-policy. */
#define BUNDLE_NAMESPACE "saw-policy"

/* Borrows. The signature may be empty (unsigned): whoever loads it decides. */
struct bundle {
	struct bytes manifest;
	struct bytes signature;
	struct bytes policy;
};

enum bundle_answer {
	BUNDLE_DONE,
	BUNDLE_NEWER, /* of a later version */
	BUNDLE_BAD, /* no bundle, a part is cut short or over its limit, or something stands behind it */
};

enum bundle_answer bundle_get(struct bytes raw, struct bundle *ret);
/* Appends. False when a part is over its limit, or `out` failed. */
bool bundle_put(struct buf *out, const struct bundle *b);

#endif
