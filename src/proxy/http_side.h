/* One end of a relay: a socket, what was read from it and not yet used, and what is to be written to it. */
#ifndef SAW_PROXY_HTTP_SIDE_H
#define SAW_PROXY_HTTP_SIDE_H

#include "base/buf.h"
#include "os/loop.h"

enum {
	HTTP_SIDE_READ = 64 * 1024, /* at most so much is read at once */
	HTTP_SIDE_OUT_FULL = 64 * 1024, /* with so much waiting nothing more is read from the other side */
};

struct http_side {
	struct loop_io io;
	int fd; /* -1: none */
	struct buf in;
	struct buf out;
	bool readable; /* the loop said so, and no read has come back empty since */
	bool eof; /* nothing will come any more */
	bool broken; /* and it did not end in order */
	uint64_t moved; /* bytes read and written, ever */
	bool deaf; /* nothing can be written any more; `out` is dropped */
};

/* `in_max`: ceiling of what may lie unread in `in`. */
void http_side_init(struct http_side *s, size_t in_max);
/* Takes `fd` and watches it. */
int http_side_open(struct http_side *s, struct loop *l, int fd, loop_io_fn fn, void *owner);
/* Closes and frees the buffers; can be opened again. */
void http_side_close(struct http_side *s);
/* Frees what the buffers hold on to when they are empty. */
void http_side_rest(struct http_side *s);

/* One read of at most `max` bytes (and what `in` may still hold) when `readable`. Gives how many came. */
size_t http_side_read(struct http_side *s, size_t max);
/* Writes as much of `out` as the socket takes. Gives how much went. */
size_t http_side_flush(struct http_side *s);
/* What to be woken for; EPOLLOUT is added while `out` is not empty, and while `more`: something for this side lies decoded nowhere yet,
 * in the other side's `in`, for which no socket would wake us. */
void http_side_want(struct http_side *s, bool read, bool more);

#endif
