/* One end of an exchange: what was read from it and not yet used, and what is to be written to it. A socket, a TLS stream over a
 * socket, or one stream of an HTTP/2 connection; whoever uses it sees bytes of HTTP/1.1 in all three. */
#ifndef SAW_PROXY_HTTP_SIDE_H
#define SAW_PROXY_HTTP_SIDE_H

#include "base/buf.h"
#include "os/loop.h"
#include "rules/reason.h"

struct tls;
struct h2_stream;

enum {
	HTTP_SIDE_READ = 64 * 1024, /* at most so much is read at once */
	HTTP_SIDE_READ_FIRST = 8 * 1024, /* the same until a read has filled that: most messages are small, and so is their memory */
	HTTP_SIDE_OUT_FULL = 64 * 1024, /* with so much waiting nothing more is read from the other side */
	HTTP_SIDE_OUT_SHORT = 8 * 1024, /* the same while memory is short (net/held.h): who does not read gets no more */
};

/* Something can be read or written, or the side hung up. */
typedef void (*http_side_fn)(void *owner, uint32_t events);

struct http_side {
	struct loop_io io;
	http_side_fn fn;
	void *owner;
	int fd; /* -1: none */
	struct tls *tls; /* NULL: in clear */
	struct h2_stream *stream; /* instead of fd */
	bool open;
	struct buf in;
	struct buf out;
	bool readable; /* the loop said so, and no read has come back empty, or short with the loop watching, since */
	bool plenty; /* the last read took all that it had room for */
	bool cramped; /* the last read took nothing, since `in` is full and there is no memory for more of it */
	bool starved; /* it is over, or deaf, because there was no memory at all */
	bool read_wants_out; /* TLS: reading goes on when the socket takes something */
	bool write_wants_in; /* ... and the other way round */
	bool eof; /* nothing will come any more */
	bool heeds_leave; /* `left` is told while nothing is read, too */
	bool left; /* a socket whose peer has ended what it says, though some of that may lie unread: it may still read */
	bool broken; /* and it did not end in order */
	const char *breach; /* it ended because the peer broke TLS: how, a text that lives for ever; NULL: it did not */
	uint64_t moved; /* bytes read and written, ever */
	bool deaf; /* nothing can be written any more; `out` is dropped */
	unsigned fault; /* enum h2_fault: why a stream is gone, or its connection where that is why */
};

/* `in_max`: ceiling of what may lie unread in `in`. */
void http_side_init(struct http_side *s, size_t in_max);
/* What is written to it may hold a secret. Before it is opened. */
void http_side_wipes(struct http_side *s);
/* Its peer may leave while nothing of it is read. Before it is opened. */
void http_side_heeds_leave(struct http_side *s);
/* Takes `fd`, and `tls` on it whose handshake is done (NULL: in clear), and watches it. */
int http_side_open(struct http_side *s, struct loop *l, int fd, struct tls *tls, http_side_fn fn, void *owner);
/* An open socket whose owner asks hosts: it is heard after what they said in the same turn. */
void http_side_asks(struct http_side *s);
/* Takes the stream. Its connection's on_wake must call http_side_wake(). */
void http_side_open_stream(struct http_side *s, struct h2_stream *stream, http_side_fn fn, void *owner);
void http_side_wake(struct http_side *s);
/* What an `enum h2_fault` of the guest's is called in an event. */
enum reason http_side_reason(unsigned fault);
/* Why a stream is gone, or H2_CLOSED where its connection is the cause: what ended that is an event of its own. */
unsigned http_side_own_fault(const struct http_side *s);
/* Closes and frees the buffers; can be opened again. */
void http_side_close(struct http_side *s);
/* Opens `to` on the socket of a side with nothing unread or unwritten, and leaves that closed, without a system call. False (and closed
 * all the same) when it is not that, or no socket. */
bool http_side_move(struct http_side *to, struct http_side *from, http_side_fn fn, void *owner);
/* Closes so that the peer cannot take what it has for a whole. */
void http_side_reset(struct http_side *s);
/* Nothing more will be written. False: the socket has no room for what TLS says last; again when it has. */
bool http_side_shutdown(struct http_side *s);
/* Frees what the buffers hold on to when they are empty. */
void http_side_rest(struct http_side *s);

/* One read of at most `max` bytes (and what `in` may still hold) when `readable`. Gives how many came. */
size_t http_side_read(struct http_side *s, size_t max);
/* A read has something to give without an event of the loop: of TLS more was taken off the socket than was asked for. */
bool http_side_ahead(const struct http_side *s);
/* A kept connection that has said nothing since its last message. Looks. */
bool http_side_silent(struct http_side *s);
/* The same without a system call, from a callback of one that asks, or of a later rank: all that came until this turn of the loop was
 * heard. False: perhaps it said something. */
bool http_side_heard_silent(const struct http_side *s);
/* So much may wait in `out` now, before the other side is read no more; and whether it does. */
size_t http_side_out_full(void);
bool http_side_full(const struct http_side *s);
/* Writes as much of `out` as the other end takes. Gives how much went. */
size_t http_side_flush(struct http_side *s);
/* Hung up: no event will come any more, and what can be read lies ready. */
bool http_side_unwatched(const struct http_side *s);
/* The loop tells when there is more to read, again and again: a socket that has not hung up. */
bool http_side_watched(const struct http_side *s);
void http_side_unwatch(struct http_side *s);
/* What to be woken for; EPOLLOUT is added while `out` is not empty, and while `more`: something for this side lies decoded nowhere yet,
 * in the other side's `in`, for which no socket would wake us. */
void http_side_want(struct http_side *s, bool read, bool more);

#endif
