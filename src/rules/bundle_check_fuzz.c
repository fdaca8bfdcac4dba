#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "rules/bundle_check_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever passes is signed by the one trusted key in this toy cryptography, and carries the text whose hash was signed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bundle_keys trusted = { .key = { { 1, 2, 3 } }, .n = 1 };
	struct bundle_checked c;
	uint8_t digest[32];
	const char *why;
	enum reason r = bundle_check(bytes_of(data, size), bytes_str("a/b"), &trusted, 1000000, &kit_crypto, &c, &why);

	must((unsigned)r < REASON_COUNT && why);
	if (r != REASON_OK)
		return 0;
	kit_sha256(c.parts.policy, digest);
	must(memcmp(digest, c.manifest.sha256, 32) == 0 && memcmp(c.key, trusted.key[0], BUNDLE_KEY) == 0);
	must(!c.manifest.expires_ms || c.manifest.expires_ms > 1000000);
	return 0;
}
