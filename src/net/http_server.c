#include "net/http_server_session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "os/fd.h"
#include "wire/http1_target.h"

/* One request at a time: while an answer is owed nothing is read, so a pipelined request waits in the kernel or in `in`. Every
 * step that an answer makes possible is put off to the end of the turn; nothing recurses, however much a peer pipelines.
 *
 *   HEAD -> BODY -> OWED -> (STREAM ->) HEAD ...          CLOSING: the last bytes go out, then LINGER: the peer reads them
 *
 * The head is copied to `head_text` once complete, and taken apart there: its views stay good while the body arrives. */

enum { READ_SIZE = 16 * 1024 };

static void step(struct loop_later *l);
static void late(struct loop_timer *t);

void http_server_schedule(struct http_server *s)
{
	loop_later(s->loop, &s->later, step, s);
}

void http_server_deadline(struct http_server *s, uint64_t ms)
{
	if (!loop_timer_arm(s->loop, &s->timer, ms, late, s)) {
		s->phase = DEAD;
		http_server_schedule(s);
	}
}

/* The descriptor and the memory go; nothing of the object is touched by the loop any more. */
static void release(struct http_server *s)
{
	loop_later_cancel(&s->later);
	loop_timer_disarm(&s->timer);
	loop_io_remove(&s->io);
	s->fd = fd_close(s->fd);
	buf_deinit(&s->in);
	buf_deinit(&s->out);
	buf_deinit(&s->head_text);
	buf_deinit(&s->target);
	buf_deinit(&s->content);
	free(s);
}

/* The end is told at the end of the turn, since a callback of the owner may be on the stack. */
void http_server_fail(struct http_server *s)
{
	loop_io_remove(&s->io);
	loop_timer_disarm(&s->timer);
	s->phase = DEAD;
	http_server_schedule(s);
}

static void want(struct http_server *s)
{
	uint32_t events = s->phase == HEAD || s->phase == BODY || s->phase == LINGER ? (uint32_t)EPOLLIN : 0;

	if (s->io.loop)
		loop_io_want(&s->io, events | (s->out.len ? (uint32_t)EPOLLOUT : 0));
}

/* Nothing waits for the peer any more: what the clock measures now. */
static void flushed(struct http_server *s)
{
	if (s->phase == HEAD)
		http_server_deadline(s, s->in.len ? HTTP_SERVER_HEAD_MS : HTTP_SERVER_IDLE_MS);
	else if (s->phase == OWED || s->phase == STREAM)
		loop_timer_disarm(&s->timer); /* our own slowness is not the peer's */
	if (s->phase == CLOSING || s->phase == UPGRADING || s->drain_wanted)
		http_server_schedule(s);
}

void http_server_flush(struct http_server *s)
{
	while (s->out.len && s->phase != DEAD) {
		ssize_t n = send(s->fd, s->out.p, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			http_server_fail(s);
			return;
		}
		if (n < 0)
			break;
		buf_consume(&s->out, (size_t)n);
		http_server_deadline(s, HTTP_SERVER_STALL_MS);
	}
	if (s->out.len == 0)
		flushed(s);
	want(s);
}

/* One protocol, asked for by both fields (RFC 9110, 7.8), on a request without a body. */
static struct bytes asked_upgrade(const struct http1_head *h)
{
	struct bytes protocol = { 0 };
	struct bytes member;
	struct http1_list at = { 0 };

	if (http1_find(h, "upgrade", &protocol) != 1 || !http1_is_token(protocol))
		return (struct bytes){ 0 };
	while (http1_list_next(h, "connection", &at, &member))
		if (bytes_ieq(member, bytes_str("upgrade")))
			return protocol;
	return (struct bytes){ 0 };
}

static bool asks_to_close(const struct http1_head *h)
{
	struct http1_list at = { 0 };
	struct bytes member;

	while (http1_list_next(h, "connection", &at, &member))
		if (bytes_ieq(member, bytes_str("close")))
			return true;
	return false;
}

/* 0 with s->request begun and s->body set up, or the status of the refusal. */
static unsigned begin(struct http_server *s)
{
	const struct http1_head *h = &s->head;
	struct http1_length length;
	struct http1_target t;
	enum http1_fault fault = HTTP1_FAULT_NONE;
	struct bytes expect = { 0 };

	if (h->minor != 1)
		return 505;
	if (http1_find(h, "host", NULL) != 1)
		return 400;
	if (!http1_request_length(h, &length, &fault))
		return http1_fault_status(fault);
	fault = http1_target_canon(h->target, true, &s->target, &t);
	if (fault != HTTP1_FAULT_NONE)
		return http1_fault_status(fault);
	if (length.len > s->content.max)
		return 413;
	if (http1_find(h, "expect", &expect) && !bytes_ieq(expect, bytes_str("100-continue")))
		return 417;
	if (expect.len && length.framing != HTTP1_NO_BODY && s->in.len == 0)
		(void)buf_str(&s->out, "HTTP/1.1 100 Continue\r\n\r\n");
	s->keep = !asks_to_close(h);
	s->to_head = bytes_is(h->method, "HEAD");
	s->request = (struct http_server_request){
		.method = h->method,
		.path = bytes_of(s->target.p, t.path_len),
		.has_query = t.has_query,
		.query = t.has_query ? bytes_of(s->target.p + t.path_len + 1, t.query_len) : (struct bytes){ 0 },
		.upgrade = length.framing == HTTP1_NO_BODY ? asked_upgrade(h) : (struct bytes){ 0 },
		.head = h,
	};
	(void)http1_find(h, "content-type", &s->request.content_type);
	http1_body_init(&s->body, length.framing, length.len);
	return 0;
}

/* True: there may be more to do at once. */
static bool read_head(struct http_server *s)
{
	struct http1_scan again = { 0 };
	enum http1_fault fault = HTTP1_FAULT_NONE;
	unsigned status;
	size_t len;

	switch (http1_request_head(&s->scan, buf_view(&s->in), &s->head, &len, &fault)) {
	case HTTP1_MORE:
		return false;
	case HTTP1_BAD:
		http_server_refuse(s, http1_fault_status(fault));
		return false;
	case HTTP1_DONE:
		break;
	}
	if (!buf_add(&s->head_text, s->in.p, len)) {
		http_server_refuse(s, 503);
		return false;
	}
	buf_consume(&s->in, len);
	must(http1_request_head(&again, buf_view(&s->head_text), &s->head, &len, &fault) == HTTP1_DONE);
	status = begin(s);
	if (status) {
		http_server_refuse(s, status);
		return false;
	}
	s->phase = BODY;
	http_server_deadline(s, HTTP_SERVER_STALL_MS);
	http_server_flush(s);
	return s->phase == BODY;
}

static void read_body(struct http_server *s)
{
	enum http1_fault fault = HTTP1_FAULT_NONE;
	enum http1_answer answer;
	struct bytes data;
	size_t used;

	do {
		answer = http1_body_next(&s->body, buf_view(&s->in), &used, &data, &fault);
		if (answer == HTTP1_BAD || !buf_bytes(&s->content, data)) {
			http_server_refuse(s, answer == HTTP1_BAD ? http1_fault_status(fault) : 413);
			return;
		}
		buf_consume(&s->in, used);
	} while (answer == HTTP1_MORE && s->in.len);
	if (answer == HTTP1_MORE)
		return;
	s->phase = OWED;
	loop_timer_disarm(&s->timer);
	want(s);
	s->request.body = buf_view(&s->content);
	s->ops->on_request(s, &s->request, s->owner);
}

static void process(struct http_server *s)
{
	if (s->phase == HEAD && s->in.len && read_head(s))
		read_body(s);
	else if (s->phase == BODY)
		read_body(s);
	else if (s->phase == HEAD && !s->in.len)
		buf_deinit(&s->in);
}

static void hand_over(struct http_server *s)
{
	const struct http_server_ops *ops = s->ops;
	void *owner = s->owner;
	struct buf rest BUF_AUTO = s->in;
	int fd;

	buf_init(&s->in, 0);
	loop_io_remove(&s->io);
	fd = fd_take(&s->fd);
	release(s);
	ops->on_upgraded(fd, buf_view(&rest), owner);
}

/* What was put off to the end of the turn. */
static void step(struct loop_later *l)
{
	struct http_server *s = l->owner;

	if (s->phase == DEAD) {
		const struct http_server_ops *ops = s->ops;
		void *owner = s->owner;

		release(s);
		ops->on_end(owner);
	} else if (s->phase == UPGRADING && s->out.len == 0) {
		hand_over(s);
	} else if (s->phase == CLOSING && s->out.len == 0) {
		(void)shutdown(s->fd, SHUT_WR);
		s->phase = LINGER;
		http_server_deadline(s, HTTP_SERVER_LINGER_MS);
		want(s);
	} else if (s->phase == STREAM && s->drain_wanted && s->out.len == 0) {
		s->drain_wanted = false;
		if (s->ops->on_drained)
			s->ops->on_drained(s, s->owner);
	} else {
		process(s);
	}
}

static void late(struct loop_timer *t)
{
	struct http_server *s = t->owner;

	if ((s->phase == HEAD && s->in.len && s->out.len == 0) || s->phase == BODY)
		http_server_refuse(s, 408);
	else
		http_server_fail(s);
}

static void readable(struct http_server *s)
{
	bool first = s->phase == HEAD && s->in.len == 0;
	uint8_t *room = buf_room(&s->in, READ_SIZE);
	ssize_t n;

	if (!room) {
		http_server_fail(s);
		return;
	}
	n = recv(s->fd, room, READ_SIZE, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		http_server_fail(s);
		return;
	}
	if (n < 0 || s->phase == LINGER)
		return;
	buf_grew(&s->in, (size_t)n);
	if (first || s->phase == BODY)
		http_server_deadline(s, first ? HTTP_SERVER_HEAD_MS : HTTP_SERVER_STALL_MS);
	process(s);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct http_server *s = io->owner;

	if (events & EPOLLOUT)
		http_server_flush(s);
	if (s->phase != DEAD && (events & EPOLLIN) && (s->phase == HEAD || s->phase == BODY || s->phase == LINGER))
		readable(s);
	else if (s->phase != DEAD && (events & (EPOLLHUP | EPOLLERR)))
		http_server_fail(s);
}

int http_server_new(struct loop *l, int fd, size_t body_max, const struct http_server_ops *ops, void *owner,
		    struct http_server **ret, struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int r = s ? 0 : err_set(e, ENOMEM, "out of memory for a connection");

	if (s) {
		*s = (struct http_server){ .loop = l, .fd = fd, .ops = ops, .owner = owner, .keep = true };
		/* A body may be a secret: nothing of it stays in memory once it was answered. */
		buf_init_wiping(&s->in, HTTP1_HEAD_LEN_MAX + READ_SIZE);
		buf_init(&s->out, SIZE_MAX / 4);
		buf_init(&s->head_text, HTTP1_HEAD_LEN_MAX);
		buf_init(&s->target, (size_t)3 * HTTP1_LINE_MAX);
		buf_init_wiping(&s->content, body_max);
		r = loop_io_add(l, &s->io, fd, EPOLLIN, on_io, s, e);
	}
	if (r == 0 && !loop_timer_arm(l, &s->timer, HTTP_SERVER_IDLE_MS, late, s))
		r = err_set(e, ENOMEM, "out of memory for a timer");
	if (r < 0) {
		if (s)
			release(s);
		else
			(void)fd_close(fd);
		return r;
	}
	*ret = s;
	return 0;
}

struct http_server *http_server_free(struct http_server *s)
{
	if (s)
		release(s);
	return NULL;
}

int http_server_fd(const struct http_server *s)
{
	return s->fd;
}
