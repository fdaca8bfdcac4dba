#include "net/http_server_session.h"

#include "base/json_out.h"
#include "base/must.h"

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
	http_server_deadline(s, HTTP_SERVER_STALL_MS);
	http_server_flush(s);
	http_server_schedule(s);
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
		http_server_fail(s);
	else
		answered(s);
}

void http_server_answer(struct http_server *s, unsigned status, const char *content_type, struct bytes body)
{
	http_server_answer_with(s, status, content_type, body, NULL, 0);
}

void http_server_refuse(struct http_server *s, unsigned status)
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
	http_server_flush(s);
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
		http_server_fail(s);
	else
		http_server_flush(s);
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
	http_server_flush(s);
	http_server_schedule(s);
}
