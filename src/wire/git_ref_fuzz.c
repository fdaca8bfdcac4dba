#include <stdlib.h>

#include "base/must.h"
#include "wire/git_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A valid name stays one with a component behind it, has none of the bytes that revisions and patterns are written with. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t other[GIT_REF_LEN_MAX + 2];

	if (!git_ref_valid(bytes_of(data, size)))
		return 0;
	must(data && size > 5 && size <= GIT_REF_LEN_MAX);
	for (const char *c = " ~^:?*[\\\n"; *c; c++)
		must(!memchr(data, *c, size));
	must(!memmem(data, size, "..", 2) && !memmem(data, size, "//", 2) && !memmem(data, size, "/.", 2));
	memcpy(other, data, size);
	memcpy(other + size, "/a", 2);
	must(git_ref_valid(bytes_of(other, size + 2)) == (size + 2 <= GIT_REF_LEN_MAX));
	return 0;
}
