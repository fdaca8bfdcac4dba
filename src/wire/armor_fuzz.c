#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "wire/armor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read, written and read again is the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes label;
	struct buf first;
	struct buf text;
	struct buf again;
	char *name;

	if (!armor_label(bytes_of(data, size), &label) || !(name = bytes_dup(label)))
		return 0;
	buf_init(&first, ARMOR_TEXT_MAX);
	buf_init(&text, 2 * ARMOR_TEXT_MAX);
	buf_init(&again, ARMOR_TEXT_MAX);
	if (armor_get(bytes_of(data, size), name, &first)) {
		must(armor_put(&text, name, buf_view(&first), 128));
		must(armor_get(buf_view(&text), name, &again) && bytes_eq(buf_view(&first), buf_view(&again)));
	}
	buf_deinit(&first);
	buf_deinit(&text);
	buf_deinit(&again);
	free(name);
	return 0;
}
