#include <stdlib.h>

#include "base/must.h"
#include "wire/layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says which layers. What was taken of some bytes is taken of them whatever comes behind, and what was left at their end is taken, or over, when
 * nothing comes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum layer within[] = { LAYER_NONE, LAYER_PERCENT, LAYER_SCRIPT, LAYER_ENTITY, LAYER_WIDE };
	struct bytes in;
	enum layer outer, inner;

	if (size < 2 || size > 200)
		return 0;
	in = bytes_of(data + 1, size - 1);
	outer = (enum layer)(data[0] % (LAYER_BASE64 + 1));
	inner = within[data[0] / 8 % 5];
	for (size_t cut = 0; cut <= in.len; cut++) {
		struct layer_source whole = { .s = in, .last = true, .layer = outer, .skip = (uint8_t)(data[0] / 64 % 3 * 2) }, some = whole;

		some.s.len = cut;
		some.last = cut == in.len;
		for (;;) {
			uint32_t c = 0, d = 0;
			enum layer_answer a = layer_next_within(&some, inner, &c), b = layer_next_within(&whole, inner, &d);

			must(b != LAYER_MORE && (cut < in.len || a == b));
			if (a == LAYER_MORE)
				break;
			must(a == b && (a == LAYER_OVER || (c == d && some.s.p == whole.s.p)));
			if (a == LAYER_OVER)
				break;
		}
	}
	return 0;
}
