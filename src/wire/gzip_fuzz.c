#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "wire/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 256 * 1024 };

static enum gzip_answer unpack(struct bytes in, size_t step, size_t room, struct buf *out, enum gzip_fault *f)
{
	struct gzip *g = gzip_new(MAX);
	static uint8_t piece[64 * 1024];
	enum gzip_answer a = GZIP_MORE;
	size_t off = 0, end = 0, used, len;

	must(g);
	while (a == GZIP_MORE || off < in.len) {
		if (off == end)
			end = in.len - end > step ? end + step : in.len;
		a = gzip_next(g, bytes_of(in.p + off, end - off), piece, room, &used, &len, f);
		if (a == GZIP_BAD)
			break;
		must(used <= end - off && len <= room && buf_add(out, piece, len));
		off += used;
		if (a == GZIP_MORE && off == in.len && len < room)
			break;
	}
	(void)gzip_free(g);
	return a;
}

/* Cut or whole the same, and never more than the ceiling. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole BUF_AUTO = { 0 };
	struct buf cut BUF_AUTO = { 0 };
	enum gzip_fault f = GZIP_FAULT_NONE, g = GZIP_FAULT_NONE;
	enum gzip_answer a;

	if (size > 4096)
		return 0;
	buf_init(&whole, MAX);
	buf_init(&cut, MAX);
	a = unpack(bytes_of(data, size), size + 1, 64 * 1024, &whole, &f);
	if (unpack(bytes_of(data, size), 3, 1000, &cut, &g) != a || f != g)
		must(f == GZIP_FAULT_RATIO || g == GZIP_FAULT_RATIO); /* asked at other places */
	else
		must(a != GZIP_DONE || bytes_eq(buf_view(&whole), buf_view(&cut)));
	return 0;
}
