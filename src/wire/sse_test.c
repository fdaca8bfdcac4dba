#include "wire/sse.h"

#include "base/buf.h"
#include "base/tap.h"

/* Events as "data|data|", with [] around what never ended. */
static const char *events(struct buf *out, struct bytes text, size_t step)
{
	struct sse s = { 0 };
	size_t since = 0;

	buf_init(out, 10000);
	for (size_t off = 0; off < text.len; off += step) {
		struct bytes in = bytes_of(text.p + off, text.len - off > step ? step : text.len - off);

		for (;;) {
			struct bytes piece = { 0 };
			size_t used = 0;
			enum sse_item item = sse_next(&s, in, &used, &piece);

			in = bytes_skip(in, used);
			if (item == SSE_MORE)
				break;
			(void)buf_bytes(out, piece);
			if (item == SSE_END) {
				(void)buf_byte(out, '|');
				since = out->len;
			}
		}
		CHECK_INT(in.len, 0);
	}
	if (out->len > since)
		(void)buf_str(out, " unended");
	return buf_cstr(out);
}

TEST(events_have_their_data_whatever_ends_their_lines_and_however_they_are_cut)
{
	static const char *const vectors[][2] = {
		{ "data: a\n\n", "a|" },
		{ "data: a\r\n\r\ndata:b\r\rdata:c\n\n", "a|b|c|" },
		{ "data:  two blanks\n\n", " two blanks|" },
		{ "data: a\ndata: b\n\n", "a\nb|" },
		{ "event: x\nid: 1\nretry: 5\ndata: a\n: comment\n\n", "a|" },
		{ ": only a comment\n\nevent: x\n\n", "" },
		{ "data\n\n", "|" },
		{ "data:\n\n", "|" },
		{ "\xef\xbb\xbf" "data: a\n\n", "a|" },
		{ "\xef\xbb" "data: a\n\ndata: b\n\n", "b|" },
		{ "\xef" "ata: a\n\ndata: b\n\n", "b|" },
		{ "\n\xef\xbb\xbf" "data: a\n\ndata: b\n\n", "b|" }, /* not in front */
		{ "Data: a\n\ndatax: b\n\ndat: c\n\n data: d\n\n", "" },
		{ "data: a:b: c\n\n", "a:b: c|" },
		{ "data: a", "a unended" },
		{ "data: a\n", "a unended" },
		{ "data: a\r\n\n\n\r\ndata: b\r\n\r\n", "a|b|" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 40; step++) {
			struct buf out BUF_AUTO;

			if (!CHECK_STR(events(&out, bytes_str(vectors[i][0]), step), vectors[i][1]))
				printf("# vector %zu, step %zu\n", i, step);
		}
}
