#include "proxy/h2_host_rig.h"

#include <sys/socket.h>

#include "base/must.h"
#include "os/fd.h"

enum { SAID_MAX = 65536 };

static void on_stream(void *owner, struct h2_stream *s)
{
	struct h2_host_rig *r = owner;

	must(r->n_streams < H2_HOST_RIG_STREAMS_MAX);
	h2_stream_set_user(s, &r->streams[r->n_streams]);
	buf_init(&r->said[r->n_streams], SAID_MAX);
	r->streams[r->n_streams++] = s;
}

static void on_wake(void *owner, struct h2_stream *s)
{
	struct h2_stream **place = h2_stream_user(s);

	(void)owner;
	if (h2_stream_gone(s) == H2_OK)
		return;
	h2_stream_release(s);
	*place = NULL;
}

int h2_host_rig_start(struct h2_host_rig *r)
{
	static const struct h2_ops ops = { .on_stream = on_stream, .on_wake = on_wake };
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	*r = (struct h2_host_rig){ .fd = pair[0], .h2 = h2_server_new(&ops, r) };
	must(r->h2 != NULL);
	return pair[1];
}

static bool take(struct h2_host_rig *r)
{
	uint8_t in[65536];
	ssize_t n = recv(r->fd, in, sizeof(in), 0);

	r->ended = r->ended || n == 0;
	if (n > 0)
		(void)h2_feed(r->h2, bytes_of(in, (size_t)n), 1000);
	for (size_t i = 0; i < r->n_streams; i++) {
		if (r->said[i].len > SAID_MAX / 2) /* it is only counted */
			buf_reset(&r->said[i]);
		if (r->streams[i])
			r->taken += h2_stream_read(r->streams[i], &r->said[i], SAID_MAX);
	}
	return n > 0;
}

bool h2_host_rig_move(struct h2_host_rig *r)
{
	struct buf out BUF_AUTO = { 0 };
	bool moved;

	if (r->fd < 0 || r->silent)
		return false;
	moved = take(r);
	buf_init(&out, 1 << 20);
	h2_take(r->h2, &out, out.max);
	if (out.len)
		(void)send(r->fd, out.p, out.len, MSG_NOSIGNAL);
	return moved || out.len;
}

void h2_host_rig_answer(struct h2_host_rig *r, size_t i, const char *text)
{
	must(i < r->n_streams && r->streams[i]);
	must(h2_stream_write(r->streams[i], bytes_str(text)) == strlen(text));
}

void h2_host_rig_frame(struct h2_host_rig *r, uint8_t type, uint32_t id, struct bytes payload)
{
	struct buf out BUF_AUTO = { 0 };

	buf_init(&out, 1024);
	(void)buf_byte(&out, 0);
	(void)buf_u16be(&out, (uint16_t)payload.len);
	(void)buf_byte(&out, type);
	(void)buf_byte(&out, 0);
	(void)buf_u32be(&out, id);
	must(buf_bytes(&out, payload));
	must(send(r->fd, out.p, out.len, MSG_NOSIGNAL) == (ssize_t)out.len);
}

void h2_host_rig_leave(struct h2_host_rig *r)
{
	r->fd = fd_close(r->fd);
}

void h2_host_rig_end(struct h2_host_rig *r)
{
	h2_host_rig_leave(r);
	for (size_t i = 0; i < r->n_streams; i++) {
		buf_deinit(&r->said[i]);
		if (r->streams[i])
			h2_stream_release(r->streams[i]);
	}
	r->h2 = h2_free(r->h2);
}

struct h2_host_key h2_host_rig_key(void)
{
	struct h2_host_key k = { .port = 80, .generation = 1 };

	must(name_parse(bytes_str("good.example"), &k.name) == NAME_OK);
	return k;
}
