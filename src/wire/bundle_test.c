#include "wire/bundle.h"

#include <stdlib.h>

#include "base/tap.h"

static struct bundle example(void)
{
	return (struct bundle){ bytes_str("{}\n"), bytes_str("sig"), bytes_str("version: 1\n") };
}

TEST(three_parts_come_back_as_they_went_in)
{
	struct bundle b = example();
	struct bundle back;
	struct buf out;

	buf_init(&out, BUNDLE_MAX);
	CHECK(bundle_put(&out, &b));
	CHECK_INT(bundle_get(buf_view(&out), &back), BUNDLE_DONE);
	CHECK(bytes_eq(back.manifest, b.manifest) && bytes_eq(back.signature, b.signature) && bytes_eq(back.policy, b.policy));
	b.signature = b.policy = bytes_of(NULL, 0);
	buf_reset(&out);
	CHECK(bundle_put(&out, &b) && bundle_get(buf_view(&out), &back) == BUNDLE_DONE && back.signature.len == 0);
	buf_deinit(&out);
}

TEST(every_cut_and_anything_behind_it_is_refused)
{
	struct bundle b = example();
	struct bundle back;
	struct buf out;

	buf_init(&out, BUNDLE_MAX);
	CHECK(bundle_put(&out, &b));
	for (size_t n = 0; n < out.len; n++)
		CHECK_INT(bundle_get(bytes_of(out.p, n), &back), BUNDLE_BAD);
	CHECK(buf_byte(&out, 0));
	CHECK_INT(bundle_get(buf_view(&out), &back), BUNDLE_BAD);
	buf_deinit(&out);
}

TEST(a_later_version_is_named_as_such)
{
	struct bundle back;

	CHECK_INT(bundle_get(bytes_str("saw-bundle-2\nwhatever"), &back), BUNDLE_NEWER);
	CHECK_INT(bundle_get(bytes_str("saw-bundle-10\n"), &back), BUNDLE_NEWER);
	CHECK_INT(bundle_get(bytes_str("saw-bundle-01\n"), &back), BUNDLE_BAD);
	CHECK_INT(bundle_get(bytes_str("saw-bundle-x\n"), &back), BUNDLE_BAD);
	CHECK_INT(bundle_get(bytes_str("version: 1\n"), &back), BUNDLE_BAD);
}

TEST(a_part_over_its_limit_is_neither_written_nor_read)
{
	uint8_t *big = calloc(1, BUNDLE_MANIFEST_MAX + 1);
	struct bundle b = { bytes_of(big, BUNDLE_MANIFEST_MAX + 1), bytes_of(NULL, 0), bytes_of(NULL, 0) };
	struct bundle back;
	struct buf out;

	buf_init(&out, BUNDLE_MAX);
	CHECK(!bundle_put(&out, &b));
	CHECK(buf_str(&out, "saw-bundle-1\n") && buf_u32be(&out, BUNDLE_MANIFEST_MAX + 1) &&
	      buf_add(&out, big, BUNDLE_MANIFEST_MAX + 1) && buf_u32be(&out, 0) && buf_u32be(&out, 0));
	CHECK_INT(bundle_get(buf_view(&out), &back), BUNDLE_BAD);
	buf_deinit(&out);
	free(big);
}
