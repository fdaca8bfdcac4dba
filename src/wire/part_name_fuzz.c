#include <stdlib.h>

#include "base/must.h"
#include "wire/part_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever came, no more bytes come out than went in; and what is written plainly is what it was, in either form. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char plain[] = "=?utf-8?Q?=5Fmethod?=", extended[] = "utf-8''_method";

	for (int kind = 0; kind < 2; kind++) {
		const char *text = kind ? extended : plain;
		struct part_name p;
		size_t n = 0, at = 0;
		uint8_t c = 0;

		part_name_init(&p, kind);
		for (size_t i = 0; i < size; i++)
			n += part_name_next(&p, data[i], &c) == PART_NAME_BYTE;
		must(n <= size);
		part_name_init(&p, kind);
		for (size_t i = 0; text[i]; i++)
			switch (part_name_next(&p, (uint8_t)text[i], &c)) {
			case PART_NAME_NOTHING:
				break;
			case PART_NAME_BYTE:
				must(at < 7 && (kind || c == (uint8_t)"_method"[at]));
				at++;
				break;
			case PART_NAME_AGAIN:
				at = 0;
				break;
			case PART_NAME_HIDDEN:
				must(false);
			}
		must(at == 7);
	}
	return 0;
}
