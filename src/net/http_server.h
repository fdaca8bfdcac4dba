/* One HTTP/1.1 connection as its server: whole requests in, answers out, streams, and hand-over by Upgrade. */
#ifndef SAW_NET_HTTP_SERVER_H
#define SAW_NET_HTTP_SERVER_H

#include "base/buf.h"
#include "os/loop.h"
#include "wire/http1_head.h"

enum {
	HTTP_SERVER_HEAD_MS = 10000, /* from the first byte of a request to the end of its head */
	HTTP_SERVER_IDLE_MS = 75000, /* a kept connection without a request */
	HTTP_SERVER_STALL_MS = 60000, /* a body that does not go on, or a peer that reads nothing of what waits for it */
	HTTP_SERVER_LINGER_MS = 2000, /* after the last answer: time for the peer to read it */
	HTTP_SERVER_BACKLOG_MAX = 4 * 1024 * 1024, /* bytes that may wait for a slow reader */
};

struct http_server;

/* Views; they live until the answer has been given. */
struct http_server_request {
	struct bytes method;
	struct bytes path; /* canonical (wire/http1_target.h) */
	struct bytes query; /* without '?', canonical escapes */
	bool has_query;
	struct bytes body; /* whole, decoded, at most body_max */
	struct bytes content_type; /* empty when there is none */
	struct bytes upgrade; /* the one protocol that the peer asks to switch to; empty when none */
	const struct http1_head *head;
};

struct http_server_ops {
	/* A whole request. Answer it now or later, exactly once, with one of the functions below. */
	void (*on_request)(struct http_server *s, const struct http_server_request *r, void *owner);
	/* The 101 is on its way and the connection is yours: `fd` is given, non-blocking and no longer in the loop; `rest` are
	 * bytes that the peer sent behind its request (borrowed). `s` is gone. May be NULL when upgrades are never granted. */
	void (*on_upgraded)(int fd, struct bytes rest, void *owner);
	/* The connection is over, whatever the cause, also while an answer is owed: `s` is gone. Not called after http_server_free(). */
	void (*on_end)(void *owner);
	/* A stream's backlog is empty again after http_server_write() found it full or filling. May be NULL. */
	void (*on_drained)(struct http_server *s, void *owner);
};

/* Takes `fd` (connected, stream). `ops` and `owner` are borrowed. `body_max`: larger bodies are answered 413. On failure the fd
 * is closed. */
int http_server_new(struct loop *l, int fd, size_t body_max, const struct http_server_ops *ops, void *owner,
		    struct http_server **ret, struct err *e);
/* Ends it at once, from inside any callback too. Takes NULL, returns NULL. */
struct http_server *http_server_free(struct http_server *s);

int http_server_fd(const struct http_server *s); /* borrowed: for SO_PEERCRED */

/* A whole answer. `content_type` may be NULL (then there is no body). Extra fields are borrowed for the call; their values
 * come from us and are checked with must(). */
void http_server_answer(struct http_server *s, unsigned status, const char *content_type, struct bytes body);
void http_server_answer_with(struct http_server *s, unsigned status, const char *content_type, struct bytes body,
			     const struct http1_field *extra, size_t n_extra);
/* A streamed answer (chunked): begin, any number of writes, end. */
void http_server_stream(struct http_server *s, unsigned status, const char *content_type);
/* False when HTTP_SERVER_BACKLOG_MAX would be passed: nothing was taken; wait for on_drained, or http_server_free(). */
bool http_server_write(struct http_server *s, struct bytes data);
size_t http_server_backlog(const struct http_server *s);
void http_server_stream_end(struct http_server *s);
/* Grants r->upgrade: 101, then on_upgraded. */
void http_server_upgrade(struct http_server *s, const char *protocol);

#endif
