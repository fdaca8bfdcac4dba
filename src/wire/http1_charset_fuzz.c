#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Case says nothing; and whatever stands in front of it, one that is said behind a semicolon is found. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t text[4096 + 16];
	enum http1_charset is = http1_charset_of(bytes_of(data, size));

	if (size > 4096)
		return 0;
	for (size_t i = 0; i < size; i++)
		text[i] = data[i] >= 'a' && data[i] <= 'z' ? (uint8_t)(data[i] - 32) : data[i];
	must(http1_charset_of(bytes_of(text, size)) == is);
	memcpy(text, data, size);
	memcpy(text + size, ";charset=utf-7", 14);
	must(http1_charset_of(bytes_of(text, size + 14)) == HTTP1_CHARSET_OTHER);
	memcpy(text + size, ";charset=utf-8", 14);
	must(http1_charset_of(bytes_of(text, size + 14)) >= is);
	return 0;
}
