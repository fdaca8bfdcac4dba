#include <stdlib.h>

#include "base/must.h"
#include "wire/credential_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No spelling hides a name; what was stripped holds no carrier and is stripped again to itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	struct bytes name = bytes_of(data, size);
	struct buf once BUF_AUTO = { 0 };
	struct buf twice BUF_AUTO = { 0 };
	uint8_t other[3 * 64];
	size_t n, m;

	if (size <= 64) {
		for (size_t i = 0; i < size; i++)
			other[i] = data[i] == '-' ? '_' : data[i] >= 'a' && data[i] <= 'z' ? (uint8_t)(data[i] - 32) : data[i];
		must(credential_field(bytes_of(other, size)) == credential_field(name));
		for (size_t i = 0; i < size; i++) {
			other[3 * i] = '%';
			other[3 * i + 1] = (uint8_t)digits[data[i] >> 4];
			other[3 * i + 2] = (uint8_t)digits[data[i] & 15];
		}
		if (bytes_find(name, '%') == size && bytes_find(name, '+') == size)
			must(credential_query(bytes_of(other, 3 * size)) == credential_query(name));
	}
	buf_init(&once, size);
	buf_init(&twice, size);
	must(credential_query_strip(name, &once, &n) && once.len <= size && (n > 0 || bytes_eq(buf_view(&once), name)));
	must(credential_query_strip(buf_view(&once), &twice, &m) && m == 0 && bytes_eq(buf_view(&once), buf_view(&twice)));
	return 0;
}
