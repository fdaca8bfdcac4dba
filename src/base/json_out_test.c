#include "base/json_out.h"
#include "base/tap.h"

TEST(commas_and_escapes_are_the_writers_business)
{
	BUF_AUTO struct buf b;
	struct json_out j;

	buf_init(&b, 4096);
	json_out_init(&j, &b);
	json_out_object(&j);
	json_out_key_str(&j, "a", "q\" \\ \n \x01 \x7f \xe2\x80\xa8 \xff é");
	json_out_key(&j, "l");
	json_out_array(&j);
	json_out_u64(&j, UINT64_MAX);
	json_out_null(&j);
	json_out_object(&j);
	json_out_object_end(&j);
	json_out_array_end(&j);
	json_out_key_bool(&j, "t", true);
	json_out_key_bytes_opt(&j, "none", bytes_str(""));
	json_out_object_end(&j);
	CHECK_STR(buf_cstr(&b), "{\"a\":\"q\\\" \\\\ \\n \\u0001 \\u007f \\u2028 \xef\xbf\xbd é\","
				"\"l\":[18446744073709551615,null,{}],\"t\":true}");
}

TEST(members_that_were_rendered_before_stand_among_others)
{
	BUF_AUTO struct buf b;
	struct json_out j;

	buf_init(&b, 4096);
	json_out_init(&j, &b);
	json_out_object(&j);
	json_out_members(&j, bytes_str("\"a\":1,\"b\":{}"));
	json_out_members(&j, bytes_str("\"c\":2"));
	json_out_key_name(&j, bytes_str("\"d\n"));
	json_out_object(&j);
	json_out_object_end(&j);
	json_out_members(&j, bytes_str("\"e\":3"));
	json_out_object_end(&j);
	CHECK_STR(buf_cstr(&b), "{\"a\":1,\"b\":{},\"c\":2,\"\\\"d\\n\":{},\"e\":3}");
}

TEST(bytes_that_readers_refuse_are_replaced)
{
	BUF_AUTO struct buf b;
	struct json_out j;

	buf_init(&b, 4096);
	json_out_init(&j, &b);
	json_out_bytes(&j, bytes_of("a\0b\xff", 4));
	CHECK_STR(buf_cstr(&b), "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\"");
}

/* Text is looked at in words: no byte of one may hide another. */
TEST(each_byte_is_written_alike_wherever_it_stands)
{
	BUF_AUTO struct buf alone;
	BUF_AUTO struct buf within;
	BUF_AUTO struct buf want;
	struct json_out j;
	uint8_t text[20];

	buf_init(&alone, 64);
	buf_init(&within, 256);
	buf_init(&want, 256);
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < sizeof(text); at++) {
			uint8_t byte = (uint8_t)c;

			memset(text, 'a' + (int)at % 2, sizeof(text));
			text[at] = byte;
			buf_reset(&alone);
			json_out_init(&j, &alone);
			json_out_bytes(&j, bytes_of(&byte, 1));
			buf_reset(&within);
			json_out_init(&j, &within);
			json_out_bytes(&j, bytes_of(text, sizeof(text)));
			buf_reset(&want);
			(void)buf_byte(&want, '"');
			(void)buf_add(&want, text, at);
			(void)buf_add(&want, alone.p + 1, alone.len - 2);
			(void)buf_add(&want, text + at + 1, sizeof(text) - at - 1);
			(void)buf_byte(&want, '"');
			if (!bytes_eq(buf_view(&within), buf_view(&want)))
				CHECK_STR(buf_cstr(&within), buf_cstr(&want));
		}
	CHECK(!alone.failed && !within.failed && !want.failed);
}
