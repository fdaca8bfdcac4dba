#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "wire/http1_out.h"
#include "wire/http1_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_place place = {
	.name = { (const uint8_t *)"good.example", 12 }, .port = 80, .default_port = 80, .encoded_slash = true
};

static enum http1_answer parse(struct bytes in, size_t step, struct http1_head *h, size_t *len, enum http1_fault *f)
{
	struct http1_scan s = { 0 };
	enum http1_answer a = HTTP1_MORE;

	for (size_t n = step; a == HTTP1_MORE && n < in.len; n += step)
		a = http1_request_head(&s, bytes_of(in.p, n), h, len, f);
	return a == HTTP1_MORE ? http1_request_head(&s, in, h, len, f) : a;
}

/* The canonical bytes are read again as the same request, with the same body length, to the last byte: nothing smuggled. */
static void check_canon(const struct http1_head *h)
{
	struct buf once BUF_AUTO = { 0 };
	struct buf twice BUF_AUTO = { 0 };
	struct buf stripped BUF_AUTO = { 0 };
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
	if (parse(buf_view(&once), once.len, &second, &len, &f) == HTTP1_BAD) {
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

static void check_answer(struct bytes in)
{
	const struct http1_relay relay = { .client_minor = 1, .keep = true };
	struct buf out BUF_AUTO = { 0 };
	struct http1_scan s = { 0 };
	struct http1_scan t = { 0 };
	struct http1_head h;
	struct http1_length l;
	struct http1_length again;
	enum http1_fault f;
	size_t len;

	buf_init(&out, (size_t)2 * HTTP1_HEAD_LEN_MAX);
	if (http1_response_head(&s, in, &h, &len, &f) != HTTP1_DONE || !http1_response_length(&h, false, &l, &f))
		return;
	(void)http1_answer_canon(&h, &l, &relay, &out);
	if (http1_response_head(&t, buf_view(&out), &h, &len, &f) != HTTP1_DONE) {
		must(f == HTTP1_FAULT_TOO_LARGE);
		return;
	}
	must(len == out.len && http1_response_length(&h, false, &again, &f));
	must(again.framing == (l.framing == HTTP1_UNTIL_CLOSE ? HTTP1_CHUNKED : l.framing));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1_head h;
	struct http1_head slow;
	enum http1_fault f = HTTP1_FAULT_NONE;
	enum http1_fault slow_f = HTTP1_FAULT_NONE;
	size_t len = 0;
	size_t slow_len = 0;
	enum http1_answer a;

	a = parse(bytes_of(data, size), size + 1, &h, &len, &f);
	if (size <= 2048) { /* cut or whole: the same */
		must(parse(bytes_of(data, size), 1, &slow, &slow_len, &slow_f) == a);
		must(f == slow_f && len == slow_len);
	}
	if (a == HTTP1_DONE)
		check_canon(&h);
	check_answer(bytes_of(data, size));
	return 0;
}
