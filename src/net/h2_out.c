#include "net/h2_session.h"

#include "wire/credential_fields.h"
#include "wire/http1_body.h"
#include "wire/http1_trailer.h"

/* What is said to the peer is read as HTTP/1.1 with the same codecs that read any other message. No more content is taken than the
 * peer's windows let go, so what lies here is on its way and one slow stream cannot fill the room of the others. */

enum { UNOPENED_WINDOW = 16 * 1024 }; /* of a request whose HEADERS are not out yet */

static size_t unsent(const struct h2_stream *s)
{
	return s->out_data.len - s->out_data_off;
}

void h2_out_drop(struct h2_stream *s)
{
	s->c->out_total -= unsent(s);
	s->c->windows_moved = true;
	s->out_data_off = 0;
	buf_reset(&s->out_data);
}

static size_t above(int64_t window, size_t used)
{
	return window > 0 && (uint64_t)window > used ? (size_t)window - used : 0;
}

static size_t lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t h2_stream_room(const struct h2_stream *s)
{
	const struct h2 *c = s->c;
	int64_t window;
	size_t room = lesser(above(H2_OUT_MAX, unsent(s)), above(H2_OUT_ALL, c->out_total));

	if (s->gone != H2_OK || (s->id && !s->open))
		return H2_OUT_MAX; /* dropped */
	window = s->id ? nghttp2_session_get_stream_remote_window_size(c->session, s->id)
		       : UNOPENED_WINDOW;
	if (window < 0 && !nghttp2_session_find_stream(c->session, s->id))
		window = UNOPENED_WINDOW;
	room = lesser(room, above(window, unsent(s)));
	return lesser(room,
		      above(nghttp2_session_get_remote_window_size(c->session), c->out_total));
}

static nghttp2_nv pair(struct bytes name, struct bytes value)
{
	/* nghttp2 copies and folds names; its type is older than const */
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
			     .value = (uint8_t *)(uintptr_t)value.p,
			     .namelen = name.len,
			     .valuelen = value.len,
			     .flags = NGHTTP2_NV_FLAG_NONE };
}

static int send_end(struct h2_stream *s, uint32_t *flags)
{
	struct bytes lines = buf_view(&s->out_trailers);
	nghttp2_nv nv[HTTP1_TRAILERS_MAX];
	struct http1_field field;
	size_t n = 0;

	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (!s->out_trailers.len)
		return 0;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	while (n < HTTP1_TRAILERS_MAX && http1_trailer_next(&lines, &field))
		nv[n++] = pair(field.name, field.value);
	return nghttp2_submit_trailer(s->c->session, s->id, nv, n);
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *p, size_t len,
		       uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct h2_stream *s = source->ptr;
	size_t n = lesser(len, unsent(s));
	int r;

	(void)session;
	(void)id;
	(void)user;
	if (s->gone != H2_OK || (!n && s->out_state != H2_OUT_DONE)) {
		s->out_deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n)
		memcpy(p, s->out_data.p + s->out_data_off, n);
	s->out_data_off += n;
	s->c->out_total -= n;
	s->c->windows_moved = true;
	if (unsent(s) == 0) {
		s->out_data_off = 0;
		buf_reset(&s->out_data);
		if (s->out_state == H2_OUT_DONE) {
			r = send_end(s, flags);
			if (r < 0)
				return r;
		}
	}
	return (ssize_t)n;
}

static void resume(struct h2_stream *s)
{
	if (s->out_deferred && s->open) {
		s->out_deferred = false;
		(void)nghttp2_session_resume_data(s->c->session, s->id);
	}
}

/* RFC 7541, 7.1.3: a secret enters no table, where it would stay and be matched with what others ask on the same connection. Where a
 * credential is worn, its field may have any name. */
static nghttp2_nv field_pair(const struct h2 *c, const struct http1_head *h, const struct http1_field *f)
{
	nghttp2_nv nv = pair(f->name, f->value);

	if (c->heap.wipes || (h->target.len && credential_field(f->name)))
		nv.flags |= NGHTTP2_NV_FLAG_NO_INDEX;
	return nv;
}

static size_t fields(const struct h2 *c, const struct http1_head *h, nghttp2_nv *nv)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_fields; i++)
		if (!h2_head_is_hop(h->fields[i].name) &&
		    !(h->target.len && bytes_ieq(h->fields[i].name, bytes_str("host"))))
			nv[n++] = field_pair(c, h, &h->fields[i]);
	return n;
}

static nghttp2_data_provider provider(struct h2_stream *s)
{
	return (nghttp2_data_provider){ .source = { .ptr = s }, .read_callback = on_read };
}

static bool submit_answer(struct h2_stream *s, const struct http1_head *h)
{
	nghttp2_nv nv[HTTP1_FIELDS_MAX + 1];
	nghttp2_data_provider prd = provider(s);
	const uint8_t status[3] = { (uint8_t)('0' + h->status / 100),
				    (uint8_t)('0' + h->status / 10 % 10),
				    (uint8_t)('0' + h->status % 10) };
	struct http1_length l;
	enum http1_fault f;
	size_t n = 1 + fields(s->c, h, nv + 1);
	bool body;

	nv[0] = pair(bytes_str(":status"), bytes_of(status, sizeof(status)));
	if (h->status == 101 || !http1_response_length(h, s->to_head, &l, &f))
		return false;
	if (h->status < 200)
		return nghttp2_submit_headers(s->c->session, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n,
					      NULL) == 0;
	body = l.framing != HTTP1_NO_BODY && !(l.framing == HTTP1_LENGTH && l.len == 0);
	http1_body_init(&s->body, l.framing, l.len);
	http1_body_keep_trailers(&s->body, &s->out_trailers);
	s->out_state = body ? H2_OUT_BODY : H2_OUT_DONE;
	return nghttp2_submit_response(s->c->session, s->id, nv, n, body ? &prd : NULL) == 0;
}

static bool origin_form(const struct http1_head *h)
{
	return h->target.p[0] == '/' ||
	       (bytes_is(h->target, "*") && bytes_is(h->method, "OPTIONS"));
}

/* Servers of gRPC refuse a call without it, and the canonical form of a request has no TE. */
static bool wants_te(const struct http1_head *h)
{
	struct bytes type;

	return http1_find(h, "content-type", &type) &&
	       bytes_starts(type, bytes_str("application/grpc")) && !http1_find(h, "te", NULL);
}

static bool submit_request(struct h2_stream *s, const struct http1_head *h)
{
	nghttp2_nv nv[HTTP1_FIELDS_MAX + 5];
	nghttp2_data_provider prd = provider(s);
	struct http1_length l;
	enum http1_fault f;
	struct bytes host;
	bool body;
	int32_t id;
	size_t n;

	if (http1_find(h, "host", &host) != 1 || !http1_request_length(h, &l, &f) ||
	    !origin_form(h))
		return false;
	nv[0] = pair(bytes_str(":method"), h->method);
	nv[1] = pair(bytes_str(":scheme"), bytes_str("https"));
	nv[2] = pair(bytes_str(":authority"), host);
	nv[3] = pair(bytes_str(":path"), h->target);
	if (s->c->heap.wipes) /* it may be a parameter */
		nv[3].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
	s->to_head = bytes_is(h->method, "HEAD");
	body = l.framing == HTTP1_CHUNKED || l.len > 0;
	http1_body_init(&s->body, l.framing, l.len);
	http1_body_keep_trailers(&s->body, &s->out_trailers);
	s->out_state = body ? H2_OUT_BODY : H2_OUT_DONE;
	n = 4 + fields(s->c, h, nv + 4);
	if (wants_te(h))
		nv[n++] = pair(bytes_str("te"), bytes_str("trailers"));
	id = nghttp2_submit_request(s->c->session, NULL, nv, n, body ? &prd : NULL, s);
	if (id <= 0) {
		h2_stream_lose(s, H2_NOT_PROCESSED); /* the connection takes no more */
		return true;
	}
	s->id = id;
	s->open = true;
	return true;
}

static size_t write_head(struct h2_stream *s, struct bytes in)
{
	size_t before = s->out_head.len;
	struct http1_head h;
	struct bytes all = in;
	enum http1_answer a;
	enum http1_fault f;
	size_t len;

	if (!held_may_grow()) {
		h2_stream_reset(s, H2_MEMORY);
		return in.len;
	}
	if (before) {
		in.len = lesser(in.len, s->out_head.max - before);
		(void)buf_bytes(&s->out_head, in);
		all = buf_view(&s->out_head);
	}
	a = s->c->server ? http1_response_head(&s->out_scan, all, &h, &len, &f)
			 : http1_request_head(&s->out_scan, all, &h, &len, &f);
	if (a == HTTP1_MORE && (before ? in.len > 0 : buf_bytes(&s->out_head, in)))
		return in.len;
	if (a != HTTP1_DONE || !(s->c->server ? submit_answer(s, &h) : submit_request(s, &h))) {
		h2_stream_reset(s, H2_OURS);
		return in.len;
	}
	s->out_scan = (struct http1_scan){ 0 };
	buf_reset(&s->out_head);
	return len - before;
}

static bool in_content(const struct http1_body *b)
{
	return b->framing != HTTP1_CHUNKED || http1_body_in_content(b);
}

/* Without room framing still goes on, byte by byte: a peer that waits for the end of the stream opens no window for it. */
static size_t write_body(struct h2_stream *s, struct bytes in)
{
	size_t room = h2_stream_room(s);
	enum http1_answer a;
	enum http1_fault f;
	struct bytes data;
	size_t used;

	if (!room && in_content(&s->body))
		return 0;
	in.len = lesser(in.len, room ? room : 1);
	a = http1_body_next(&s->body, in, &used, &data, &f);
	if (s->out_data_off && s->out_data.len + in.len > s->out_data.max) {
		buf_consume(&s->out_data, s->out_data_off);
		s->out_data_off = 0;
	}
	if (a == HTTP1_BAD || !held_fits(&s->out_data, data.len) || !buf_bytes(&s->out_data, data)) {
		h2_stream_reset(s, a == HTTP1_BAD ? H2_OURS : H2_MEMORY);
		return in.len;
	}
	s->c->out_total += data.len;
	if (a == HTTP1_DONE)
		s->out_state = H2_OUT_DONE;
	return used;
}

size_t h2_stream_write(struct h2_stream *s, struct bytes in)
{
	size_t used = 0;

	while (used < in.len && s->gone == H2_OK && !(s->id && !s->open)) {
		size_t n = 0;

		if (s->out_state == H2_OUT_DONE)
			h2_stream_reset(s, H2_OURS);
		else if (s->out_state == H2_OUT_HEAD)
			n = write_head(s, bytes_skip(in, used));
		else
			n = write_body(s, bytes_skip(in, used));
		used += n;
		if (!n && s->gone == H2_OK) {
			h2_stream_wait(s);
			break;
		}
	}
	h2_stream_charge(s);
	h2_wipe_stack(s->c);
	if (s->gone != H2_OK || (s->id && !s->open))
		return in.len;
	resume(s);
	h2_output(s->c);
	return used;
}

void h2_stream_end(struct h2_stream *s)
{
	if (s->out_state == H2_OUT_DONE || s->gone != H2_OK)
		return;
	if (s->out_state == H2_OUT_BODY && s->body.framing == HTTP1_UNTIL_CLOSE) {
		s->out_state = H2_OUT_DONE;
		resume(s);
		h2_output(s->c);
		return;
	}
	h2_stream_reset(s, H2_OURS);
}

bool h2_stream_sent(const struct h2_stream *s)
{
	return s->out_sent || s->gone != H2_OK;
}
