/* What the h2_*.c files share; everybody else reads net/h2.h. */
#ifndef SAW_NET_H2_SESSION_H
#define SAW_NET_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "net/h2_budget.h"
#include "net/h2_head.h"
#include "net/h2_heap.h"
#include "net/held.h"

enum {
	H2_POOL_MAX = 16,
	H2_POOL_KEEPS = 4096 /* bytes of a buffer that waits for the next stream */
};

/* A place in one of the connection's lists. */
struct h2_link {
	struct h2_stream *next;
	struct h2_stream **prev; /* set while in the list */
};

enum h2_out_state { H2_OUT_HEAD, H2_OUT_BODY, H2_OUT_DONE };

struct h2_stream {
	struct h2 *c;
	int32_t id; /* 0: none yet */
	void *user;
	struct h2_link all;
	struct h2_link woken;
	struct h2_link waiting; /* for room */
	size_t charged; /* net/held.h */
	enum h2_fault gone;
	bool offered; /* its owner knows of it */
	bool released;
	bool open; /* nghttp2 has it, or will say that it is closed */
	bool peer_reset;

	/* what the peer says */
	struct buf in_text; /* heads, later what ends a chunked body */
	size_t in_text_off;
	struct buf in_data; /* content not yet read: never more than its window */
	size_t in_data_off;
	struct buf in_trailers;
	enum http1_framing in_framing;
	uint64_t in_length;
	uint64_t in_got;
	unsigned n_interim;
	bool in_head_done;
	bool in_end; /* the peer ended the stream */
	bool in_last; /* what ends the body lies in in_text */

	/* what is said to it */
	enum h2_out_state out_state;
	struct http1_scan out_scan;
	struct buf out_head; /* a head that came in pieces */
	struct http1_body body;
	struct buf out_data;
	size_t out_data_off;
	struct buf out_trailers;
	bool out_deferred; /* nghttp2 found nothing to send */
	bool out_sent; /* END_STREAM is in a frame */
	size_t lingered; /* dropped of the request since nobody reads it */
	bool to_head;
};

struct h2 {
	nghttp2_session *session;
	struct h2_heap heap;
	const struct h2_ops *ops;
	void *owner;
	bool server;
	bool inside; /* of feed, take, eof or close */
	bool output_said;
	bool windows_moved; /* streams that wait may have room now */
	bool eof;
	bool greeted; /* SETTINGS came */
	bool draining;
	enum h2_fault fault;
	struct h2_budget budget;
	size_t charged; /* this and `head`; net/held.h */
	struct h2_head head; /* the header block that is arriving: one at a time */
	struct h2_stream *in_head; /* whose it is */
	struct h2_stream *all;
	struct h2_stream *woken;
	struct h2_stream *waiting;
	size_t n_streams;
	size_t n_offered; /* of those, not yet released */
	size_t out_total; /* in all out_data */
	struct bytes rest; /* of the frame that nghttp2 gave last */
	bool rest_wipes; /* once it was taken */
	struct h2_stream *pool;
	size_t n_pool;
};

/* h2_session.c */
struct h2 *h2_new(const struct h2_ops *ops, void *owner, bool server, bool wipes);
/* After what may have changed what `head` holds. */
void h2_charge(struct h2 *c);
/* A flood or broken frame: GOAWAY, and the end of all streams. The first fault counts. */
void h2_fail(struct h2 *c, enum h2_fault f);
/* Calls the owner for streams that were woken. */
void h2_dispatch(struct h2 *c);
/* Tells the owner that there is output, unless it is going to look anyway. */
void h2_output(struct h2 *c);
/* At the end of what may have handed a secret to nghttp2: nothing of it stays on the stack below the caller, on a connection that wipes. */
void h2_wipe_stack(const struct h2 *c);

/* h2_frames.c: what nghttp2 tells. */
int h2_frames_callbacks(nghttp2_session_callbacks **ret);

/* h2_stream.c */
struct h2_stream *h2_stream_new(struct h2 *c);
/* Frees it once its owner and nghttp2 are through with it. */
void h2_stream_settle(struct h2_stream *s);
void h2_stream_free(struct h2_stream *s);
/* Bytes of memory. */
size_t h2_stream_holds(const struct h2_stream *s);
/* After what may have changed what its buffers hold. */
void h2_stream_charge(struct h2_stream *s);
void h2_stream_wake(struct h2_stream *s);
void h2_stream_wait(struct h2_stream *s);
/* The stream ends for its owner; what is unread and unsent is dropped. */
void h2_stream_lose(struct h2_stream *s, enum h2_fault f);
/* As lose, and resets it. */
void h2_stream_reset(struct h2_stream *s, enum h2_fault f);
/* Its owner knows of it from now on. */
void h2_stream_offer(struct h2_stream *s);

/* h2_in.c */
void h2_in_head(struct h2_stream *s, bool end_stream);
void h2_in_data(struct h2_stream *s, struct bytes data);
void h2_in_end(struct h2_stream *s);
/* Answered before its request ended, and nobody reads the rest. */
bool h2_in_lingers(const struct h2_stream *s);
/* Gives back the window of what nobody will read. */
void h2_in_drop(struct h2_stream *s);

/* h2_out.c */
void h2_out_drop(struct h2_stream *s);

#endif
