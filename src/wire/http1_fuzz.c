#include <stdlib.h>

#include "base/must.h"
#include "wire/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A token holds no byte that ends a name, a member, a line or a field. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!http1_is_token(bytes_of(data, size)))
		return 0;
	must(size > 0);
	for (size_t i = 0; i < size; i++)
		must(data[i] > 0x20 && data[i] < 0x7f && !strchr("()<>@,;:\\\"/[]?={}", data[i]));
	return 0;
}
