#include "wire/fat.h"

#include "base/tap.h"

static uint8_t big[3000];

static bool write_two(struct buf *b)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	return fat_write(b, "CIDATA", 0x1234, (const struct fat_file[]){ { bytes_str("meta-data"), bytes_str("short") },
									 { bytes_str("network-config"), bytes_of(big, sizeof(big)) },
									 { bytes_str("empty"), bytes_str("") } }, 3);
}

TEST(files_come_back_byte_for_byte)
{
	BUF_AUTO struct buf image, got;

	buf_init(&image, FAT_IMAGE_BYTES);
	buf_init(&got, FAT_IMAGE_BYTES);
	CHECK(write_two(&image));
	CHECK_INT(image.len, FAT_IMAGE_BYTES);
	CHECK(fat_has_label(buf_view(&image), "CIDATA"));
	CHECK(!fat_has_label(buf_view(&image), "CIDAT"));
	CHECK_INT(fat_read(buf_view(&image), "network-config", &got), FAT_OK);
	CHECK(bytes_eq(buf_view(&got), bytes_of(big, sizeof(big))));
	buf_reset(&got);
	CHECK_INT(fat_read(buf_view(&image), "meta-data", &got), FAT_OK);
	CHECK_STR(buf_cstr(&got), "short");
	buf_reset(&got);
	CHECK_INT(fat_read(buf_view(&image), "empty", &got), FAT_OK);
	CHECK_INT(got.len, 0);
	CHECK_INT(fat_read(buf_view(&image), "user-data", &got), FAT_MISSING);
}

TEST(what_does_not_fit_or_clashes_is_refused_and_nothing_is_written)
{
	static uint8_t huge[FAT_IMAGE_BYTES];
	BUF_AUTO struct buf b;

	buf_init(&b, FAT_IMAGE_BYTES);
	CHECK(!fat_write(&b, "CIDATA", 1, (const struct fat_file[]){ { bytes_str("a"), bytes_of(huge, sizeof(huge)) } }, 1));
	CHECK(!fat_write(&b, "CIDATA", 1, (const struct fat_file[]){ { bytes_str("../x"), bytes_str("") } }, 1));
	CHECK(!fat_write(&b, "CIDATA", 1, (const struct fat_file[]){ { bytes_str(""), bytes_str("") } }, 1));
	CHECK(!fat_write(&b, "A LABEL TOO LONG", 1, NULL, 0));
	CHECK(!fat_write(&b, "CIDATA", 1, (const struct fat_file[]){ { bytes_str("network-a"), bytes_str("") },
								     { bytes_str("network-b"), bytes_str("") } }, 2));
	CHECK_INT(b.len, 0);
}

TEST(a_chain_that_loops_or_leaves_the_volume_is_refused)
{
	BUF_AUTO struct buf image, got;

	buf_init(&image, FAT_IMAGE_BYTES);
	buf_init(&got, FAT_IMAGE_BYTES);
	CHECK(write_two(&image));
	/* network-config begins in cluster 3: the upper 12 bits of the entry at byte 4. */
	image.p[512 + 4] = (uint8_t)((image.p[512 + 4] & 0x0f) | 3 << 4);
	image.p[512 + 5] = 0;
	CHECK_INT(fat_read(buf_view(&image), "network-config", &got), FAT_OK);
	CHECK(!bytes_eq(buf_view(&got), bytes_of(big, sizeof(big))));
	buf_reset(&got);
	image.p[512 + 5] = 0xff;
	CHECK_INT(fat_read(buf_view(&image), "network-config", &got), FAT_MALFORMED);
	CHECK_INT(got.len, 0);
}

TEST(a_boot_sector_that_promises_more_than_there_is_is_refused)
{
	BUF_AUTO struct buf image, got;

	buf_init(&image, FAT_IMAGE_BYTES);
	buf_init(&got, FAT_IMAGE_BYTES);
	CHECK(write_two(&image));
	CHECK_INT(fat_read(bytes_of(image.p, 4096), "meta-data", &got), FAT_MALFORMED);
	image.p[16] = 255;
	CHECK_INT(fat_read(buf_view(&image), "meta-data", &got), FAT_MALFORMED);
	CHECK_INT(fat_read(bytes_str(""), "meta-data", &got), FAT_MALFORMED);
}
