#include "net/http_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "os/fd.h"

enum { READ_SIZE = 16 * 1024, INTERIM_MAX = 8 };

void http_client_init(struct http_client *c, int fd, const char *host)
{
	*c = (struct http_client){ .fd = fd, .host = host, .keep = true };
	buf_init(&c->in, HTTP1_HEAD_LEN_MAX + READ_SIZE);
}

void http_client_deinit(struct http_client *c)
{
	c->fd = fd_close(c->fd);
	buf_deinit(&c->in);
}

static int refuse_text(struct bytes s, const char *what, struct err *e)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return err_set(e, EINVAL, "the request's %s holds a byte that must be escaped", what);
	return 0;
}

static int send_all(struct http_client *c, struct bytes data, struct err *e)
{
	while (data.len) {
		ssize_t n = send(c->fd, data.p, data.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0; /* the server answered early and closed: its answer says why */
		if (n < 0)
			return err_sys(e, errno, "send the request");
		data = bytes_skip(data, (size_t)n);
	}
	return 0;
}

static int send_request(struct http_client *c, const struct http_client_request *r, struct err *e)
{
	struct buf head BUF_AUTO = { 0 };
	int ret = refuse_text(bytes_str(r->target), "target", e);

	if (ret < 0)
		return ret;
	buf_init(&head, HTTP1_HEAD_LEN_MAX);
	(void)buf_fmt(&head, "%s %s HTTP/1.1\r\nHost: %s\r\n", r->method, r->target, c->host);
	if (r->upgrade)
		(void)buf_fmt(&head, "Connection: Upgrade\r\nUpgrade: %s\r\n", r->upgrade);
	if (r->content_type)
		(void)buf_fmt(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->content_type, r->body.len);
	if (!buf_str(&head, "\r\n"))
		return err_set(e, EINVAL, "the request's target is too long");
	ret = send_all(c, buf_view(&head), e);
	return ret < 0 || !r->content_type ? ret : send_all(c, r->body, e);
}

/* More bytes into c->in. 1, 0 at the end of the connection, or a negative errno. */
static int receive(struct http_client *c, struct err *e)
{
	uint8_t *room = buf_room(&c->in, READ_SIZE);
	ssize_t n;

	if (!room)
		return err_set(e, ENOMEM, "out of memory for the answer");
	do {
		n = recv(c->fd, room, READ_SIZE, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return err_set(e, EAGAIN, "the answer did not come in time");
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		return err_sys(e, errno, "read the answer");
	buf_grew(&c->in, (size_t)n);
	return n > 0;
}

/* One head, taken off c->in. */
static int read_head(struct http_client *c, struct http1_head *ret, struct buf *text, struct err *e)
{
	struct http1_scan scan = { 0 };
	struct http1_scan again = { 0 };
	enum http1_fault fault;
	enum http1_answer answer;
	size_t len = 0;

	while ((answer = http1_response_head(&scan, buf_view(&c->in), ret, &len, &fault)) == HTTP1_MORE) {
		int r = receive(c, e);

		if (r < 0)
			return r;
		if (r == 0)
			return err_set(e, ECONNRESET, "the server closed the connection before its answer");
	}
	if (answer == HTTP1_BAD)
		return err_set(e, EPROTO, "the server's answer is not HTTP/1.1");
	buf_reset(text);
	if (!buf_add(text, c->in.p, len))
		return err_set(e, ENOMEM, "out of memory for the answer");
	buf_consume(&c->in, len);
	(void)http1_response_head(&again, buf_view(text), ret, &len, &fault);
	return 0;
}

static void copy_text(struct bytes from, char *to, size_t size)
{
	to[0] = '\0';
	if (from.len < size) {
		if (from.len)
			memcpy(to, from.p, from.len);
		to[from.len] = '\0';
	}
}

int http_client_call(struct http_client *c, const struct http_client_request *r, struct http_client_answer *ret,
		     struct err *e)
{
	struct http1_head *head = NULL;
	struct buf text BUF_AUTO = { 0 };
	struct http1_length length = { 0 };
	enum http1_fault fault;
	struct bytes value = { 0 };
	int interim = 0;
	int err;

	must(!c->in_body);
	if (c->fd < 0 || !c->keep)
		return err_set(e, ENOTCONN, "the connection to the server is closed");
	c->keep = false;
	err = send_request(c, r, e);
	if (err < 0)
		return err;
	head = malloc(sizeof(*head));
	if (!head)
		return err_set(e, ENOMEM, "out of memory for the answer");
	buf_init(&text, HTTP1_HEAD_LEN_MAX);
	do {
		err = read_head(c, head, &text, e);
	} while (err == 0 && head->status < 200 && head->status != 101 && ++interim <= INTERIM_MAX);
	if (err == 0 && (interim > INTERIM_MAX || (head->status == 101 && !r->upgrade) ||
			 !http1_response_length(head, strcmp(r->method, "HEAD") == 0, &length, &fault)))
		err = err_set(e, EPROTO, "the server's answer is malformed");
	if (err == 0) {
		*ret = (struct http_client_answer){ .status = head->status };
		if (http1_find(head, "content-type", &value))
			copy_text(value, ret->content_type, sizeof(ret->content_type));
		value = (struct bytes){ 0 };
		if (http1_find(head, "upgrade", &value))
			copy_text(value, ret->upgrade, sizeof(ret->upgrade));
		c->keep = length.keep;
		c->in_body = length.framing != HTTP1_NO_BODY && (length.framing != HTTP1_LENGTH || length.len > 0);
		http1_body_init(&c->body, length.framing, length.len);
	}
	free(head);
	return err;
}

int http_client_read(struct http_client *c, struct bytes *ret, struct err *e)
{
	enum http1_fault fault;
	enum http1_answer answer;

	buf_consume(&c->in, c->given);
	c->given = 0;
	while (c->in_body) {
		int r = 1;

		answer = http1_body_next(&c->body, buf_view(&c->in), &c->given, ret, &fault);
		if (answer == HTTP1_BAD)
			return err_set(e, EPROTO, "the server's answer has a malformed chunk");
		c->in_body = answer != HTTP1_DONE;
		if (ret->len)
			return 1;
		buf_consume(&c->in, c->given);
		c->given = 0;
		if (c->in_body && !c->in.len)
			r = receive(c, e);
		if (r < 0)
			return r;
		if (r == 0 && c->body.framing != HTTP1_UNTIL_CLOSE)
			return err_set(e, ECONNRESET, "the server closed the connection in the middle of its answer");
		c->in_body = c->in_body && r > 0;
	}
	return 0;
}

int http_client_read_all(struct http_client *c, struct buf *out, struct err *e)
{
	struct bytes piece;
	int r;

	while ((r = http_client_read(c, &piece, e)) > 0)
		if (!buf_bytes(out, piece))
			return err_set(e, EFBIG, "the server's answer is longer than expected");
	return r;
}

int http_client_upgraded(struct http_client *c, struct buf *rest, struct err *e)
{
	must(!c->in_body);
	if (!buf_bytes(rest, buf_view(&c->in)))
		return err_set(e, EFBIG, "the server sent too much at once behind its switch");
	buf_deinit(&c->in);
	return fd_take(&c->fd);
}
