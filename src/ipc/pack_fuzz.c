#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "ipc/msg.h"
#include "ipc/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What reads cleanly, written again, is the same bytes; no message is a pack, and none lies outside. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again BUF_AUTO;
	struct bytes message;
	struct pack p;
	struct pack inner;
	uint8_t n[2];

	buf_init(&again, MSG_MAX);
	if (size > MSG_MAX || !pack_open(&p, bytes_of(data, size)))
		return 0;
	pack_put_head(n);
	(void)buf_add(&again, n, PACK_HEAD);
	while (pack_next(&p, &message)) {
		must(message.len && message.p >= data && message.p + message.len <= data + size && !pack_open(&inner, message));
		pack_put_len(n, message.len);
		(void)buf_add(&again, n, PACK_EACH);
		(void)buf_bytes(&again, message);
	}
	must(p.n <= PACK_MESSAGES_MAX);
	if (!p.bad)
		must(p.n > 0 && bytes_eq(buf_view(&again), bytes_of(data, size)));
	return 0;
}
