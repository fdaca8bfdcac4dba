#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An answer that we pass on is read again to its last byte, with a body that ends where the first one's does. */
static void check(struct bytes in)
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
	check(bytes_of(data, size));
	return 0;
}
