#include "net/h2_session.h"

/* What the peer says becomes HTTP/1.1 as its owner reads: heads lie ready as text, content is framed in the pieces that are taken, and
 * only then do the windows open again. */

enum { CHUNK_OVERHEAD = 16 }; /* size, CR LF twice */

static size_t unread(const struct h2_stream *s)
{
	return s->in_data.len - s->in_data_off;
}

static void consume(struct h2_stream *s, size_t n)
{
	if (n && s->c->session && s->c->fault == H2_OK)
		(void)nghttp2_session_consume(s->c->session, s->id, n);
}

void h2_in_drop(struct h2_stream *s)
{
	size_t n = unread(s);

	s->in_data_off = 0;
	s->in_text_off = 0;
	buf_reset(&s->in_data);
	buf_reset(&s->in_text);
	consume(s, n);
}

bool h2_in_lingers(const struct h2_stream *s)
{
	return s->c->server && s->released && s->open && s->out_sent && !s->in_end &&
	       s->gone == H2_OK;
}

/* Many clients send the whole of a request before they look at the answer: a reset while they do so would take the answer from
 * them. So the rest is dropped up to a limit, and only a client that goes on is reset (h2_feed()). */
static void drop(struct h2_stream *s, size_t n)
{
	s->lingered += n;
	if (s->gone == H2_OK && s->lingered > H2_LINGER_MAX)
		(void)nghttp2_session_consume_connection(s->c->session, n);
	else
		consume(s, n);
}

static enum h2_fault take_head(struct h2_stream *s, bool end_stream)
{
	struct h2_head *h = &s->c->head;
	enum h2_fault f;

	if (h->kind == H2_HEAD_TRAILERS)
		return h2_head_end(h, end_stream, &s->in_trailers, &(enum http1_framing){ 0 });
	f = h2_head_end(h, end_stream, &s->in_text, &s->in_framing);
	if (f != H2_OK)
		return f;
	if (h->kind == H2_HEAD_ANSWER && h->status < 200)
		return ++s->n_interim > H2_INTERIM_MAX ? H2_BAD_STATUS : H2_OK;
	s->in_head_done = true;
	s->in_length = s->in_framing == HTTP1_LENGTH ? h->length : 0;
	if (s->c->server)
		s->to_head = h->to_head;
	return H2_OK;
}

void h2_in_head(struct h2_stream *s, bool end_stream)
{
	enum h2_fault f = take_head(s, end_stream);

	h2_stream_charge(s);
	if (f != H2_OK) {
		h2_stream_reset(s, f);
		return;
	}
	if (end_stream)
		h2_in_end(s);
	h2_stream_wake(s);
}

void h2_in_data(struct h2_stream *s, struct bytes data)
{
	enum h2_fault f = H2_OK;

	if (s->gone != H2_OK || s->released) {
		drop(s, data.len);
		return;
	}
	s->in_got += data.len;
	if (!s->in_head_done || (s->in_framing == HTTP1_NO_BODY && data.len) ||
	    (s->in_framing == HTTP1_LENGTH && s->in_got > s->in_length))
		f = H2_BAD_CONTENT;
	if (s->in_data_off == s->in_data.len) {
		s->in_data_off = 0;
		buf_reset(&s->in_data);
	} else if (s->in_data_off > s->in_data.len / 2 || data.len > s->in_data.max - s->in_data.len) {
		buf_consume(&s->in_data, s->in_data_off);
		s->in_data_off = 0;
	}
	if (f == H2_OK && (!held_fits(&s->in_data, data.len) || !buf_bytes(&s->in_data, data)))
		f = H2_MEMORY;
	h2_stream_charge(s);
	if (f != H2_OK) {
		consume(s, data.len);
		h2_stream_reset(s, f);
		return;
	}
	h2_stream_wake(s);
}

void h2_in_end(struct h2_stream *s)
{
	if (s->gone != H2_OK || s->in_end)
		return;
	if (s->released) {
		s->in_end = true;
		return;
	}
	if (!s->in_head_done || (s->in_framing == HTTP1_LENGTH && s->in_got != s->in_length)) {
		h2_stream_reset(s, H2_BAD_CONTENT);
		return;
	}
	s->in_end = true;
	h2_stream_wake(s);
}

/* What may be handed out now: of a body with a length all but its last byte, until the peer has ended it there. */
static size_t ready(const struct h2_stream *s)
{
	size_t n = unread(s);
	bool hold = n && s->in_framing == HTTP1_LENGTH && s->in_got == s->in_length && !s->in_end;

	return n - hold;
}

static bool read_text(struct h2_stream *s, struct buf *out, size_t max)
{
	size_t n = s->in_text.len - s->in_text_off;

	if (n > max)
		n = max;
	if (!n || !buf_add(out, s->in_text.p + s->in_text_off, n))
		return false;
	s->in_text_off += n;
	if (s->in_text_off == s->in_text.len) {
		s->in_text_off = 0;
		buf_reset(&s->in_text);
	}
	return true;
}

static void put_chunk(struct buf *out, struct bytes data)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t size[CHUNK_OVERHEAD];
	size_t at = sizeof(size);

	size[--at] = '\n';
	size[--at] = '\r';
	for (size_t n = data.len; n; n >>= 4)
		size[--at] = (uint8_t)digits[n & 15];
	(void)buf_add(out, size + at, sizeof(size) - at);
	(void)buf_bytes(out, data);
	(void)buf_str(out, "\r\n");
}

static bool read_content(struct h2_stream *s, struct buf *out, size_t max)
{
	size_t overhead = s->in_framing == HTTP1_CHUNKED ? CHUNK_OVERHEAD : 0;
	size_t n = ready(s);
	struct bytes data;

	if (max <= overhead)
		return false;
	if (n > max - overhead)
		n = max - overhead;
	if (!n)
		return false;
	data = bytes_of(s->in_data.p + s->in_data_off, n);
	if (overhead)
		put_chunk(out, data);
	else
		(void)buf_bytes(out, data);
	if (out->failed)
		return false;
	s->in_data_off += n;
	consume(s, n);
	return true;
}

/* The end of a chunked body becomes text like a head. */
static bool read_last(struct h2_stream *s)
{
	if (!s->in_end || s->in_last || unread(s))
		return false;
	s->in_last = true;
	if (s->in_framing != HTTP1_CHUNKED)
		return false;
	(void)buf_str(&s->in_text, "0\r\n");
	(void)buf_bytes(&s->in_text, buf_view(&s->in_trailers));
	(void)buf_str(&s->in_text, "\r\n");
	h2_stream_charge(s);
	return true;
}

size_t h2_stream_read(struct h2_stream *s, struct buf *out, size_t max)
{
	size_t start = out->len;
	bool more = s->gone == H2_OK;

	if (max > out->max - out->len)
		max = out->max - out->len;
	while (more) {
		size_t left = max - (out->len - start);

		if (s->in_text.len)
			more = read_text(s, out, left);
		else
			more = read_content(s, out, left) || read_last(s);
	}
	if (out->len > start)
		h2_output(s->c);
	return out->len - start;
}

bool h2_stream_read_done(const struct h2_stream *s)
{
	return s->in_end && !s->in_text.len && !unread(s) &&
	       (s->in_last || s->in_framing != HTTP1_CHUNKED);
}
