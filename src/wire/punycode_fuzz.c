#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/name.h"
#include "wire/punycode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is canonical as a label is a name, and the other way round. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[4 + PUNYCODE_MAX];
	struct name n;
	bool canonical = punycode_canonical(bytes_of(data, size));

	if (size == 0 || size > PUNYCODE_MAX)
		return 0;
	memcpy(text, "xn--", 4);
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '-' && (data[i] < '0' || data[i] > '9') &&
		    (data[i] < 'a' || data[i] > 'z'))
			return 0;
		text[4 + i] = (char)data[i];
	}
	must((name_parse(bytes_of(text, 4 + size), &n) == NAME_OK) ==
	     (canonical && data[size - 1] != '-'));
	return 0;
}
