#include <stdlib.h>

#include "base/must.h"
#include "net/h2_head.h"
#include "wire/http1_head.h"
#include "wire/http1_trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One byte says what the list is; then fields, each two bytes of lengths and its name and value. */
static void put(struct h2_head *h, struct bytes in)
{
	while (in.len >= 2) {
		size_t name_len = in.p[0];
		size_t value_len = in.p[1];
		struct bytes name;
		struct bytes value;

		in = bytes_skip(in, 2);
		name = bytes_of(in.p, name_len < in.len ? name_len : in.len);
		in = bytes_skip(in, name.len);
		value = bytes_of(in.p, value_len < in.len ? value_len : in.len);
		in = bytes_skip(in, value.len);
		h2_head_field(h, name, value);
	}
}

/* What comes out is one HTTP/1.1 head, to the last byte, with the framing that was given. */
static void check_request(const struct buf *out, enum http1_framing framing,
			  const struct h2_head *h)
{
	struct http1_scan s = { 0 };
	struct http1_head head;
	struct http1_length l;
	enum http1_fault f;
	size_t len;

	must(http1_request_head(&s, buf_view(out), &head, &len, &f) == HTTP1_DONE &&
	     len == out->len);
	must(http1_request_length(&head, &l, &f));
	must(l.framing == framing && (framing != HTTP1_LENGTH || l.len == h->length));
	must(http1_find(&head, "host", NULL) == 1 && head.minor == 1);
	must(http1_find(&head, "connection", NULL) == 0 && http1_find(&head, "upgrade", NULL) == 0);
	must(http1_find(&head, "cookie", NULL) <= 1);
}

static void check_answer(const struct buf *out, enum http1_framing framing, bool to_head, bool end)
{
	struct http1_scan s = { 0 };
	struct http1_head head;
	struct http1_length l;
	enum http1_fault f;
	size_t len;

	must(http1_response_head(&s, buf_view(out), &head, &len, &f) == HTTP1_DONE &&
	     len == out->len);
	must(http1_response_length(&head, to_head, &l, &f) && l.keep);
	must(l.framing == framing || (end && l.framing == HTTP1_LENGTH && l.len == 0));
}

/* Accepted by whoever reads the chunked body that they end; those that may pass are the same there. */
static void check_trailers(const struct buf *out)
{
	struct buf text BUF_AUTO = { 0 };
	struct buf lines BUF_AUTO = { 0 };
	struct bytes rest = buf_view(out);
	struct bytes kept;
	struct http1_field field;
	struct http1_body b;
	struct bytes data;
	enum http1_fault f;
	size_t used;

	buf_init(&text, out->len + 64);
	buf_init(&lines, HTTP1_TRAILERS_LEN_MAX);
	(void)buf_str(&text, "0\r\n");
	(void)buf_bytes(&text, rest);
	(void)buf_str(&text, "\r\n");
	http1_body_init(&b, HTTP1_CHUNKED, 0);
	http1_body_keep_trailers(&b, &lines);
	must(http1_body_next(&b, buf_view(&text), &used, &data, &f) == HTTP1_DONE &&
	     used == text.len);
	kept = buf_view(&lines);
	while (rest.len) {
		struct bytes line = bytes_of(rest.p, bytes_find(rest, '\n') + 1);

		if (http1_trailer_allowed(bytes_of(line.p, bytes_find(line, ':')))) {
			must(bytes_starts(kept, line) && http1_trailer_next(&kept, &field));
		}
		rest = bytes_skip(rest, line.len);
	}
	must(kept.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h2_head h;
	struct buf out BUF_AUTO = { 0 };
	enum http1_framing framing = HTTP1_UNTIL_CLOSE;
	enum h2_head_kind kind;
	bool end;
	bool to_head;
	enum h2_fault f;

	if (size < 1)
		return 0;
	kind = (enum h2_head_kind)((data[0] >> 4) % 3);
	end = data[0] & 1;
	to_head = data[0] & 2;
	buf_init(&out, HTTP1_HEAD_LEN_MAX + HTTP1_TRAILERS_LEN_MAX);
	h2_head_init(&h);
	h2_head_begin(&h, kind);
	if (kind == H2_HEAD_ANSWER)
		h.to_head = to_head;
	put(&h, bytes_of(data + 1, size - 1));
	f = h2_head_end(&h, end, &out, &framing);
	if (f != H2_OK)
		must(out.len == 0 && f >= H2_BAD_PSEUDO && f <= H2_TARGET_TOO_LONG);
	else if (kind == H2_HEAD_REQUEST)
		check_request(&out, framing, &h);
	else if (kind == H2_HEAD_ANSWER)
		check_answer(&out, framing, to_head, end);
	else
		check_trailers(&out);
	h2_head_deinit(&h);
	return 0;
}
