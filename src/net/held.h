/* What this process holds because of its peers: the buffers of all flows, libssl's and nghttp2's memory. One sum with a ceiling. A process
 * serves one workspace, so what is refused here is refused to the guest that holds the rest. */
#ifndef SAW_NET_HELD_H
#define SAW_NET_HELD_H

#include "base/buf.h"

enum {
	HELD_MAX = 512 * 1024 * 1024,
	/* Content that needs more memory, and requests on connections that stand, are taken below it only, and then no more than one buffer's
	 * growth: above, there still is memory for what ends something. */
	HELD_CONTENT = HELD_MAX - 64 * 1024 * 1024,
	/* The guest's new connections and streams begin below it only: the rest is for those that stand, which from here on get little at a time.
	 * FLOWS_MAX (proxy/flow.h) idle connections of 64 KiB with libssl's part are two thirds of it: what a guest may have open, it may keep open. */
	HELD_NEW = HELD_MAX / 4 * 3,
	/* A process that held more than this and now holds a quarter of its most gives back what malloc keeps between what is left. */
	HELD_GIVES_BACK = 32 * 1024 * 1024,
};

size_t held_total(void);
/* What was charged as *charged is `now` bytes from here on. */
void held_set(size_t *charged, size_t now);
/* Charges an empty buffer, for good. Over HELD_MAX it does not grow. */
void held_buf(struct buf *b);

/* Below HELD_NEW. */
bool held_may_begin(void);
/* Below HELD_CONTENT. */
bool held_may_grow(void);
/* `len` more bytes fit into `b` as it is, or it may grow. */
bool held_fits(const struct buf *b, size_t len);
/* `len` more bytes are not over HELD_MAX. */
bool held_has(size_t len);

/* Something ended: see HELD_GIVES_BACK. */
void held_ended(void);

#endif
