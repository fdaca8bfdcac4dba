#include "base/tap.h"
#include "cli/json_put.h"

static bool same(const char *text, const char *want)
{
	struct json_node nodes[64];
	struct buf out BUF_AUTO = { 0 };
	uint32_t n;
	size_t at;

	buf_init(&out, 1000);
	return json_scan(bytes_str(text), nodes, 64, &n, &at) == JSON_OK && json_put(nodes, nodes, &out) &&
	       bytes_is(buf_view(&out), want);
}

TEST(a_value_is_written_as_it_was_spelled_without_white_space)
{
	CHECK(same("7", "7"));
	CHECK(same("{}", "{}"));
	CHECK(same("[ ]", "[]"));
	CHECK(same("{\"a\": [1, -2.5e3, {\"b\" : null}, []], \"c\\u0041\": \"\\n\", \"d\": {\"e\": {}}}",
		   "{\"a\":[1,-2.5e3,{\"b\":null},[]],\"c\\u0041\":\"\\n\",\"d\":{\"e\":{}}}"));
}

TEST(the_deepest_value_that_is_read_is_written_too)
{
	CHECK(same("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"));
}
