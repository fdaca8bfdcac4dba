/* A cryptography for tests of this room, which may not link the real one: a hash that folds, signatures that are key and hash. */
#ifndef SAW_RULES_BUNDLE_CHECK_KIT_H
#define SAW_RULES_BUNDLE_CHECK_KIT_H

#include "rules/bundle_check.h"

static inline void kit_sha256(struct bytes data, uint8_t ret[32])
{
	uint64_t h[4] = { 1, 2, 3, 4 };

	for (size_t i = 0; i < data.len; i++)
		for (size_t k = 0; k < 4; k++)
			h[k] = (h[k] ^ data.p[i]) * (0x100000001b3 + 2 * k);
	memcpy(ret, h, 32);
}

static inline void kit_sign(const uint8_t key[BUNDLE_KEY], struct bytes data, uint8_t salt, uint8_t ret[64])
{
	kit_sha256(data, ret);
	for (size_t i = 0; i < 32; i++)
		ret[32 + i] = (uint8_t)(key[i] ^ salt);
}

static inline bool kit_ed25519(const uint8_t key[BUNDLE_KEY], struct bytes data, const uint8_t signature[64])
{
	uint8_t want[64];

	kit_sign(key, data, 0, want);
	return memcmp(want, signature, 64) == 0;
}

static inline bool kit_sshsig(const uint8_t key[BUNDLE_KEY], const char *namespace, bool is_sha512, struct bytes data,
			      const uint8_t signature[64])
{
	uint8_t want[64];

	kit_sign(key, data, (uint8_t)(1 + is_sha512), want);
	return strcmp(namespace, BUNDLE_NAMESPACE) == 0 && memcmp(want, signature, 64) == 0;
}

static const struct bundle_crypto kit_crypto = { kit_sha256, kit_ed25519, kit_sshsig };

#endif
