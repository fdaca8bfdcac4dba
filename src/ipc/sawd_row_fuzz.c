#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "ipc/sawd_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that reads cleanly, written again, is the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct msg m;
	struct sawd_row r;
	struct msg_in in;

	if (size > MSG_MAX || !msg_open(&in, bytes_of(data, size)) || !sawd_row_get(&in, &r) || !msg_end(&in))
		return 0;
	msg_start(&m, in.type);
	sawd_row_put(&m, &r);
	must(msg_done(&m) && bytes_eq(bytes_of(m.p, m.len), bytes_of(data, size)));
	return 0;
}
