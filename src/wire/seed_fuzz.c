#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/seed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is three files, each behind its 16-bit length, on a volume: what reads as a seed builds a seed that reads the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "meta-data", "user-data", "network-config" };
	static struct seed_view a, b;
	BUF_AUTO struct buf image, again;
	struct fat_file files[3];
	size_t off = 0;

	buf_init(&image, SEED_IMAGE_BYTES);
	buf_init(&again, SEED_IMAGE_BYTES);
	for (int i = 0; i < 3; i++) {
		size_t len = 0;

		if (size - off >= 2) {
			len = (size_t)(data[off] | data[off + 1] << 8);
			off += 2;
		}
		if (len > size - off)
			len = size - off;
		files[i] = (struct fat_file){ bytes_str(names[i]), bytes_of(data + off, len) };
		off += len;
	}
	if (!fat_write(&image, "CIDATA", 1, files, 3) || seed_read(buf_view(&image), &a))
		return 0;
	must(seed_build(&again, &a.seed));
	must(seed_read(buf_view(&again), &b) == NULL);
	must(a.used == b.used && memcmp(a.seed.mac, b.seed.mac, 6) == 0);
	must(bytes_eq(a.seed.user_ca, b.seed.user_ca) && bytes_eq(a.seed.host_key, b.seed.host_key));
	must(bytes_eq(a.seed.principal, b.seed.principal) && bytes_eq(a.seed.workspace_ca, b.seed.workspace_ca));
	return 0;
}
