#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Texts are always ended, printable and inside their bounds; an event always has a name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmp q;

	qmp_read(bytes_of(data, size), &q);
	must(strnlen(q.name, sizeof(q.name)) < sizeof(q.name) && strnlen(q.text, sizeof(q.text)) < sizeof(q.text));
	for (const char *c = q.name; *c; c++)
		must(*c >= 0x20 && *c < 0x7f);
	must(q.kind != QMP_EVENT || q.name[0]);
	return 0;
}
