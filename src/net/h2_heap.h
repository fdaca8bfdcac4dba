/* The memory that nghttp2 holds for one connection: counted, with a ceiling of its own and one for all (net/held.h), and wiped where
 * it may hold a secret. */
#ifndef SAW_NET_H2_HEAP_H
#define SAW_NET_H2_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include <nghttp2/nghttp2.h>

struct h2_heap {
	size_t used;
	size_t max;
	bool wipes; /* all of it, before it is given back */
};

/* `h` must outlive the session that gets *ret. */
void h2_heap_init(struct h2_heap *h, size_t max, bool wipes, nghttp2_mem *ret);

#endif
