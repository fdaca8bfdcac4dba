/* A rig for tests of HTTP/2 connections: the test writes frames byte by byte and reads what comes back as text. */
#ifndef SAW_NET_H2_RIG_H
#define SAW_NET_H2_RIG_H

#include "net/h2.h"

enum { H2_RIG_STREAMS_MAX = 256, H2_RIG_TEXT_MAX = 4 * 1024 * 1024 };

/* RFC 9113, 6 */
enum h2_rig_type {
	H2_RIG_DATA,
	H2_RIG_HEADERS,
	H2_RIG_PRIORITY,
	H2_RIG_RST,
	H2_RIG_SETTINGS,
	H2_RIG_PUSH,
	H2_RIG_PING,
	H2_RIG_GOAWAY,
	H2_RIG_WINDOW,
	H2_RIG_CONTINUATION,
};
enum { H2_RIG_END = 1, H2_RIG_ACK = 1, H2_RIG_WHOLE = 4, H2_RIG_PADDED = 8 };

struct h2_rig_stream {
	struct h2_stream *s; /* NULL: released */
	struct buf text; /* what was read of it */
};

struct h2_rig {
	struct h2 *c;
	bool keep_unread; /* the owner reads only when told */
	bool keep_gone; /* and does not release what is gone */
	struct h2_rig_stream streams[H2_RIG_STREAMS_MAX];
	size_t n_streams;
	struct buf events; /* lines: "stream 1", "malformed 3: ...", "gone 5: ..." */
	struct buf in; /* frames being written */
	struct buf out; /* frames taken, not all told yet */
	struct buf seen; /* and told: one line each */
	void *inflater;
	uint64_t now_ms;
	unsigned n_wakes;
	unsigned n_secret; /* fields that enter no table */
	unsigned n_output;
};

/* With preface and SETTINGS exchanged, and nothing seen of it. */
void h2_rig_server(struct h2_rig *r);
void h2_rig_client(struct h2_rig *r);
void h2_rig_client_wiping(struct h2_rig *r);
/* Checks that nothing is held any more. */
void h2_rig_end(struct h2_rig *r);

/* Frames are gathered until h2_rig_feed(). */
void h2_rig_frame(struct h2_rig *r, enum h2_rig_type type, unsigned flags, uint32_t id,
		  struct bytes payload);
void h2_rig_u32(struct h2_rig *r, enum h2_rig_type type, uint32_t id,
		uint32_t value); /* RST, WINDOW */
void h2_rig_setting(struct h2_rig *r, uint16_t key, uint32_t value);
/* A header block, not compressed: "name=value" with '|' between. */
void h2_rig_block(struct buf *out, struct bytes fields);
void h2_rig_headers(struct h2_rig *r, uint32_t id, unsigned flags, const char *fields);
void h2_rig_data(struct h2_rig *r, uint32_t id, unsigned flags, const char *text);
enum h2_fault h2_rig_feed(struct h2_rig *r);

/* What was sent since the last look: "HEADERS 1 end :status=200|x=y", "DATA 1 5", "RST 1 1", "GOAWAY 0 11", "WINDOW 1 5" ... */
const char *h2_rig_seen(struct h2_rig *r);
const char *h2_rig_events(struct h2_rig *r);
/* What the i-th stream said since the last look. */
const char *h2_rig_said(struct h2_rig *r, size_t i);
void h2_rig_say(struct h2_rig *r, size_t i, const char *text);
void h2_rig_release(struct h2_rig *r, size_t i);
/* Client: a stream that asks `text`; gives its index. */
size_t h2_rig_ask(struct h2_rig *r, const char *text);

#define H2_RIG_GET ":method=GET|:scheme=https|:authority=good.example|:path=/ok"
#define H2_RIG_POST ":method=POST|:scheme=https|:authority=good.example|:path=/ok"

#endif
