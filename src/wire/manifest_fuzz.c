#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read, written and read again is the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest a;
	struct manifest b;
	const char *why;
	struct buf text;

	(void)manifest_channel_ok(bytes_of(data, size));
	if (manifest_get(bytes_of(data, size), &a, &why) != MANIFEST_DONE)
		return 0;
	buf_init(&text, 8192);
	must(manifest_put(&text, &a));
	must(manifest_get(buf_view(&text), &b, &why) == MANIFEST_DONE);
	must(a.serial == b.serial && a.created_ms == b.created_ms && a.expires_ms == b.expires_ms);
	must(memcmp(a.sha256, b.sha256, sizeof(a.sha256)) == 0 && strcmp(a.policy, b.policy) == 0 &&
	     strcmp(a.compiler, b.compiler) == 0 && strcmp(a.channel, b.channel) == 0 && strcmp(a.key, b.key) == 0);
	buf_deinit(&text);
	return 0;
}
