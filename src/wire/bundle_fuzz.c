#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* There is one spelling: what is read and written again is the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle b;
	struct buf again;

	if (bundle_get(bytes_of(data, size), &b) != BUNDLE_DONE)
		return 0;
	buf_init(&again, BUNDLE_MAX);
	must(bundle_put(&again, &b) && bytes_eq(buf_view(&again), bytes_of(data, size)));
	buf_deinit(&again);
	return 0;
}
