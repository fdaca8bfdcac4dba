#include "net/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/must.h"
#include "os/fd.h"
#include "wire/http1_body.h"
#include "wire/http1_target.h"

/* One request at a time: while an answer is owed nothing is read, so a pipelined request waits in the kernel or in `in`. Every
 * step that an answer makes possible is put off to the end of the turn; nothing recurses, however much a peer pipelines.
 *
 *   HEAD -> BODY -> OWED -> (STREAM ->) HEAD ...          CLOSING: the last bytes go out, then LINGER: the peer reads them
 *
 * The head is copied to `head_text` once complete, and taken apart there: its views stay good while the body arrives. */

enum phase { HEAD, BODY, OWED, STREAM, CLOSING, LINGER, UPGRADING, DEAD };

enum { READ_SIZE = 16 * 1024 };

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

static void step(struct loop_later *l);
static void late(struct loop_timer *t);

static void schedule(struct http_server *s)
{
	loop_later(s->loop, &s->later, step, s);
}

static void deadline(struct http_server *s, uint64_t ms)
{
	if (!loop_timer_arm(s->loop, &s->timer, ms, late, s)) {
		s->phase = DEAD;
		schedule(s);
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
static void end(struct http_server *s)
{
	loop_io_remove(&s->io);
	loop_timer_disarm(&s->timer);
	s->phase = DEAD;
	schedule(s);
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
		deadline(s, s->in.len ? HTTP_SERVER_HEAD_MS : HTTP_SERVER_IDLE_MS);
	else if (s->phase == OWED || s->phase == STREAM)
		loop_timer_disarm(&s->timer); /* our own slowness is not the peer's */
	if (s->phase == CLOSING || s->phase == UPGRADING || s->drain_wanted)
		schedule(s);
}

static void flush(struct http_server *s)
{
	while (s->out.len && s->phase != DEAD) {
		ssize_t n = send(s->fd, s->out.p, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			end(s);
			return;
		}
		if (n < 0)
			break;
		buf_consume(&s->out, (size_t)n);
		deadline(s, HTTP_SERVER_STALL_MS);
	}
	if (s->out.len == 0)
		flushed(s);
	want(s);
}

static void forget_request(struct http_server *s)
{
	buf_deinit(&s->head_text);
	buf_deinit(&s->target);
	buf_deinit(&s->content);
	s->scan = (struct http1_scan){ 0 };
	s->request = (struct http_server_request){ 0 };
}

/* The answer is whole: the next request, or the end. */
static void answered(struct http_server *s)
{
	forget_request(s);
	s->phase = s->keep ? HEAD : CLOSING;
	deadline(s, HTTP_SERVER_STALL_MS);
	flush(s);
	schedule(s);
}

static bool clean(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] < 0x20 || value.p[i] == 0x7f)
			return false;
	return true;
}

static void put_status(struct http_server *s, unsigned status, const char *content_type)
{
	(void)buf_fmt(&s->out, "HTTP/1.1 %u %s\r\n", status, http1_phrase(status));
	if (content_type)
		(void)buf_fmt(&s->out, "Content-Type: %s\r\n", content_type);
	if (!s->keep)
		(void)buf_str(&s->out, "Connection: close\r\n");
}

void http_server_answer_with(struct http_server *s, unsigned status, const char *content_type, struct bytes body,
			     const struct http1_field *extra, size_t n_extra)
{
	if (s->phase == DEAD) /* the peer went away meanwhile; on_end is on its way */
		return;
	must(s->phase == OWED);
	put_status(s, status, content_type);
	for (size_t i = 0; i < n_extra; i++) {
		must(http1_is_token(extra[i].name) && clean(extra[i].value));
		(void)buf_bytes(&s->out, extra[i].name);
		(void)buf_str(&s->out, ": ");
		(void)buf_bytes(&s->out, extra[i].value);
		(void)buf_str(&s->out, "\r\n");
	}
	if (status != 204)
		(void)buf_fmt(&s->out, "Content-Length: %zu\r\n", content_type ? body.len : 0);
	(void)buf_str(&s->out, "\r\n");
	if (content_type && !s->to_head)
		(void)buf_bytes(&s->out, body);
	if (s->out.failed)
		end(s);
	else
		answered(s);
}

void http_server_answer(struct http_server *s, unsigned status, const char *content_type, struct bytes body)
{
	http_server_answer_with(s, status, content_type, body, NULL, 0);
}

/* A refusal of our own, before any request was handed out: the connection is of no further use. */
static void refuse(struct http_server *s, unsigned status)
{
	struct buf text BUF_AUTO = { 0 };
	struct json_out j;

	buf_init(&text, 1024);
	json_out_init(&j, &text);
	json_out_object(&j);
	json_out_key_str(&j, "type", "about:blank");
	json_out_key_str(&j, "title", http1_phrase(status));
	json_out_key_u64(&j, "status", status);
	json_out_object_end(&j);
	s->keep = false;
	s->to_head = false;
	s->phase = OWED;
	http_server_answer(s, status, "application/problem+json", buf_view(&text));
}

void http_server_stream(struct http_server *s, unsigned status, const char *content_type)
{
	if (s->phase == DEAD) /* the peer went away meanwhile; on_end is on its way */
		return;
	must(s->phase == OWED);
	put_status(s, status, content_type);
	(void)buf_str(&s->out, "Transfer-Encoding: chunked\r\n\r\n");
	s->phase = STREAM;
	flush(s);
}

bool http_server_write(struct http_server *s, struct bytes data)
{
	must(s->phase == STREAM || s->phase == DEAD);
	if (s->phase == DEAD || s->to_head || data.len == 0)
		return true;
	s->drain_wanted = true;
	if (data.len > HTTP_SERVER_BACKLOG_MAX - s->out.len)
		return false;
	(void)buf_fmt(&s->out, "%zx\r\n", data.len);
	(void)buf_bytes(&s->out, data);
	(void)buf_str(&s->out, "\r\n");
	if (s->out.failed)
		end(s);
	else
		flush(s);
	return true;
}

size_t http_server_backlog(const struct http_server *s)
{
	return s->out.len;
}

void http_server_stream_end(struct http_server *s)
{
	must(s->phase == STREAM || s->phase == DEAD);
	if (s->phase == DEAD)
		return;
	s->drain_wanted = false;
	if (!s->to_head)
		(void)buf_str(&s->out, "0\r\n\r\n");
	answered(s);
}

void http_server_upgrade(struct http_server *s, const char *protocol)
{
	if (s->phase == DEAD) /* the peer went away meanwhile; on_end is on its way */
		return;
	must(s->phase == OWED && s->request.upgrade.len && s->ops->on_upgraded);
	(void)buf_fmt(&s->out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol);
	s->phase = UPGRADING;
	flush(s);
	schedule(s);
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
	struct bytes expect;

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
		refuse(s, http1_fault_status(fault));
		return false;
	case HTTP1_DONE:
		break;
	}
	if (!buf_add(&s->head_text, s->in.p, len)) {
		refuse(s, 503);
		return false;
	}
	buf_consume(&s->in, len);
	must(http1_request_head(&again, buf_view(&s->head_text), &s->head, &len, &fault) == HTTP1_DONE);
	status = begin(s);
	if (status) {
		refuse(s, status);
		return false;
	}
	s->phase = BODY;
	deadline(s, HTTP_SERVER_STALL_MS);
	flush(s);
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
			refuse(s, answer == HTTP1_BAD ? http1_fault_status(fault) : 413);
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
		deadline(s, HTTP_SERVER_LINGER_MS);
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
		refuse(s, 408);
	else
		end(s);
}

static void readable(struct http_server *s)
{
	bool first = s->phase == HEAD && s->in.len == 0;
	uint8_t *room = buf_room(&s->in, READ_SIZE);
	ssize_t n;

	if (!room) {
		end(s);
		return;
	}
	n = recv(s->fd, room, READ_SIZE, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		end(s);
		return;
	}
	if (n < 0 || s->phase == LINGER)
		return;
	buf_grew(&s->in, (size_t)n);
	if (first || s->phase == BODY)
		deadline(s, first ? HTTP_SERVER_HEAD_MS : HTTP_SERVER_STALL_MS);
	process(s);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct http_server *s = io->owner;

	if (events & EPOLLOUT)
		flush(s);
	if (s->phase != DEAD && (events & EPOLLIN) && (s->phase == HEAD || s->phase == BODY || s->phase == LINGER))
		readable(s);
	else if (s->phase != DEAD && (events & (EPOLLHUP | EPOLLERR)))
		end(s);
}

int http_server_new(struct loop *l, int fd, size_t body_max, const struct http_server_ops *ops, void *owner,
		    struct http_server **ret, struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int r = s ? 0 : err_set(e, ENOMEM, "out of memory for a connection");

	if (s) {
		*s = (struct http_server){ .loop = l, .fd = fd, .ops = ops, .owner = owner, .keep = true };
		buf_init(&s->in, HTTP1_HEAD_LEN_MAX + READ_SIZE);
		buf_init(&s->out, SIZE_MAX / 4);
		buf_init(&s->head_text, HTTP1_HEAD_LEN_MAX);
		buf_init(&s->target, (size_t)3 * HTTP1_LINE_MAX);
		buf_init(&s->content, body_max);
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
