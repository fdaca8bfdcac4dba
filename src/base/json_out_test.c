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
	json_out_i64(&j, -1);
	json_out_null(&j);
	json_out_object(&j);
	json_out_object_end(&j);
	json_out_array_end(&j);
	json_out_key_bool(&j, "t", true);
	json_out_key_bytes_opt(&j, "none", bytes_str(""));
	json_out_object_end(&j);
	CHECK_STR(buf_cstr(&b), "{\"a\":\"q\\\" \\\\ \\n \\u0001 \\u007f \\u2028 \xef\xbf\xbd é\","
				"\"l\":[18446744073709551615,-1,null,{}],\"t\":true}");
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
