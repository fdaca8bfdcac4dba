#include "wire/gzip.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/tap.h"

enum { MAX = 1024 * 1024 };

static void pack(struct bytes text, int window, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text.p, .avail_in = (uInt)text.len };
	uint8_t *p;

	CHECK_INT(deflateInit2(&z, 9, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY), Z_OK);
	p = buf_room(out, text.len + 1000);
	z.next_out = p;
	z.avail_out = (uInt)text.len + 1000;
	CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_grew(out, text.len + 1000 - z.avail_out);
	(void)deflateEnd(&z);
}

static enum gzip_answer unpack(struct bytes in, size_t step, size_t room, uint64_t max, struct buf *out, enum gzip_fault *f)
{
	struct gzip *g = gzip_new(max);
	enum gzip_answer a = GZIP_MORE;
	size_t off = 0, end = 0, used, len;
	uint8_t *p = malloc(room);

	*f = GZIP_FAULT_NONE;
	while (g && p && (a == GZIP_MORE || off < in.len)) {
		if (off == end)
			end = in.len - end > step ? end + step : in.len;
		a = gzip_next(g, bytes_of(in.p + off, end - off), p, room, &used, &len, f);
		if (a == GZIP_BAD)
			break;
		(void)buf_add(out, p, len);
		off += used;
		if (a == GZIP_MORE && off == in.len && len < room)
			break;
	}
	free(p);
	(void)gzip_free(g);
	return a;
}

static void text_of(struct buf *b, size_t len)
{
	buf_init(b, 2 * MAX);
	for (uint32_t x = 1; b->len < len; x = x * 1664525 + 1013904223)
		(void)buf_fmt(b, "have %08x\n", x);
	b->len = len;
}

TEST(a_member_unpacks_however_it_is_cut)
{
	struct buf text BUF_AUTO;
	struct buf packed BUF_AUTO;

	text_of(&text, 5000);
	buf_init(&packed, MAX);
	pack(buf_view(&text), 15 + 16, &packed);
	for (size_t step = 1; step < packed.len * 3; step = step * 3)
		for (size_t room = 1; room < 10000; room = room * 10) {
			struct buf out BUF_AUTO;
			enum gzip_fault f;

			buf_init(&out, MAX);
			CHECK_INT(unpack(buf_view(&packed), step, room, 5000, &out, &f), GZIP_DONE);
			CHECK(bytes_eq(buf_view(&out), buf_view(&text)));
		}
}

/* I2 */
TEST(whatever_is_not_exactly_one_member_is_bad)
{
	struct buf text BUF_AUTO;
	struct buf packed BUF_AUTO;
	struct buf twice BUF_AUTO;
	struct buf zlib BUF_AUTO;
	struct buf raw BUF_AUTO;
	struct buf out BUF_AUTO;
	enum gzip_fault f;

	text_of(&text, 500);
	buf_init(&packed, MAX);
	buf_init(&twice, MAX);
	buf_init(&zlib, MAX);
	buf_init(&raw, MAX);
	buf_init(&out, MAX);
	pack(buf_view(&text), 15 + 16, &packed);
	pack(buf_view(&text), 15 + 16, &twice);
	pack(buf_view(&text), 15 + 16, &twice);
	pack(buf_view(&text), 15, &zlib);
	pack(buf_view(&text), -15, &raw);
	CHECK_INT(unpack(buf_view(&twice), 7, 100, MAX, &out, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_TRAILING);
	CHECK_INT(unpack(buf_view(&twice), MAX, 10000, MAX, &out, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_TRAILING);
	CHECK_INT(unpack(buf_view(&zlib), 7, 100, MAX, &out, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_MALFORMED);
	CHECK_INT(unpack(buf_view(&raw), 7, 100, MAX, &out, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_MALFORMED);
	CHECK_INT(unpack(bytes_str("0000"), 7, 100, MAX, &out, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_MALFORMED);
	CHECK_INT(unpack(bytes_of(packed.p, packed.len - 1), 7, 10000, MAX, &out, &f), GZIP_MORE);
	for (size_t back = 1; back <= 8; back++) { /* checksum and length */
		packed.p[packed.len - back] ^= 1;
		CHECK_INT(unpack(buf_view(&packed), 7, 100, MAX, &out, &f), GZIP_BAD);
		CHECK_INT(f, GZIP_FAULT_MALFORMED);
		packed.p[packed.len - back] ^= 1;
	}
}

/* I2 */
TEST(what_comes_out_is_bounded_by_a_ceiling_and_by_what_went_in)
{
	struct buf text BUF_AUTO;
	struct buf packed BUF_AUTO;
	struct buf bomb BUF_AUTO;
	struct buf out BUF_AUTO;
	enum gzip_fault f;

	text_of(&text, 200000);
	buf_init(&packed, MAX);
	buf_init(&bomb, MAX);
	buf_init(&out, 2 * MAX);
	pack(buf_view(&text), 15 + 16, &packed);
	CHECK_INT(unpack(buf_view(&packed), 1000, 1000, 200000, &out, &f), GZIP_DONE);
	CHECK_INT(unpack(buf_view(&packed), 1000, 1000, 199999, &out, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_TOO_LARGE);
	memset(text.p, 'a', text.len);
	pack(bytes_of(text.p, GZIP_RATIO_FROM), 15 + 16, &bomb);
	CHECK_INT(unpack(buf_view(&bomb), 1000, 1000, MAX, &out, &f), GZIP_DONE);
	buf_reset(&bomb);
	pack(buf_view(&text), 15 + 16, &bomb);
	CHECK_INT(unpack(buf_view(&bomb), 1000, 1000, MAX, &out, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_RATIO);
}

TEST(a_decoder_that_is_done_takes_nothing_more)
{
	struct gzip *g = gzip_new(100);
	struct gzip *other = gzip_new(100);
	struct buf packed BUF_AUTO;
	struct buf more BUF_AUTO;
	enum gzip_fault f;
	uint8_t out[100];
	size_t used, len;

	buf_init(&packed, MAX);
	buf_init(&more, MAX);
	pack(bytes_str("0000"), 15 + 16, &packed);
	(void)buf_bytes(&more, buf_view(&packed));
	(void)buf_byte(&more, 'x');
	CHECK_INT(gzip_next(other, buf_view(&more), out, 100, &used, &len, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_TRAILING);
	(void)gzip_free(other);
	CHECK_INT(gzip_next(g, buf_view(&packed), out, 100, &used, &len, &f), GZIP_DONE);
	CHECK_INT(gzip_next(g, bytes_of(NULL, 0), out, 100, &used, &len, &f), GZIP_DONE);
	CHECK_INT(len, 0);
	CHECK_INT(gzip_next(g, bytes_str("x"), out, 100, &used, &len, &f), GZIP_BAD);
	CHECK_INT(f, GZIP_FAULT_TRAILING);
	CHECK_INT(gzip_next(g, bytes_of(NULL, 0), out, 100, &used, &len, &f), GZIP_BAD);
	(void)gzip_free(g);
	(void)gzip_free(NULL);
}
