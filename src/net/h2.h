/* One HTTP/2 connection without a socket (RFC 9113): frames on one side, and on the other each stream as one HTTP/1.1 exchange.
 *
 * What the peer says on a stream is read as the bytes of an HTTP/1.1 message, what is said to it is written as one; so whoever
 * judges, relays and records knows one protocol. net/h2_server.h and net/h2_client.h make connections of either side.
 *
 * Nothing is normalised: a message that RFC 9113 calls malformed ends its stream (RST_STREAM) and no other. Flow control is
 * back-pressure: windows open as the owner reads, writes are taken as the peer's windows allow. */
#ifndef SAW_NET_H2_H
#define SAW_NET_H2_H

#include "base/buf.h"
#include "wire/http1.h"

enum {
	H2_STREAMS_MAX =
		128, /* that the peer may have open, and that its owner may not have released */
	H2_LIST_MAX =
		4 *
		HTTP1_FIELDS_LEN_MAX, /* a header list counted as RFC 9113, 6.5.2 counts; above, the connection ends */
	H2_TABLE_MAX = 4096, /* HPACK, each direction */
	H2_SERVER_WINDOW = 64 * 1024, /* of a stream: what a guest may send before it is read */
	H2_SERVER_WINDOW_ALL = 1024 * 1024, /* of the connection */
	H2_CLIENT_WINDOW = 512 * 1024, /* hosts are further away */
	H2_CLIENT_WINDOW_ALL = 2 * 1024 * 1024,
	H2_OUT_MAX = 64 * 1024, /* content of one stream that waits for its frames */
	H2_OUT_ALL = 512 * 1024, /* of all streams */
	H2_HEAP_MAX = 4 * 1024 * 1024, /* what nghttp2 holds for a connection */
	H2_QUEUE_MAX = 128, /* frames that wait to be taken: above, h2_wants() says no */
	H2_INTERIM_MAX = 16, /* 1xx answers before the final one */
	H2_LINGER_MAX = 256 * 1024, /* of a request that was answered before its end: read and dropped before it is reset */
	H2_LINGER_STREAMS = 32,
	H2_READ_MIN = 64, /* h2_stream_read() needs so much room to go on */
	/* Floods are counted in points: h2_budget.h. */
};

/* Why a stream or a connection ended: one word for each reason that an audit event must be able to tell apart. */
enum h2_fault {
	H2_OK,
	/* a stream that is nobody's fault */
	H2_PEER_RESET, /* RST_STREAM of the peer */
	H2_NOT_PROCESSED, /* client: the host says it did nothing with it (GOAWAY, REFUSED_STREAM): may be sent again */
	H2_CLOSED, /* the connection ended */
	H2_OURS, /* what was written is no HTTP/1.1 message that HTTP/2 can carry */
	/* a malformed message: its stream only */
	H2_BAD_PSEUDO, /* pseudo header unknown, missing, doubled, or behind a field */
	H2_BAD_METHOD,
	H2_BAD_CONNECT, /* CONNECT, extended CONNECT: not spoken here */
	H2_BAD_SCHEME, /* anything but https */
	H2_BAD_TARGET,
	H2_BAD_AUTHORITY, /* none, or Host says another */
	H2_BAD_NAME, /* empty, upper case, no token */
	H2_BAD_VALUE, /* CR, LF, NUL, other control or 8-bit bytes, blanks around it */
	H2_BAD_HOP, /* connection-specific field */
	H2_BAD_LENGTH, /* content-length malformed or doubled */
	H2_BAD_CONTENT, /* DATA that differs from content-length, or where none may be */
	H2_BAD_TRAILERS, /* pseudo headers there, or no end of stream */
	H2_BAD_STATUS, /* client: no status, 101, too many interim answers */
	H2_BAD_STREAM, /* frames that this stream may not have, its window overrun */
	H2_HEAD_TOO_LARGE,
	H2_TARGET_TOO_LONG,
	/* the connection */
	H2_PROTOCOL, /* broken frames, HPACK, preface */
	H2_FLOOD_RESET, /* rapid reset: more streams given up than served */
	H2_FLOOD_MALFORMED,
	H2_FLOOD_CONTINUATION,
	H2_FLOOD_SETTINGS,
	H2_FLOOD_PING,
	H2_FLOOD_EMPTY, /* DATA without content */
	H2_FLOOD_FRAMES, /* priorities, window updates */
	H2_FLOOD_HEADERS, /* HPACK bomb: a list over H2_LIST_MAX */
	H2_STALLED, /* windows kept shut; said by h2_close() of a caller whose patience ended */
	H2_MEMORY, /* its connection's or all connections' ceiling (net/held.h): a stream too */
	H2_FAULT_END
};
/* "malformed pseudo header"; for messages and tests. */
const char *h2_fault_text(enum h2_fault f);
/* The status that answers a guest with this stream's fault where one still can be given: 400, 414, 431, 501, 502, 503. */
unsigned h2_fault_status(enum h2_fault f);

struct h2;
struct h2_stream;

/* All but on_output are called at the end of h2_feed(), h2_take(), h2_eof() and h2_close(); every function may be called inside
 * them but these and h2_free(). `owner` is the connection's. */
struct h2_ops {
	/* Server: a whole request head can be read. Look at everything now: on_wake comes only for what comes after. */
	void (*on_stream)(void *owner, struct h2_stream *s);
	/* There is more to read than at the last call of h2_stream_read(), or room for what h2_stream_write() did not take, or the
	 * stream is gone. Said once: an owner that leaves something unread is not told of it again. */
	void (*on_wake)(void *owner, struct h2_stream *s);
	/* Server: a stream that was malformed, or refused for want of memory, before it was offered; it has been reset. Once for each. A stream that was offered
	 * says it by h2_stream_gone(). May be NULL for clients. */
	void (*on_malformed)(void *owner, uint32_t id, enum h2_fault f);
	/* Outside of the calls above something came to be taken, or a client's stream was released. May be NULL. */
	void (*on_output)(void *owner);
};

/* All streams end (H2_CLOSED) without a call; those not released are freed too. Takes NULL, returns NULL. */
struct h2 *h2_free(struct h2 *c);

/* Bytes of the peer; all are taken. H2_OK, or why the connection ends: take what is left, write it, close. `now_ms`: any
 * monotonic clock. */
enum h2_fault h2_feed(struct h2 *c, struct bytes in, uint64_t now_ms);
/* Appends what is to be sent until `out` holds `max` bytes. */
void h2_take(struct h2 *c, struct buf *out, size_t max);
/* The peer sends no more. Streams are gone; but a client's whose answer is whole can be read to its end, whatever ends the connection. */
void h2_eof(struct h2 *c);

/* Something is to be taken (it may be nothing after all when the peer's windows are shut). */
bool h2_pending(const struct h2 *c);
/* Bytes of the peer are welcome: not while it makes us answer faster than it reads. */
bool h2_wants(const struct h2 *c);
/* Nothing more will come or go: close the socket. */
bool h2_finished(const struct h2 *c);
/* Why the connection ended, or H2_OK; known after h2_take() too. */
enum h2_fault h2_fault(const struct h2 *c);
/* Streams that the owner knows and has not released. */
size_t h2_streams(const struct h2 *c);
/* A stream has content to send and the peer's windows are shut. How long that may last is the caller's to say. */
bool h2_stalled(const struct h2 *c);
/* Bytes of memory that the peer causes us to hold. */
size_t h2_memory(const struct h2 *c);

/* GOAWAY without a fault: streams end in their time, no new ones; a client's that have asked nothing yet are gone (H2_NOT_PROCESSED). */
void h2_drain(struct h2 *c);
/* GOAWAY with the fault's code, and the end of all streams. */
void h2_close(struct h2 *c, enum h2_fault f);

/* Appends at most `max` bytes of the message; gives how many. On the server a request, on the client its answers, interim ones
 * first. Bodies: Content-Length when the peer says one, else chunked, trailers included. The last byte of a body with a length
 * comes only once the peer has ended it there. */
size_t h2_stream_read(struct h2_stream *s, struct buf *out, size_t max);
/* All of the message was read. */
bool h2_stream_read_done(const struct h2_stream *s);
/* Takes bytes of an HTTP/1.1 message; gives how many: fewer than `in` when there is no room, and on_wake will come. A stream that is
 * gone, or whose peer hears no more, takes and drops all. One message a stream; what no message is makes the stream gone (H2_OURS). */
size_t h2_stream_write(struct h2_stream *s, struct bytes in);
/* Content that h2_stream_write() would take now; framing and heads are taken always. */
size_t h2_stream_room(const struct h2_stream *s);
/* No more will be written: the end of a body that lasts until the connection closes, else of a message cut short (reset). */
void h2_stream_end(struct h2_stream *s);
/* All of what was written is in frames. */
bool h2_stream_sent(const struct h2_stream *s);

/* H2_OK, or why nothing more comes or goes. What was not read is lost. */
enum h2_fault h2_stream_gone(const struct h2_stream *s);
uint32_t h2_stream_id(const struct h2_stream *s); /* 0: none yet */
struct h2 *h2_stream_connection(const struct h2_stream *s);
void h2_stream_set_user(struct h2_stream *s, void *user);
void *h2_stream_user(const struct h2_stream *s);
/* The owner is through with it; it must not be used again. Not all written: it is reset. Exactly once for each stream. */
void h2_stream_release(struct h2_stream *s);
/* Server: the same, and nothing was done with it, as its peer hears (REFUSED_STREAM), who may ask again. */
void h2_stream_refuse(struct h2_stream *s);

#endif
