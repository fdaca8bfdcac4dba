#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/front/front.h"

/* One connection of the CLI: at most one call at a time. Its answer comes from core later; a connection that ends meanwhile leaves
 * nothing behind but a number that nobody knows any more. */

static void on_request(struct http_server *s, const struct http_server_request *r, void *owner)
{
	struct conn *c = owner;

	(void)s;
	c->events = c->streaming = c->follow = false;
	c->only[0] = '\0';
	if (c->denied) {
		conn_problem(c, &(struct sawd_problem){ .status = 403, .exit_code = 1, .code = "not_allowed",
							.detail = "this control plane belongs to another user",
							.remedy = "use your own: `saw up`" });
		return;
	}
	route_request(c, r);
}

static void on_upgraded(int fd, struct bytes rest, void *owner)
{
	struct conn *c = owner;

	c->http = NULL;
	tunnel_new(c->front, c, fd, fd_take(&c->guest_fd), rest);
	conn_free(c);
}

static void on_end(void *owner)
{
	struct conn *c = owner;

	c->http = NULL;
	if (c->guest_fd >= 0)
		tunnel_closed(c->front, c->tunnel_id, 0, 0, 0, "the client went away");
	conn_free(c);
}

static void on_drained(struct http_server *s, void *owner)
{
	struct conn *c = owner;

	(void)s;
	if (c->file_fd >= 0)
		stream_file_on(c);
}

static const struct http_server_ops ops = { .on_request = on_request, .on_upgraded = on_upgraded, .on_end = on_end,
					    .on_drained = on_drained };

void conn_free(struct conn *c)
{
	struct front *f = c->front;

	for (struct conn **at = &f->conns; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			f->n_conns--;
			break;
		}
	http_server_free(c->http);
	loop_timer_disarm(&c->poll);
	(void)fd_close(c->file_fd);
	(void)fd_close(c->guest_fd);
	buf_deinit(&c->body);
	free(c);
}

static bool is_ours(const struct front *f, int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == 0 || who.uid == f->uid);
}

static void on_accept_again(struct loop_timer *t)
{
	struct front *f = t->owner;

	loop_io_want(&f->listen_io, EPOLLIN);
}

void conn_accept(struct loop_io *io, uint32_t events)
{
	struct front *f = io->owner;
	int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err e = { 0 };
	struct conn *c;

	(void)events;
	/* It stands there still, and would be told of again and again. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) &&
	    loop_timer_arm(f->loop, &f->accept_again, FRONT_ACCEPT_AGAIN_MS, on_accept_again, f))
		loop_io_want(io, 0);
	if (fd < 0)
		return;
	c = f->n_conns < FRONT_CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		(void)fd_close(fd);
		return;
	}
	*c = (struct conn){ .front = f, .next = f->conns, .file_fd = -1, .guest_fd = -1, .denied = !is_ours(f, fd) };
	buf_init(&c->body, FRONT_ANSWER_MAX);
	f->conns = c;
	f->n_conns++;
	if (http_server_new(f->loop, fd, SAWD_BODY_MAX, &ops, c, &c->http, &e) < 0) {
		log_line("%s", e.text);
		conn_free(c);
	}
}

struct conn *conn_of(struct front *f, uint64_t req)
{
	struct conn *c = f->conns;

	while (c && (c->await == AWAIT_NOTHING || c->req != req))
		c = c->next;
	return c;
}

void conn_ask(struct conn *c, enum sawd_type type, enum await await, unsigned ok_status)
{
	c->req = ++c->front->next_req;
	c->await = await;
	c->ok_status = ok_status;
	msg_start(&front_out, (uint16_t)type);
	msg_u64(&front_out, c->req);
}

static void core_away(struct conn *c)
{
	conn_problem(c, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "unavailable",
						.detail = "the control plane's core is restarting", .remedy = "try again in a moment" });
}

void conn_send(struct conn *c)
{
	if (!c->front->core) {
		core_away(c);
		return;
	}
	chan_send(c->front->core, &front_out);
}

void conn_answer(struct conn *c, unsigned status, const struct buf *json)
{
	c->await = AWAIT_NOTHING;
	if (c->streaming) {
		/* Half an answer is out: the only honest end is a connection that breaks. The session notices it in the loop. */
		(void)shutdown(http_server_fd(c->http), SHUT_RDWR);
		return;
	}
	if (json && !json->failed)
		http_server_answer(c->http, status, status < 400 ? "application/json" : "application/problem+json", buf_view(json));
	else
		http_server_answer(c->http, json ? 500 : status, NULL, bytes_of(NULL, 0));
}

void conn_problem(struct conn *c, const struct sawd_problem *p)
{
	struct json_out j;
	struct buf b;

	buf_init(&b, 64 * 1024);
	json_out_init(&j, &b);
	render_problem(&j, p);
	json_out_object_end(&j);
	conn_answer(c, p->status, &b);
	buf_deinit(&b);
}

void conn_core_gone(struct front *f)
{
	tunnel_cut(f, NULL, NULL, "the control plane's core was restarted");
	for (struct conn *c = f->conns, *next; c; c = next) {
		next = c->next;
		if (c->streaming && (c->events || c->await != AWAIT_NOTHING))
			conn_free(c);
		else if (c->guest_fd >= 0)
			continue;
		else if (c->await != AWAIT_NOTHING)
			core_away(c);
	}
}
