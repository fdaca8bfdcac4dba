#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_place place = {
	.name = { (const uint8_t *)"good.example", 12 }, .port = 80, .default_port = 80, .encoded_slash = true
};

/* The canonical bytes are read again as the same request, with the same body length, to the last byte: nothing smuggled. */
static void check_canon(const struct http1_head *h)
{
	struct buf once BUF_AUTO = { 0 };
	struct buf twice BUF_AUTO = { 0 };
	struct buf stripped BUF_AUTO = { 0 };
	struct http1_scan s = { 0 };
	struct http1_request r;
	struct http1_request again;
	struct http1_head second;
	enum http1_fault f = HTTP1_FAULT_NONE;
	size_t len = 0;

	buf_init(&once, HTTP1_CANON_MAX);
	buf_init(&twice, HTTP1_CANON_MAX);
	buf_init(&stripped, HTTP1_STRIPPED_MAX);
	if (http1_request_canon(h, &place, &once, &stripped, &r) != HTTP1_FAULT_NONE)
		return;
	if (http1_request_head(&s, buf_view(&once), &second, &len, &f) == HTTP1_BAD) {
		/* Escapes and framing of our own may carry a request at the limit over it; it is never anything else. */
		must(f == HTTP1_FAULT_TARGET_TOO_LONG || f == HTTP1_FAULT_TOO_LARGE);
		return;
	}
	must(len == once.len);
	buf_reset(&stripped);
	must(http1_request_canon(&second, &place, &twice, &stripped, &again) == HTTP1_FAULT_NONE);
	must(bytes_eq(buf_view(&once), buf_view(&twice)) && stripped.len == 0);
	must(again.length.framing == r.length.framing && again.length.len == r.length.len);
	must(bytes_eq(h->method, second.method) && second.minor == 1 && !again.expects_continue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1_scan s = { 0 };
	struct http1_head h;
	enum http1_fault f;
	size_t len;

	if (http1_request_head(&s, bytes_of(data, size), &h, &len, &f) == HTTP1_DONE)
		check_canon(&h);
	return 0;
}
