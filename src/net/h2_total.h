/* What all HTTP/2 connections of this process hold because of their peers: one sum with a ceiling. A process serves one workspace, so what
 * is refused here is refused to the guest that holds the rest. */
#ifndef SAW_NET_H2_TOTAL_H
#define SAW_NET_H2_TOTAL_H

#include "base/buf.h"

enum {
	/* FLOWS_MAX (proxy/flow.h) idle connections of 48 KiB are three quarters of it: what a guest may have open, it may keep open. */
	H2_TOTAL_MAX = 256 * 1024 * 1024,
	/* Heads and content are taken below it only, and then no more than one buffer's growth: above, nghttp2 still has memory for the
	 * frames that end something. */
	H2_TOTAL_CONTENT = H2_TOTAL_MAX - 16 * 1024 * 1024,
	/* The guest's new connections and streams begin below it only: the rest is for those that stand. */
	H2_TOTAL_NEW = H2_TOTAL_MAX / 4 * 3,
};

size_t h2_total(void);
/* What was charged as *charged is `now` bytes from here on. */
void h2_total_set(size_t *charged, size_t now);

/* Below H2_TOTAL_NEW. */
bool h2_total_may_begin(void);
/* Below H2_TOTAL_CONTENT. */
bool h2_total_may_grow(void);
/* `len` more bytes fit into `b` as it is, or it may grow. */
bool h2_total_fits(const struct buf *b, size_t len);
/* `len` more bytes are not over H2_TOTAL_MAX. */
bool h2_total_has(size_t len);

#endif
