#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "ipc/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What reads cleanly, written again, is the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct msg m;
	struct msg_in in;

	if (size > MSG_MAX || !msg_open(&in, bytes_of(data, size)))
		return 0;
	msg_start(&m, in.type);
	while (!in.bad && in.left.len)
		if (in.left.p[0] == 'u')
			msg_u64(&m, msg_get_u64(&in));
		else
			msg_bytes(&m, msg_get_bytes(&in, MSG_MAX));
	if (msg_end(&in))
		must(msg_done(&m) && bytes_eq(bytes_of(m.p, m.len), bytes_of(data, size)));
	return 0;
}
