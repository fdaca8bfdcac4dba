#include <stdlib.h>

#include "base/must.h"
#include "wire/param_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t root(struct bytes name, uint8_t room[256])
{
	size_t n = 0;

	for (size_t i = 0; i < name.len && n < 256; i++) {
		enum param_name_byte is = param_name_byte(n, name.p[i]);

		if (is == PARAM_NAME_ENDS)
			break;
		if (is == PARAM_NAME_HAS)
			room[n++] = name.p[i];
	}
	return n;
}

/* A name has no bracket in it, is its own name, and is the same behind any bracket and in front of one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t first[256], again[256], dressed[258];
	size_t n = root(bytes_of(data, size), first);
	struct bytes name = bytes_of(first, n);

	must(bytes_find(name, '[') == n && bytes_find(name, ']') == n &&
	     bytes_find(name, '\0') == n && (n == 0 || first[0] != ' '));
	must(bytes_eq(bytes_of(again, root(name, again)), name));
	memcpy(dressed + 1, first, n);
	dressed[0] = size % 2 ? '[' : ']';
	dressed[n + 1] = size % 3 ? '[' : ']';
	must(bytes_eq(bytes_of(again, root(bytes_of(dressed, n + 2), again)), name));
	return 0;
}
