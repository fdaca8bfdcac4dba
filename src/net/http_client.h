/* One HTTP/1.1 connection as its client, blocking: request, answer whole or in pieces, and hand-over by Upgrade. For the CLI. */
#ifndef SAW_NET_HTTP_CLIENT_H
#define SAW_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "wire/http1_body.h"

/* Fields are private to http_client.c, but `fd` may be polled. */
struct http_client {
	int fd; /* -1 when closed or handed over */
	const char *host;
	struct buf in;
	struct http1_body body;
	size_t given; /* at the front of `in`: handed out by the last read */
	bool in_body;
	bool keep;
};

struct http_client_request {
	const char *method;
	const char *target; /* origin-form, already escaped: text that is not is EINVAL */
	const char *content_type; /* NULL: no body */
	struct bytes body;
	const char *upgrade; /* protocol to ask for, or NULL */
};

struct http_client_answer {
	unsigned status;
	char content_type[128]; /* "" when there is none or it is longer */
	char upgrade[64]; /* of a 101 */
};

/* Takes `fd`, a connected blocking stream socket. A time limit is the socket's own (SO_RCVTIMEO, SO_SNDTIMEO). `host` goes into
 * the Host field and is borrowed. */
void http_client_init(struct http_client *c, int fd, const char *host);
/* Closes; safe twice. */
void http_client_deinit(struct http_client *c);
#define HTTP_CLIENT_AUTO __attribute__((cleanup(http_client_deinit)))

/* All return 0 or a negative errno with a sentence: -EPROTO malformed answer, -ECONNRESET closed too early, -EAGAIN too late. */

/* Sends the request and reads the answer's head; interim answers are skipped. The body of the answer before must have been read. */
int http_client_call(struct http_client *c, const struct http_client_request *r, struct http_client_answer *ret,
		     struct err *e);
/* The next piece of the body as it arrives (a view, good until the next call). 1: *ret has it. 0: the body is complete. */
int http_client_read(struct http_client *c, struct bytes *ret, struct err *e);
/* The whole rest of the body, appended to `out`; -EFBIG over its ceiling. */
int http_client_read_all(struct http_client *c, struct buf *out, struct err *e);
/* After a 101: gives the fd, and appends to `rest` what arrived behind the head already. */
int http_client_upgraded(struct http_client *c, struct buf *rest, struct err *e);

#endif
