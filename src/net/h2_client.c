#include "net/h2_client.h"

#include "net/h2_session.h"

struct h2 *h2_client_new(const struct h2_ops *ops, void *owner)
{
	return h2_new(ops, owner, false, false);
}

struct h2 *h2_client_new_wiping(const struct h2_ops *ops, void *owner)
{
	return h2_new(ops, owner, false, true);
}

static size_t unread(const struct h2 *c)
{
	size_t sum = 0;

	for (const struct h2_stream *s = c->all; s; s = s->all.next)
		sum += s->in_data.len - s->in_data_off;
	return sum;
}

/* The host's first SETTINGS may not be here yet: nghttp2 assumes 100 then, as RFC 9113, 6.5.2 advises. */
size_t h2_client_room(const struct h2 *c)
{
	size_t allowed = nghttp2_session_get_remote_settings(
		c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	if (c->fault != H2_OK || c->eof || c->draining ||
	    !nghttp2_session_check_request_allowed(c->session) ||
	    unread(c) >= H2_CLIENT_WINDOW_ALL / 2)
		return 0;
	if (allowed > H2_STREAMS_MAX)
		allowed = H2_STREAMS_MAX;
	return c->n_streams < allowed ? allowed - c->n_streams : 0;
}

bool h2_client_greeted(const struct h2 *c)
{
	return c->greeted;
}

void h2_client_ping(struct h2 *c)
{
	(void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
	h2_output(c);
}

struct h2_stream *h2_client_open(struct h2 *c)
{
	struct h2_stream *s = h2_client_room(c) ? h2_stream_new(c) : NULL;

	if (s)
		h2_stream_offer(s);
	return s;
}
