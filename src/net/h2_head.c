#include "net/h2_head.h"

#include "base/num.h"

/* Pseudo headers and fields are kept apart until the list is whole: Host goes first and cookie crumbs are joined (RFC 9113,
 * 8.2.3). What comes out is accepted by http1_request_head() or http1_response_head(), so the limits are theirs. */

enum pseudo { METHOD = 1, SCHEME = 2, PATH = 4, AUTHORITY = 8, STATUS = 16, PROTOCOL = 32 };

enum {
	ENTRY_OVERHEAD = 32, /* RFC 9113, 6.5.2 */
	VERSION_LEN = 9, /* " HTTP/1.1" */
	OWN_FIELDS = 2, /* Host, Transfer-Encoding */
	OWN_LEN = 64, /* what these take without Host's value */
};

void h2_head_init(struct h2_head *h)
{
	*h = (struct h2_head){ 0 };
	buf_init(&h->start, HTTP1_LINE_MAX);
	buf_init(&h->authority, HTTP1_LINE_MAX);
	buf_init(&h->fields, HTTP1_FIELDS_LEN_MAX);
	buf_init(&h->cookie, HTTP1_FIELDS_LEN_MAX);
}

void h2_head_deinit(struct h2_head *h)
{
	buf_deinit(&h->start);
	buf_deinit(&h->authority);
	buf_deinit(&h->fields);
	buf_deinit(&h->cookie);
}

void h2_head_begin(struct h2_head *h, enum h2_head_kind kind)
{
	struct h2_head fresh = { .kind = kind,
				 .start = h->start,
				 .authority = h->authority,
				 .fields = h->fields,
				 .cookie = h->cookie };

	*h = fresh;
	buf_reset(&h->start);
	buf_reset(&h->authority);
	buf_reset(&h->fields);
	buf_reset(&h->cookie);
}

bool h2_head_is_hop(struct bytes name)
{
	return bytes_ieq(name, bytes_str("connection")) || bytes_ieq(name, bytes_str("transfer-encoding")) ||
	       bytes_ieq(name, bytes_str("keep-alive")) || bytes_ieq(name, bytes_str("proxy-connection")) ||
	       bytes_ieq(name, bytes_str("upgrade"));
}

/* One or more visible ASCII bytes. */
static bool visible(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	return s.len > 0;
}

static bool lower_token(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return false;
	return http1_is_token(s);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Blanks around a value make a request malformed. Answers of real hosts have them, and HTTP/1.1 readers drop them. */
static bool value_ok(const struct h2_head *h, struct bytes *v)
{
	bool answer = h->kind == H2_HEAD_ANSWER;

	while (answer && v->len && is_blank(v->p[0]))
		*v = bytes_skip(*v, 1);
	while (answer && v->len && is_blank(v->p[v->len - 1]))
		v->len--;
	if (v->len && (is_blank(v->p[0]) || is_blank(v->p[v->len - 1])))
		return false;
	for (size_t i = 0; i < v->len; i++) {
		uint8_t c = v->p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f || (c >= 0x80 && !answer))
			return false;
	}
	return true;
}

static enum h2_fault take_method(struct h2_head *h, struct bytes v)
{
	if (!http1_is_token(v) || v.len > HTTP1_METHOD_MAX)
		return H2_BAD_METHOD;
	if (bytes_is(v, "CONNECT"))
		return H2_BAD_CONNECT;
	h->to_head = bytes_is(v, "HEAD");
	/* kept as "path METHOD" when the path came first */
	return buf_bytes(&h->start, v) ? H2_OK : H2_TARGET_TOO_LONG;
}

static enum h2_fault take_path(struct h2_head *h, struct bytes v)
{
	if (!visible(v) || (v.p[0] != '/' && !bytes_is(v, "*")))
		return v.len > HTTP1_LINE_MAX ? H2_TARGET_TOO_LONG : H2_BAD_TARGET;
	h->path_at = h->start.len;
	h->path_len = v.len;
	return buf_bytes(&h->start, v) ? H2_OK : H2_TARGET_TOO_LONG;
}

static enum h2_fault take_authority(struct h2_head *h, struct bytes v)
{
	if (!visible(v))
		return H2_BAD_AUTHORITY;
	if (h->has_host || h->has_authority)
		return bytes_eq(v, buf_view(&h->authority)) ? H2_OK : H2_BAD_AUTHORITY;
	return buf_bytes(&h->authority, v) ? H2_OK : H2_HEAD_TOO_LARGE;
}

static enum h2_fault take_status(struct h2_head *h, struct bytes v)
{
	uint64_t status;

	if (v.len != 3 || !num_u64(v, 599, &status) || status < 100)
		return H2_BAD_STATUS;
	h->status = (uint16_t)status;
	return H2_OK;
}

static unsigned request_pseudo(struct bytes name)
{
	if (bytes_is(name, ":method"))
		return METHOD;
	if (bytes_is(name, ":path"))
		return PATH;
	if (bytes_is(name, ":scheme"))
		return SCHEME;
	if (bytes_is(name, ":authority"))
		return AUTHORITY;
	return bytes_is(name, ":protocol") ? PROTOCOL : 0;
}

static enum h2_fault take_pseudo(struct h2_head *h, struct bytes name, struct bytes v)
{
	unsigned bit = h->kind == H2_HEAD_ANSWER ? (bytes_is(name, ":status") ? STATUS : 0) : request_pseudo(name);
	enum h2_fault f;

	if (h->kind == H2_HEAD_TRAILERS)
		return H2_BAD_TRAILERS;
	if (!bit || (h->pseudo & bit) || h->n_fields)
		return H2_BAD_PSEUDO;
	h->pseudo |= bit;
	switch (bit) {
	case METHOD:
		return take_method(h, v);
	case PATH:
		return take_path(h, v);
	case SCHEME:
		return bytes_is(v, "https") ? H2_OK : H2_BAD_SCHEME;
	case AUTHORITY:
		f = take_authority(h, v);
		h->has_authority = true;
		return f;
	case STATUS:
		return take_status(h, v);
	default: /* PROTOCOL */
		return H2_BAD_CONNECT;
	}
}

static enum h2_fault take_host(struct h2_head *h, struct bytes v)
{
	enum h2_fault f = h->has_host ? H2_BAD_AUTHORITY : take_authority(h, v);

	h->has_host = true;
	return f;
}

static enum h2_fault take_cookie(struct h2_head *h, struct bytes v)
{
	if (h->cookie.len)
		(void)buf_str(&h->cookie, "; ");
	return buf_bytes(&h->cookie, v) ? H2_OK : H2_HEAD_TOO_LARGE;
}

static enum h2_fault take_length(struct h2_head *h, struct bytes v)
{
	if (h->has_length || !num_u64(v, INT64_MAX, &h->length))
		return H2_BAD_LENGTH;
	h->has_length = true;
	return H2_OK;
}

static enum h2_fault put_line(struct buf *out, struct bytes name, struct bytes v)
{
	(void)buf_bytes(out, name);
	(void)buf_str(out, ": ");
	(void)buf_bytes(out, v);
	return buf_str(out, "\r\n") ? H2_OK : H2_HEAD_TOO_LARGE;
}

static enum h2_fault take_field(struct h2_head *h, struct bytes name, struct bytes v)
{
	enum h2_fault f = H2_OK;
	bool trailer = h->kind == H2_HEAD_TRAILERS;

	if (!lower_token(name))
		return H2_BAD_NAME;
	if (!value_ok(h, &v))
		return H2_BAD_VALUE;
	if (h2_head_is_hop(name) || (bytes_is(name, "te") && !bytes_is(v, "trailers")))
		return H2_BAD_HOP;
	if (!trailer && h->kind == H2_HEAD_REQUEST && bytes_is(name, "host")) {
		h->n_fields += h->n_fields == 0; /* a pseudo header behind it is misplaced */
		return take_host(h, v);
	}
	if (!trailer && h->kind == H2_HEAD_REQUEST && bytes_is(name, "cookie")) {
		h->n_fields += h->cookie.len == 0;
		return take_cookie(h, v);
	}
	if (!trailer && bytes_is(name, "content-length"))
		f = take_length(h, v);
	if (++h->n_fields > HTTP1_FIELDS_MAX)
		return H2_HEAD_TOO_LARGE;
	return f == H2_OK ? put_line(&h->fields, name, v) : f;
}

void h2_head_field(struct h2_head *h, struct bytes name, struct bytes value)
{
	h->list_len += name.len + value.len + ENTRY_OVERHEAD;
	if (h->fault != H2_OK)
		return;
	if (h->list_len > H2_LIST_MAX)
		h->fault = H2_HEAD_TOO_LARGE;
	else if (name.len && name.p[0] == ':')
		h->fault = take_pseudo(h, name, value);
	else
		h->fault = take_field(h, name, value);
}

static bool allows_content(const struct h2_head *h)
{
	return !h->to_head && h->status >= 200 && h->status != 204 && h->status != 304;
}

static enum h2_fault framing_of(const struct h2_head *h, bool end_stream, enum http1_framing *ret)
{
	bool answer = h->kind == H2_HEAD_ANSWER;

	if (answer && !allows_content(h)) {
		*ret = HTTP1_NO_BODY;
		return h->status >= 200 || !end_stream ? H2_OK : H2_BAD_STATUS;
	}
	if (end_stream && h->length > 0)
		return H2_BAD_CONTENT;
	if (h->has_length)
		*ret = HTTP1_LENGTH;
	else
		*ret = end_stream ? HTTP1_NO_BODY : HTTP1_CHUNKED;
	return H2_OK;
}

static enum h2_fault request_ok(const struct h2_head *h)
{
	const unsigned needed = METHOD | SCHEME | PATH;
	struct bytes path = bytes_of(h->start.p + h->path_at, h->path_len);
	struct bytes method;

	if ((h->pseudo & needed) != needed)
		return H2_BAD_PSEUDO;
	method = bytes_of(h->path_at ? h->start.p : h->start.p + h->path_len,
			  h->start.len - h->path_len);
	if (path.p[0] == '*' && !bytes_is(method, "OPTIONS"))
		return H2_BAD_TARGET;
	if (h->start.len + 1 + VERSION_LEN > HTTP1_LINE_MAX)
		return H2_TARGET_TOO_LONG;
	return h->authority.len ? H2_OK : H2_BAD_AUTHORITY;
}

static void put_request_line(const struct h2_head *h, struct buf *out)
{
	struct bytes path = bytes_of(h->start.p + h->path_at, h->path_len);
	struct bytes method = bytes_of(h->path_at ? h->start.p : h->start.p + h->path_len,
				       h->start.len - h->path_len);

	(void)buf_bytes(out, method);
	(void)buf_byte(out, ' ');
	(void)buf_bytes(out, path);
	(void)buf_str(out, " HTTP/1.1\r\nhost: ");
	(void)buf_bytes(out, buf_view(&h->authority));
	(void)buf_str(out, "\r\n");
}

static void put_status_line(const struct h2_head *h, struct buf *out)
{
	const uint8_t digits[3] = { (uint8_t)('0' + h->status / 100),
				    (uint8_t)('0' + h->status / 10 % 10),
				    (uint8_t)('0' + h->status % 10) };

	(void)buf_str(out, "HTTP/1.1 ");
	(void)buf_add(out, digits, sizeof(digits));
	(void)buf_byte(out, ' ');
	(void)buf_str(out, http1_phrase(h->status));
	(void)buf_str(out, "\r\n");
}

static void put_head(struct h2_head *h, enum http1_framing framing, bool end_stream,
		     struct buf *out)
{
	if (h->kind == H2_HEAD_REQUEST)
		put_request_line(h, out);
	else
		put_status_line(h, out);
	(void)buf_bytes(out, buf_view(&h->fields));
	if (h->cookie.len)
		(void)put_line(out, bytes_str("cookie"), buf_view(&h->cookie));
	h->coding = framing == HTTP1_CHUNKED;
	if (h->coding)
		(void)buf_str(out, "transfer-encoding: chunked\r\n");
	else if (h->kind == H2_HEAD_ANSWER && end_stream && allows_content(h) && !h->has_length)
		(void)buf_str(
			out,
			"content-length: 0\r\n"); /* or it would last until the connection closes */
	(void)buf_str(out, "\r\n");
}

static bool fits(const struct h2_head *h)
{
	size_t len = h->fields.len + h->cookie.len + h->authority.len + OWN_LEN;

	if (h->kind == H2_HEAD_TRAILERS)
		return h->n_fields <= HTTP1_TRAILERS_MAX && len <= HTTP1_TRAILERS_LEN_MAX;
	return h->n_fields <= HTTP1_FIELDS_MAX - OWN_FIELDS && len <= HTTP1_FIELDS_LEN_MAX;
}

static enum h2_fault whole(const struct h2_head *h, bool end_stream, enum http1_framing *ret)
{
	enum h2_fault f = fits(h) ? H2_OK : H2_HEAD_TOO_LARGE;

	if (h->fault != H2_OK)
		return h->fault;
	switch (h->kind) {
	case H2_HEAD_TRAILERS:
		return f == H2_OK && !end_stream ? H2_BAD_TRAILERS : f;
	case H2_HEAD_REQUEST:
		if (f == H2_OK)
			f = request_ok(h);
		break;
	case H2_HEAD_ANSWER:
		if (f == H2_OK && !h->status)
			f = H2_BAD_PSEUDO;
		if (f == H2_OK && h->status == 101)
			f = H2_BAD_STATUS;
		break;
	}
	return f == H2_OK ? framing_of(h, end_stream, ret) : f;
}

enum h2_fault h2_head_end(struct h2_head *h, bool end_stream, struct buf *out,
			  enum http1_framing *ret)
{
	enum http1_framing framing = HTTP1_NO_BODY;
	size_t start = out->len;

	h->fault = whole(h, end_stream, &framing);
	if (h->fault != H2_OK)
		return h->fault;
	if (h->kind == H2_HEAD_TRAILERS)
		(void)buf_bytes(out, buf_view(&h->fields));
	else
		put_head(h, framing, end_stream, out);
	if (out->failed) {
		out->len = start;
		return h->fault = H2_HEAD_TOO_LARGE;
	}
	*ret = framing;
	return H2_OK;
}
