#include "wire/armor.h"

#include "base/tap.h"

static bool refused(const char *text)
{
	struct buf b;
	bool ok;

	buf_init(&b, 100);
	ok = !armor_get(bytes_str(text), "X", &b) && b.len == 0;
	buf_deinit(&b);
	return ok;
}

TEST(a_block_is_read_whatever_its_lines_are_long)
{
	struct buf b;

	buf_init(&b, 100);
	CHECK(armor_get(bytes_str("-----BEGIN X-----\nc2F3\nIHNhdw==\n-----END X-----\n"), "X", &b));
	CHECK_STR(buf_cstr(&b), "saw saw");
	buf_reset(&b);
	CHECK(armor_get(bytes_str("-----BEGIN X-----\nc2\nF3IHNhdw=\n=\n-----END X-----"), "X", &b));
	CHECK_STR(buf_cstr(&b), "saw saw");
	buf_deinit(&b);
}

TEST(what_is_written_is_read_again)
{
	uint8_t data[300];
	struct buf text;
	struct buf back;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	for (size_t n = 1; n < sizeof(data); n++) {
		buf_init(&text, 1000);
		buf_init(&back, 1000);
		CHECK(armor_put(&text, "SSH SIGNATURE", bytes_of(data, n), 70));
		CHECK(armor_get(buf_view(&text), "SSH SIGNATURE", &back) && bytes_eq(buf_view(&back), bytes_of(data, n)));
		buf_deinit(&text);
		buf_deinit(&back);
	}
}

TEST(anything_around_or_inside_the_one_block_is_refused)
{
	CHECK(refused("") && refused("-----BEGIN X-----") && refused("-----BEGIN X-----\n-----END X-----\n"));
	CHECK(refused(" -----BEGIN X-----\nc2F3\n-----END X-----\n"));
	CHECK(refused("-----BEGIN X-----\nc2F3\n-----END X-----\n\n"));
	CHECK(refused("-----BEGIN X-----\nc2F3\n-----END X-----\n-----BEGIN X-----\nc2F3\n-----END X-----\n"));
	CHECK(refused("-----BEGIN X-----\nc2F3\n-----END Y-----\n") && refused("-----BEGIN Y-----\nc2F3\n-----END Y-----\n"));
	CHECK(refused("-----BEGIN X-----\r\nc2F3\r\n-----END X-----\r\n") && refused("-----BEGIN X-----\n\nc2F3\n-----END X-----\n"));
	CHECK(refused("-----BEGIN X-----\nA: b\n\nc2F3\n-----END X-----\n") && refused("-----BEGIN X-----\nc2F\n-----END X-----\n"));
	CHECK(refused("-----BEGIN X-----\nc2F3-----END X-----\n") && refused("-----BEGIN X-----\nc2F3\nc2F3"));
}

TEST(the_label_of_a_block_is_known_before_it_is_read)
{
	struct bytes label;

	CHECK(armor_label(bytes_str("-----BEGIN ENCRYPTED PRIVATE KEY-----\nxx"), &label) && bytes_is(label, "ENCRYPTED PRIVATE KEY"));
	CHECK(!armor_label(bytes_str("-----BEGIN -----\n"), &label) && !armor_label(bytes_str("-----BEGIN X---\n"), &label));
	CHECK(!armor_label(bytes_str("ssh-ed25519 AAAA"), &label));
}
