/* How much of what costs its cause nothing (refusals, notes) was written down, and whether its source is to be slowed down: every event is
 * written, and the source waits until so many a second have passed. */
#ifndef SAW_IPC_NOISE_H
#define SAW_IPC_NOISE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	NOISE_EVENT_MS = 4, /* one event in so long ... */
	NOISE_BURST = 4096, /* ... after so many at once */
	NOISE_PAUSE_MS = 20, /* a good time to look again */
};

/* Of one source. Embed, zero-initialise. */
struct noise {
	uint64_t paid_ms; /* when what was written is paid for, on the loop's clock */
};

void noise_add(struct noise *n, uint64_t now_ms);
bool noise_over(const struct noise *n, uint64_t now_ms);

#endif
