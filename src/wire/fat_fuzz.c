#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/fat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is laid over a sound volume (offset, byte, offset, byte ...): reading answers something and never strays. Then it
 * is a file's contents: they come back unchanged. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BUF_AUTO struct buf image, got;
	struct fat_file file = { bytes_str("user-data"), bytes_of(data, size) };

	buf_init(&image, FAT_IMAGE_BYTES);
	buf_init(&got, FAT_IMAGE_BYTES);
	if (!fat_write(&image, "CIDATA", 1, &file, 1))
		return 0;
	must(fat_read(buf_view(&image), "user-data", &got) == FAT_OK);
	must(bytes_eq(buf_view(&got), bytes_of(data, size)));
	buf_reset(&got);
	for (size_t i = 0; i + 3 <= size; i += 3)
		image.p[(size_t)(data[i] | data[i + 1] << 8) % 4096] = data[i + 2];
	(void)fat_has_label(buf_view(&image), "CIDATA");
	if (fat_read(buf_view(&image), "user-data", &got) != FAT_OK)
		must(got.len == 0);
	return 0;
}
