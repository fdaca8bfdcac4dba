#include "base/base64.h"
#include "base/tap.h"

static bool decodes(const char *text, const char *want)
{
	struct buf out BUF_AUTO;

	buf_init(&out, 100);
	return base64_get(bytes_str(text), &out) && bytes_is(buf_view(&out), want);
}

static bool encodes(const char *data, const char *want)
{
	struct buf out BUF_AUTO;

	buf_init(&out, 100);
	return base64_put(&out, bytes_str(data)) && bytes_is(buf_view(&out), want);
}

TEST(vectors_of_rfc_4648_hold_both_ways)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		CHECK(encodes(pairs[i][0], pairs[i][1]));
		CHECK(decodes(pairs[i][1], pairs[i][0]));
	}
}

TEST(anything_but_the_one_spelling_is_refused)
{
	static const char *const bad[] = { "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm 9", "Zm9v\n", "Zm-_", "=g==" };
	struct buf out BUF_AUTO;

	buf_init(&out, 100);
	buf_str(&out, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!base64_get(bytes_str(bad[i]), &out));
	CHECK(!base64_get(bytes_str("Zm9vZm=v"), &out));
	CHECK(bytes_is(buf_view(&out), "kept"));
}
