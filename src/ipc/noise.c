#include "ipc/noise.h"

void noise_add(struct noise *n, uint64_t now_ms)
{
	if (n->paid_ms < now_ms)
		n->paid_ms = now_ms;
	n->paid_ms += NOISE_EVENT_MS;
}

bool noise_over(const struct noise *n, uint64_t now_ms)
{
	return n->paid_ms > now_ms + (uint64_t)NOISE_BURST * NOISE_EVENT_MS;
}
