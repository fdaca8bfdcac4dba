#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Case never changes a field's fate, and an underscore never makes a special field an ordinary one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t other[64];
	enum http1_fate fate = http1_request_field(bytes_of(data, size));

	if (size > sizeof(other))
		return 0;
	for (size_t i = 0; i < size; i++)
		other[i] = data[i] >= 'a' && data[i] <= 'z' ? (uint8_t)(data[i] - 32) : data[i];
	must(http1_request_field(bytes_of(other, size)) == fate);
	must(http1_response_field(bytes_of(other, size)) == http1_response_field(bytes_of(data, size)));
	for (size_t i = 0; i < size; i++)
		other[i] = data[i] == '-' ? '_' : data[i];
	must((http1_request_field(bytes_of(other, size)) == HTTP1_FORWARD) == (fate == HTTP1_FORWARD));
	return 0;
}
