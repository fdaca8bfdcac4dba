#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "wire/http1_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http1_answer decode(struct bytes in, size_t step, struct buf *content, struct buf *trailers, size_t *ret_used,
				enum http1_fault *f)
{
	enum http1_answer a = HTTP1_MORE;
	struct http1_body b;
	size_t off = 0;
	size_t end = 0;

	http1_body_init(&b, HTTP1_CHUNKED, 0);
	http1_body_keep_trailers(&b, trailers);
	while (a == HTTP1_MORE && off < in.len) {
		struct bytes data = { 0 };
		size_t used = 0;

		if (off == end)
			end = in.len - end > step ? end + step : in.len;
		a = http1_body_next(&b, bytes_of(in.p + off, end - off), &used, &data, f);
		must(used <= end - off);
		must(a == HTTP1_BAD || used || a == HTTP1_DONE);
		if (a != HTTP1_BAD)
			(void)buf_bytes(content, data);
		off += used;
	}
	*ret_used = off;
	return a;
}

/* Cut or whole the same; contents and trailers chunked again by us decode to themselves. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole BUF_AUTO = { 0 };
	struct buf cut BUF_AUTO = { 0 };
	struct buf again BUF_AUTO = { 0 };
	struct buf fields BUF_AUTO = { 0 };
	struct buf cut_fields BUF_AUTO = { 0 };
	enum http1_fault f = HTTP1_FAULT_NONE;
	enum http1_fault g = HTTP1_FAULT_NONE;
	size_t used;
	size_t cut_used;
	enum http1_answer a;

	buf_init(&whole, size + 64);
	buf_init(&cut, size + 64);
	buf_init(&again, 2 * size + 64);
	buf_init(&fields, HTTP1_TRAILERS_LEN_MAX);
	buf_init(&cut_fields, HTTP1_TRAILERS_LEN_MAX);
	a = decode(bytes_of(data, size), size + 1, &whole, &fields, &used, &f);
	must(decode(bytes_of(data, size), 1, &cut, &cut_fields, &cut_used, &g) == a && f == g);
	must(!fields.failed && bytes_eq(buf_view(&fields), buf_view(&cut_fields)));
	if (a != HTTP1_BAD)
		must(used == cut_used && bytes_eq(buf_view(&whole), buf_view(&cut)));
	if (a == HTTP1_DONE) {
		buf_reset(&cut);
		buf_reset(&cut_fields);
		http1_piece(&again, HTTP1_CHUNKED, buf_view(&whole));
		http1_last_with(&again, HTTP1_CHUNKED, buf_view(&fields));
		must(decode(buf_view(&again), 7, &cut, &cut_fields, &used, &f) == HTTP1_DONE && used == again.len);
		must(bytes_eq(buf_view(&whole), buf_view(&cut)));
		must(bytes_eq(buf_view(&fields), buf_view(&cut_fields)));
	}
	return 0;
}
