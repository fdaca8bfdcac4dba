#include "net/h2_session.h"

#include <stdlib.h>

#include "base/must.h"

/* A stream is freed when its owner has released it and nghttp2 has said that it is closed; which comes first does not matter. Some are
 * kept for the next request, with the small buffers they have. */

enum { FRAME_MAX = 16384 }; /* RFC 9113, 6.5.2: we never say more */

static void link_in(struct h2_stream **list, struct h2_link *l, struct h2_stream *s, size_t off)
{
	l->next = *list;
	l->prev = list;
	if (l->next)
		((struct h2_link *)((char *)l->next + off))->prev = &l->next;
	*list = s;
}

static void link_out(struct h2_link *l, size_t off)
{
	if (!l->prev)
		return;
	*l->prev = l->next;
	if (l->next)
		((struct h2_link *)((char *)l->next + off))->prev = l->prev;
	*l = (struct h2_link){ 0 };
}

/* At the end: first come, first served. */
static void link_last(struct h2_stream **list, struct h2_link *l, struct h2_stream *s, size_t off)
{
	while (*list)
		list = &((struct h2_link *)((char *)*list + off))->next;
	link_in(list, l, s, off);
}

static void buffers_init(struct h2_stream *s, bool wipes)
{
	buf_init(&s->in_text, HTTP1_HEAD_LEN_MAX + HTTP1_TRAILERS_LEN_MAX + 64);
	buf_init(&s->in_data,
		 H2_CLIENT_WINDOW + FRAME_MAX); /* nghttp2 gives us the frame that overruns it */
	buf_init(&s->in_trailers, HTTP1_TRAILERS_LEN_MAX);
	(wipes ? buf_init_wiping : buf_init)(&s->out_head, HTTP1_HEAD_LEN_MAX);
	buf_init(&s->out_data, H2_OUT_MAX);
	buf_init(&s->out_trailers, HTTP1_TRAILERS_LEN_MAX);
}

static void buffers_deinit(struct h2_stream *s)
{
	buf_deinit(&s->in_text);
	buf_deinit(&s->in_data);
	buf_deinit(&s->in_trailers);
	buf_deinit(&s->out_head);
	buf_deinit(&s->out_data);
	buf_deinit(&s->out_trailers);
}

size_t h2_stream_holds(const struct h2_stream *s)
{
	return sizeof(*s) + s->in_text.cap + s->in_data.cap + s->in_trailers.cap + s->out_head.cap + s->out_data.cap +
	       s->out_trailers.cap;
}

void h2_stream_charge(struct h2_stream *s)
{
	held_set(&s->charged, h2_stream_holds(s));
}

static void rest_one(struct buf *b)
{
	if (b->cap > H2_POOL_KEEPS)
		buf_deinit(b);
	else
		buf_reset(b);
}

static struct h2_stream *from_pool(struct h2 *c)
{
	struct h2_stream *s = c->pool;
	struct h2_stream fresh;

	if (!s)
		return NULL;
	c->pool = s->all.next;
	c->n_pool--;
	fresh = (struct h2_stream){ .charged = s->charged,
				    .in_text = s->in_text,
				    .in_data = s->in_data,
				    .in_trailers = s->in_trailers,
				    .out_head = s->out_head,
				    .out_data = s->out_data,
				    .out_trailers = s->out_trailers };
	*s = fresh;
	return s;
}

struct h2_stream *h2_stream_new(struct h2 *c)
{
	struct h2_stream *s = from_pool(c);

	if (!s) {
		s = held_has(sizeof(*s)) ? calloc(1, sizeof(*s)) : NULL;
		if (!s)
			return NULL;
		buffers_init(s, c->heap.wipes);
		h2_stream_charge(s);
	}
	s->c = c;
	link_in(&c->all, &s->all, s, offsetof(struct h2_stream, all));
	c->n_streams++;
	return s;
}

static void unlink_all(struct h2_stream *s)
{
	link_out(&s->woken, offsetof(struct h2_stream, woken));
	link_out(&s->waiting, offsetof(struct h2_stream, waiting));
	if (s->all.prev)
		s->c->n_streams--;
	link_out(&s->all, offsetof(struct h2_stream, all));
}

void h2_stream_free(struct h2_stream *s)
{
	unlink_all(s);
	buffers_deinit(s);
	held_set(&s->charged, 0);
	free(s);
}

static void recycle(struct h2_stream *s)
{
	struct h2 *c = s->c;

	unlink_all(s);
	if (c->n_pool == H2_POOL_MAX) {
		h2_stream_free(s);
		return;
	}
	rest_one(&s->in_text);
	rest_one(&s->in_data);
	rest_one(&s->in_trailers);
	rest_one(&s->out_head);
	rest_one(&s->out_data);
	rest_one(&s->out_trailers);
	h2_stream_charge(s);
	s->all.next = c->pool;
	c->pool = s;
	c->n_pool++;
}

void h2_stream_settle(struct h2_stream *s)
{
	if (s->released && !s->open)
		recycle(s);
}

void h2_stream_wake(struct h2_stream *s)
{
	link_out(&s->waiting, offsetof(struct h2_stream, waiting));
	if (!s->woken.prev && !s->released)
		link_last(&s->c->woken, &s->woken, s, offsetof(struct h2_stream, woken));
}

void h2_stream_wait(struct h2_stream *s)
{
	if (!s->waiting.prev)
		link_last(&s->c->waiting, &s->waiting, s, offsetof(struct h2_stream, waiting));
}

void h2_stream_lose(struct h2_stream *s, enum h2_fault f)
{
	if (s->gone != H2_OK)
		return;
	s->gone = f;
	if (s->c->in_head == s)
		s->c->in_head = NULL;
	h2_in_drop(s);
	h2_out_drop(s);
	if (!s->offered && f < H2_BAD_PSEUDO) {
		/* nobody knows of it and nobody needs to: it must not count until the end of the turn */
		s->released = true;
		link_out(&s->woken, offsetof(struct h2_stream, woken));
	}
	h2_stream_wake(s);
}

static uint32_t reset_code(const struct h2_stream *s, enum h2_fault f)
{
	if (f >= H2_BAD_PSEUDO && f <= H2_TARGET_TOO_LONG)
		return NGHTTP2_PROTOCOL_ERROR;
	if (f == H2_MEMORY && s->c->server)
		return s->offered ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_REFUSED_STREAM;
	return s->c->server ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;
}

void h2_stream_reset(struct h2_stream *s, enum h2_fault f)
{
	struct h2 *c = s->c;

	if (s->gone != H2_OK)
		return;
	if (s->open)
		(void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, s->id,
						reset_code(s, f));
	h2_stream_lose(s, f);
	if (f >= H2_BAD_PSEUDO && f <= H2_TARGET_TOO_LONG &&
	    !h2_budget_pay(&c->budget, H2_COST_MALFORMED))
		h2_fail(c, H2_FLOOD_MALFORMED);
	h2_output(c);
}

void h2_stream_offer(struct h2_stream *s)
{
	must(!s->offered && !s->released);
	s->offered = true;
	s->c->n_offered++;
}

void h2_stream_release(struct h2_stream *s)
{
	struct h2 *c = s->c;
	bool unfinished = s->out_state != H2_OUT_DONE || (!c->server && !s->in_end);

	if (s->open && unfinished)
		h2_stream_reset(s, H2_OURS);
	h2_in_drop(s);
	s->c->n_offered -= s->offered && !s->released;
	s->released = true;
	link_out(&s->woken, offsetof(struct h2_stream, woken));
	link_out(&s->waiting, offsetof(struct h2_stream, waiting));
	h2_stream_settle(s);
	if (!c->server) /* there may be room for another, or none left to wait for */
		h2_output(c);
}

void h2_stream_refuse(struct h2_stream *s)
{
	struct h2 *c = s->c;

	if (s->open && s->gone == H2_OK)
		(void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_REFUSED_STREAM);
	h2_stream_lose(s, H2_OURS);
	h2_stream_release(s);
	h2_output(c);
}

enum h2_fault h2_stream_gone(const struct h2_stream *s)
{
	return s->gone;
}

uint32_t h2_stream_id(const struct h2_stream *s)
{
	return (uint32_t)s->id;
}

struct h2 *h2_stream_connection(const struct h2_stream *s)
{
	return s->c;
}

void h2_stream_set_user(struct h2_stream *s, void *user)
{
	s->user = user;
}

void *h2_stream_user(const struct h2_stream *s)
{
	return s->user;
}
