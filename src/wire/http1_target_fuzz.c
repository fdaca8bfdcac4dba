#include <stdlib.h>

#include "base/must.h"
#include "wire/http1_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What policy sees holds no dot segment, no empty segment, no byte outside the form. */
static void check_path(struct bytes path)
{
	size_t from = 1;

	for (size_t i = 1; i <= path.len; i++) {
		struct bytes segment = bytes_of(path.p + from, i - from);

		if (i < path.len && path.p[i] != '/') {
			must(path.p[i] > 0x20 && path.p[i] < 0x7f && !strchr("?#\\;\"<>[]|^`{}", path.p[i]));
			continue;
		}
		must(!bytes_is(segment, ".") && !bytes_is(segment, ".."));
		must(segment.len || i == path.len);
		from = i + 1;
	}
}

/* The canonical form of the canonical form is itself, with and without the flag. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once BUF_AUTO = { 0 };
	struct buf twice BUF_AUTO = { 0 };
	struct http1_target t;
	struct http1_target again;
	bool flag = size & 1;

	buf_init(&once, (size_t)4 * HTTP1_LINE_MAX);
	buf_init(&twice, (size_t)4 * HTTP1_LINE_MAX);
	if (http1_target_canon(bytes_of(data, size), flag, &once, &t) != HTTP1_FAULT_NONE) {
		must(once.len == 0);
		return 0;
	}
	check_path(bytes_of(once.p, t.path_len));
	if (once.len > HTTP1_LINE_MAX)
		return 0;
	must(http1_target_canon(buf_view(&once), flag, &twice, &again) == HTTP1_FAULT_NONE);
	must(bytes_eq(buf_view(&once), buf_view(&twice)));
	must(t.path_len == again.path_len && t.query_len == again.query_len && t.has_query == again.has_query);
	return 0;
}
