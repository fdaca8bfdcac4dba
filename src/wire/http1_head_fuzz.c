#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum http1_answer (*parse_fn)(struct http1_scan *, struct bytes, struct http1_head *, size_t *, enum http1_fault *);

/* Cut or whole: the same answer, the same fault, the same views. */
static void check(parse_fn parse, struct bytes in, size_t step)
{
	struct http1_scan whole = { 0 };
	struct http1_scan cut = { 0 };
	struct http1_head h = { 0 };
	struct http1_head slow = { 0 };
	enum http1_fault f = HTTP1_FAULT_NONE;
	enum http1_fault slow_f = HTTP1_FAULT_NONE;
	enum http1_answer a = HTTP1_MORE;
	size_t len = 0;
	size_t slow_len = 0;

	for (size_t n = step; a == HTTP1_MORE && n < in.len; n += step)
		a = parse(&cut, bytes_of(in.p, n), &slow, &slow_len, &slow_f);
	if (a == HTTP1_MORE)
		a = parse(&cut, in, &slow, &slow_len, &slow_f);
	must(parse(&whole, in, &h, &len, &f) == a && f == slow_f && len == slow_len);
	if (a != HTTP1_DONE)
		return;
	must(len <= in.len && len <= HTTP1_HEAD_LEN_MAX && h.n_fields == slow.n_fields && h.n_fields <= HTTP1_FIELDS_MAX);
	for (size_t i = 0; i < h.n_fields; i++) {
		must(http1_is_token(h.fields[i].name));
		must(bytes_eq(h.fields[i].name, slow.fields[i].name) && bytes_eq(h.fields[i].value, slow.fields[i].value));
		must(bytes_find(h.fields[i].value, '\r') == h.fields[i].value.len);
		must(bytes_find(h.fields[i].value, '\n') == h.fields[i].value.len);
		must(bytes_find(h.fields[i].value, '\0') == h.fields[i].value.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t step = size <= 2048 ? 1 : 1024;

	check(http1_request_head, bytes_of(data, size), step);
	check(http1_response_head, bytes_of(data, size), step);
	return 0;
}
