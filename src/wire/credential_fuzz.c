#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A value that passes holds nothing that could end a header field, and loses nothing to trimming. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct bytes value = credential_trim(text);

	must(value.len <= text.len && text.len - value.len <= 2);
	if (credential_check(value) == CREDENTIAL_OK) {
		must(value.len > 0 && value.len <= CREDENTIAL_MAX && bytes_eq(credential_trim(value), value));
		for (size_t i = 0; i < value.len; i++)
			must(value.p[i] >= 0x20 && value.p[i] < 0x7f);
	}
	if (credential_id_ok(text))
		must(text.p[0] != '.' && bytes_find(text, '/') == text.len && credential_check(text) == CREDENTIAL_OK);
	return 0;
}
