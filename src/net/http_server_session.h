/* The inside of a server session: shared by http_server.c (what comes in) and http_server_answer.c (what goes out) only. */
#ifndef SAW_NET_HTTP_SERVER_SESSION_H
#define SAW_NET_HTTP_SERVER_SESSION_H

#include "net/http_server.h"
#include "wire/http1_body.h"

enum phase { HEAD, BODY, OWED, STREAM, CLOSING, LINGER, UPGRADING, DEAD };

struct http_server {
	struct loop *loop;
	struct loop_io io;
	struct loop_timer timer;
	struct loop_later later;
	int fd;
	const struct http_server_ops *ops;
	void *owner;
	enum phase phase;
	bool keep;
	bool to_head;
	bool drain_wanted;
	struct buf in;
	struct buf out;
	struct buf head_text;
	struct buf target;
	struct buf content;
	struct http1_scan scan;
	struct http1_head head;
	struct http1_body body;
	struct http_server_request request;
};

/* Does at the end of the turn what has become possible. */
void http_server_schedule(struct http_server *s);
void http_server_deadline(struct http_server *s, uint64_t ms);
/* The session is over; the owner is told at the end of the turn. */
void http_server_fail(struct http_server *s);
void http_server_flush(struct http_server *s);
/* A refusal of our own, before any request was handed out: the connection is of no further use. */
void http_server_refuse(struct http_server *s, unsigned status);

#endif
