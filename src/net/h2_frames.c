#include "net/h2_session.h"

/* nghttp2's callbacks. One that returns an error ends the connection; a stream ends by h2_stream_reset(). */

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int fail(struct h2 *c, enum h2_fault f)
{
	h2_fail(c, f);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static enum h2_fault price(const nghttp2_frame_hd *hd, int *ret_cost)
{
	*ret_cost = H2_COST_FRAME;
	switch (hd->type) {
	case NGHTTP2_SETTINGS:
		*ret_cost = hd->flags & NGHTTP2_FLAG_ACK ? H2_COST_FRAME : H2_COST_SETTINGS;
		return H2_FLOOD_SETTINGS;
	case NGHTTP2_PING:
		*ret_cost = H2_COST_PING;
		return H2_FLOOD_PING;
	case NGHTTP2_CONTINUATION:
		return H2_FLOOD_CONTINUATION;
	case NGHTTP2_DATA: /* when it turns out to be empty */
		*ret_cost = 0;
		return H2_FLOOD_EMPTY;
	default:
		return H2_FLOOD_FRAMES;
	}
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct h2 *c = user;
	int cost;
	enum h2_fault f = price(hd, &cost);

	(void)session;
	if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0) /* RFC 9113, 6.3; nghttp2 drops priorities unread */
		return fail(c, H2_PROTOCOL);
	return h2_budget_pay(&c->budget, cost) ? 0 : fail(c, f);
}

static int refuse(struct h2 *c, int32_t id)
{
	if (!h2_budget_pay(&c->budget, H2_COST_REFUSED))
		return fail(c, H2_FLOOD_RESET);
	(void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
	return 0;
}

/* Its connection stands and hears that it may ask again; its owner hears of each. */
static int refuse_for_memory(struct h2_stream *s)
{
	if (!h2_budget_pay(&s->c->budget, H2_COST_REFUSED))
		return fail(s->c, H2_FLOOD_RESET);
	h2_stream_reset(s, H2_MEMORY);
	return 0;
}

/* Every stream gets its turn: frames of one that has much to send would hold back the others' otherwise. */
static void share_fairly(struct h2 *c, int32_t id)
{
	nghttp2_extpri pri = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };

	(void)nghttp2_session_change_extpri_stream_priority(c->session, id, &pri, 1);
}

static int begin_request(struct h2 *c, int32_t id)
{
	struct h2_stream *s;

	if (c->draining || c->n_streams >= H2_STREAMS_MAX)
		return refuse(c, id);
	s = h2_stream_new(c);
	if (!s)
		return fail(c, H2_MEMORY);
	s->id = id;
	s->open = true;
	(void)nghttp2_session_set_stream_user_data(c->session, id, s);
	share_fairly(c, id);
	c->in_head = s;
	h2_head_begin(&c->head, H2_HEAD_REQUEST);
	return held_may_begin() ? 0 : refuse_for_memory(s);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *c = user;
	struct h2_stream *s;

	c->in_head = NULL;
	c->head.list_len = 0;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (c->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		return begin_request(c, frame->hd.stream_id);
	s = stream_of(session, frame->hd.stream_id);
	if (!s || s->gone != H2_OK)
		return 0;
	c->in_head = s;
	h2_head_begin(&c->head, c->server || s->in_head_done ? H2_HEAD_TRAILERS : H2_HEAD_ANSWER);
	c->head.to_head = !c->server && s->to_head;
	return 0;
}

static void take_field(struct h2 *c, struct bytes name, struct bytes value)
{
	if (!held_may_grow() && c->head.fault == H2_OK)
		c->head.fault = H2_MEMORY;
	h2_head_field(&c->head, name, value);
	h2_charge(c);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *user)
{
	struct h2 *c = user;

	(void)session;
	(void)frame;
	(void)flags;
	if (!c->in_head)
		c->head.list_len += name_len + value_len;
	else
		take_field(c, bytes_of(name, name_len), bytes_of(value, value_len));
	return c->head.list_len > H2_LIST_MAX ? fail(c, H2_FLOOD_HEADERS) : 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p,
			 size_t len, void *user)
{
	struct h2 *c = user;
	struct h2_stream *s = stream_of(session, id);

	(void)flags;
	if (s)
		h2_in_data(s, bytes_of(p, len));
	else
		(void)nghttp2_session_consume(session, id, len);
	return c->fault == H2_OK ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_data_frame(struct h2 *c, const nghttp2_frame *frame)
{
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct h2_stream *s = stream_of(c->session, frame->hd.stream_id);
	size_t len = frame->hd.length - frame->data.padlen;

	if (len >= H2_CONTENT_SMALL)
		h2_budget_earn(&c->budget, H2_EARN_CONTENT);
	else if (!len && !end && !h2_budget_pay(&c->budget, H2_COST_EMPTY))
		return fail(c, H2_FLOOD_EMPTY);
	if (s && end)
		h2_in_end(s);
	return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *c = user;
	struct h2_stream *s;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		s = c->in_head;
		c->in_head = NULL;
		if (s && s->gone == H2_OK)
			h2_in_head(s, frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
		break;
	case NGHTTP2_DATA:
		return on_data_frame(c, frame);
	case NGHTTP2_RST_STREAM:
		s = stream_of(session, frame->hd.stream_id);
		if (s)
			s->peer_reset = true;
		break;
	case NGHTTP2_SETTINGS:
		c->greeted = true;
		c->windows_moved = true;
		break;
	case NGHTTP2_WINDOW_UPDATE:
		c->windows_moved = true;
		break;
	default:
		break;
	}
	return c->fault == H2_OK ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A frame that nghttp2 refuses: it resets the stream itself, or ends the connection. As dear as what we refuse ourselves. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
			    void *user)
{
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);
	struct h2 *c = user;

	(void)error;
	if (!s || s->gone != H2_OK)
		return 0;
	h2_stream_lose(s, H2_BAD_STREAM);
	return h2_budget_pay(&c->budget, H2_COST_MALFORMED) ? 0 : fail(c, H2_FLOOD_MALFORMED);
}

/* A small frame counts where the windows let more go: it was the other side that had no more to say. */
static bool counts_as_sent(const struct h2 *c, const nghttp2_frame_hd *hd)
{
	return hd->length >= H2_CONTENT_SMALL ||
	       (hd->length > 0 && nghttp2_session_get_remote_window_size(c->session) >= H2_CONTENT_SMALL &&
		nghttp2_session_get_stream_remote_window_size(c->session, hd->stream_id) >= H2_CONTENT_SMALL);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *c = user;
	uint8_t type = frame->hd.type;
	struct h2_stream *s;

	if (type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		h2_fail(c, H2_PROTOCOL);
	if (type == NGHTTP2_DATA && counts_as_sent(c, &frame->hd))
		h2_budget_earn(&c->budget, H2_EARN_SENT + (int)(frame->hd.length / H2_RETURN_BYTES) * H2_EARN_RETURN);
	if ((type != NGHTTP2_DATA && type != NGHTTP2_HEADERS) ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	s = stream_of(session, frame->hd.stream_id);
	if (s)
		s->out_sent = true;
	return 0;
}

/* HEADERS of ours that nghttp2 could not send: the host's GOAWAY came first. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
			     void *user)
{
	struct h2_stream *s =
		frame->hd.type == NGHTTP2_HEADERS ? stream_of(session, frame->hd.stream_id) : NULL;
	struct h2 *c = user;

	(void)error;
	if (s && !c->server && s->gone == H2_OK) {
		s->open = false;
		h2_stream_lose(s, H2_NOT_PROCESSED);
	}
	return 0;
}

/* A host that has begun to answer has begun to do what it was asked, whatever it says then (RFC 9113, 8.7). */
static enum h2_fault why_closed(const struct h2_stream *s, uint32_t code)
{
	if (!s->c->server && code == NGHTTP2_REFUSED_STREAM && !s->in_head_done && !s->n_interim)
		return H2_NOT_PROCESSED;
	return s->peer_reset ? H2_PEER_RESET : H2_BAD_STREAM;
}

/* Ended by the peer before it was answered: by RST_STREAM, or by what we must answer with one. What we gave up ourselves is not its
 * doing, whatever crosses our reset. */
static bool given_up(const struct h2_stream *s, enum h2_fault f)
{
	bool spoilt = s->c->server && f >= H2_BAD_PSEUDO && f <= H2_TARGET_TOO_LONG;

	return s->gone != H2_OURS && (s->peer_reset || spoilt);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct h2 *c = user;
	struct h2_stream *s = stream_of(session, id);
	enum h2_fault f;
	bool complete;

	if (!s)
		return 0;
	s->open = false;
	(void)nghttp2_session_set_stream_user_data(session, id, NULL);
	/* a host that has answered may give up the rest of our request */
	complete = c->server ? s->out_sent : s->in_end;
	f = s->gone == H2_OK ? why_closed(s, code) : s->gone;
	if (complete)
		h2_budget_served(&c->budget);
	else if (given_up(s, f) && !h2_budget_reset(&c->budget))
		h2_fail(c, H2_FLOOD_RESET);
	if (!complete)
		h2_stream_lose(s, f);
	else
		h2_stream_wake(s);
	h2_out_drop(s);
	h2_stream_settle(s);
	return 0;
}

int h2_frames_callbacks(nghttp2_session_callbacks **ret)
{
	int r = nghttp2_session_callbacks_new(ret);

	if (r != 0)
		return r;
	nghttp2_session_callbacks_set_on_begin_frame_callback(*ret, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(*ret, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(*ret, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(*ret, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(*ret, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(*ret, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(*ret, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(*ret, on_frame_not_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(*ret, on_stream_close);
	return 0;
}
