#include <string.h>

#include "base/must.h"
#include "wire/ocsf_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read stands in the line where it must. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "{\"unmapped\":{\"prev_sha256\":\"";
	struct ocsf_place at;

	if (!ocsf_place_read(bytes_of(data, size), &at))
		return 0;
	must(size > sizeof(head) - 1 + OCSF_HEX_MAX && memcmp(data, head, sizeof(head) - 1) == 0);
	must(memcmp(data + sizeof(head) - 1, at.prev, OCSF_HEX_MAX - 1) == 0 && data[size - 1] == '}' && at.sequence <= INT64_MAX);
	return 0;
}
