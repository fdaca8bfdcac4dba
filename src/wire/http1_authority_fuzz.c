#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_authority.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses, printed in its one form, parses to the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1_authority a;
	struct http1_authority again;
	char text[NAME_MAX_LEN + 8];

	if (http1_authority_parse(bytes_of(data, size), &a) != HTTP1_FAULT_NONE)
		return 0;
	if (a.port)
		(void)snprintf(text, sizeof(text), "%s:%u", a.name.text, (unsigned)a.port);
	else
		(void)snprintf(text, sizeof(text), "%s", a.name.text);
	must(http1_authority_parse(bytes_str(text), &again) == HTTP1_FAULT_NONE);
	must(again.port == a.port && strcmp(again.name.text, a.name.text) == 0);
	return 0;
}
