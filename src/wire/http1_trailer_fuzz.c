#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_fields.h"
#include "wire/http1_trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read from a text writes the same text again, unless its name is not allowed; no spelling makes a name allowed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size);
	struct http1_field f;

	while (rest.len) {
		struct bytes before = rest;
		struct buf lines BUF_AUTO;
		uint8_t other[64];

		buf_init(&lines, size);
		if (!http1_trailer_next(&rest, &f))
			break;
		must(rest.len < before.len && http1_is_token(f.name));
		must(http1_trailer_put(&lines, f.name, f.value) == http1_trailer_allowed(f.name));
		if (lines.len)
			must(bytes_eq(buf_view(&lines), bytes_of(before.p, before.len - rest.len)));
		for (size_t i = 0; i < f.name.len && f.name.len <= sizeof(other); i++)
			other[i] = f.name.p[i] >= 'a' && f.name.p[i] <= 'z' ? (uint8_t)(f.name.p[i] - 32) :
				   f.name.p[i] == '-'			    ? '_' :
									      f.name.p[i];
		if (f.name.len <= sizeof(other))
			must(http1_trailer_allowed(bytes_of(other, f.name.len)) == http1_trailer_allowed(f.name));
	}
	return 0;
}
