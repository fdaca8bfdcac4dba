#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "base/utf8.h"
#include "wire/json_lex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A string's characters written plainly are in the same place of the order; a number reads the same alone. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t plain[3 * 4096];
	struct bytes s = bytes_of(data, size), raw = { 0 };
	size_t len = 0, n = 0;
	bool nul;

	if (size == 0 || size > 4096)
		return 0;
	if (json_lex_number(s, &raw) == JSON_OK)
		must(json_lex_number(bytes_of(raw.p, raw.len), &s) == JSON_OK && s.len == raw.len);
	s = bytes_of(data, size);
	if (data[0] != '"')
		return 0;
	if (json_lex_string(s, &raw, &nul, &len) != JSON_OK) {
		must(len <= size);
		return 0;
	}
	must(len == raw.len + 2 && data[len - 1] == '"');
	for (size_t i = 0; i < raw.len;) {
		uint32_t c;

		must(json_lex_char(bytes_skip(raw, i), &c, &len) == JSON_OK && len <= raw.len - i);
		if (c < 0x20 || c == '"' || c == '\\') { /* cannot stand plainly */
			memcpy(plain + n, raw.p + i, len);
			n += len;
		} else {
			n += utf8_put(c, plain + n);
		}
		i += len;
	}
	must(json_lex_cmp(raw, bytes_of(plain, n)) == 0 && json_lex_cmp(bytes_of(plain, n), raw) == 0);
	return 0;
}
