#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "wire/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t events(struct buf *out, struct bytes text, size_t step)
{
	struct sse s = { 0 };
	size_t n = 0;

	for (size_t off = 0; off < text.len; off += step) {
		struct bytes in = bytes_of(text.p + off, text.len - off > step ? step : text.len - off);
		enum sse_item item;

		do {
			struct bytes piece = { 0 };
			size_t used = 0;

			item = sse_next(&s, in, &used, &piece);
			must(used <= in.len && (item == SSE_MORE ? used == in.len : used > 0));
			in = bytes_skip(in, used);
			must(buf_bytes(out, piece));
			n += item == SSE_END;
		} while (item != SSE_MORE);
	}
	return n;
}

/* Cut or whole the same; what is written as one event reads as that event. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole BUF_AUTO = { 0 };
	struct buf cut BUF_AUTO = { 0 };
	struct buf event BUF_AUTO = { 0 };
	size_t n;

	buf_init(&whole, 2 * size + 16);
	buf_init(&cut, 2 * size + 16);
	buf_init(&event, 8 * size + 64);
	n = events(&whole, bytes_of(data, size), size + 1);
	must(events(&cut, bytes_of(data, size), 1) == n && bytes_eq(buf_view(&whole), buf_view(&cut)));
	if (memchr(data ? data : (const uint8_t *)"", '\r', size))
		return 0;
	(void)buf_str(&event, "id: x\r\ndata: ");
	for (size_t i = 0; i < size; i++)
		if (data[i] == '\n')
			(void)buf_str(&event, "\r\ndata: ");
		else
			(void)buf_byte(&event, data[i]);
	(void)buf_str(&event, "\r\n\r\n");
	buf_reset(&cut);
	must(events(&cut, buf_view(&event), 7) == 1 && bytes_eq(buf_view(&cut), bytes_of(data, size)));
	return 0;
}
