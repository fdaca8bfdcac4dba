#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A name that parses is its own canonical form, in both parsers, and is under no suffix that is not its own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name n, again;
	struct bytes text;
	size_t dot;

	if (name_parse(bytes_of(data, size), &n) != NAME_OK)
		return 0;
	text = name_bytes(&n);
	must(text.len > 0 && text.len <= NAME_MAX_LEN && n.text[n.len] == '\0');
	must(name_parse_strict(text, &again) == NAME_OK && bytes_eq(name_bytes(&again), text));
	must(!name_under(text, text, true));
	dot = bytes_find(text, '.');
	if (dot < text.len)
		must(name_under(text, bytes_skip(text, dot + 1), false) &&
		     name_under(text, bytes_skip(text, dot + 1), true));
	return 0;
}
