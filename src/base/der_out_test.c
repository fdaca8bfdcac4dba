#include "base/der_out.h"

#include "base/tap.h"
#include "base/time_text.h"

static bool is(const struct buf *b, const char *want, size_t len)
{
	return !b->failed && bytes_eq(buf_view(b), bytes_of(want, len));
}

#define IS(b, want) is((b), (want), sizeof(want) - 1)

TEST(a_length_takes_its_shortest_form)
{
	static const uint8_t zeros[70000];
	static const struct {
		size_t len;
		const char *head;
		size_t head_len;
	} rows[] = {
		{ 0, "\x04\x00", 2 },	  { 1, "\x04\x01", 2 },		{ 127, "\x04\x7f", 2 },
		{ 128, "\x04\x81\x80", 3 }, { 255, "\x04\x81\xff", 3 },	{ 256, "\x04\x82\x01\x00", 4 },
		{ 65535, "\x04\x82\xff\xff", 4 }, { 65536, "\x04\x83\x01\x00\x00", 5 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		BUF_AUTO struct buf b;

		buf_init(&b, sizeof(zeros) + 16);
		CHECK(der_out_put(&b, DER_OCTET_STRING, bytes_of(zeros, rows[i].len)));
		CHECK_INT(b.len, rows[i].head_len + rows[i].len);
		CHECK(bytes_starts(buf_view(&b), bytes_of(rows[i].head, rows[i].head_len)));
	}
}

TEST(a_sequence_wraps_what_was_written_inside_it)
{
	BUF_AUTO struct buf b;
	size_t outer, inner;

	buf_init(&b, 1000);
	CHECK(buf_byte(&b, 'x'));
	outer = der_out_open(&b, DER_SEQUENCE);
	inner = der_out_open(&b, DER_CONTEXT | DER_CONSTRUCTED | 3);
	CHECK(der_out_put(&b, DER_INTEGER, bytes_of("\x02", 1)));
	CHECK(der_out_close(&b, inner) && der_out_put(&b, DER_OID, bytes_of("\x55\x1d\x11", 3)) && der_out_close(&b, outer));
	CHECK(IS(&b, "x\x30\x0a\xa3\x03\x02\x01\x02\x06\x03\x55\x1d\x11"));
}

TEST(a_long_element_keeps_its_content_when_it_moves_up)
{
	BUF_AUTO struct buf b;
	uint8_t content[300];
	size_t outer, inner;

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)i;
	buf_init(&b, 1000);
	outer = der_out_open(&b, DER_SEQUENCE);
	inner = der_out_open(&b, DER_SEQUENCE);
	CHECK(buf_add(&b, content, sizeof(content)) && der_out_close(&b, inner) && der_out_close(&b, outer));
	CHECK_INT(b.len, 308);
	CHECK(memcmp(b.p, "\x30\x82\x01\x30\x30\x82\x01\x2c", 8) == 0 && memcmp(b.p + 8, content, sizeof(content)) == 0);
}

static bool time_is(const char *at, const char *want, size_t len)
{
	BUF_AUTO struct buf b;
	uint64_t ms = 0;

	buf_init(&b, 100);
	return time_text_parse(bytes_str(at), &ms) && der_out_time(&b, ms) && is(&b, want, len);
}

TEST(a_time_is_utc_time_until_2049_and_generalized_after)
{
	CHECK(time_is("2026-11-24T17:05:09.999Z", "\x17\x0d" "261124170509Z", 15));
	CHECK(time_is("1970-01-01T00:00:00Z", "\x17\x0d" "700101000000Z", 15));
	CHECK(time_is("2049-12-31T23:59:59Z", "\x17\x0d" "491231235959Z", 15));
	CHECK(time_is("2050-01-01T00:00:00Z", "\x18\x0f" "20500101000000Z", 17));
	CHECK(time_is("9999-12-31T23:59:59Z", "\x18\x0f" "99991231235959Z", 17));
}

TEST(what_does_not_fit_is_said_and_not_cut)
{
	for (size_t max = 0; max < 133; max++) {
		BUF_AUTO struct buf b;
		uint8_t content[128] = { 0 };
		size_t mark;

		buf_init(&b, max);
		mark = der_out_open(&b, DER_SEQUENCE);
		(void)buf_add(&b, content, sizeof(content));
		CHECK(der_out_close(&b, mark) == (max >= 131) && b.failed == (max < 131));
	}
}
