#include "proxy/gzip_kit.h"

#include "base/must.h"

/* RFC 1952, and RFC 1951, 3.2.4. */

enum { BLOCK_MAX = 65535 };

static void put_le(struct buf *out, uint32_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)buf_byte(out, (uint8_t)(v >> 8 * i));
}

static uint32_t crc_of(uint32_t crc, struct bytes data)
{
	crc = ~crc;
	for (size_t i = 0; i < data.len; i++) {
		crc ^= data.p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return ~crc;
}

void gzip_kit_begin(struct gzip_kit *k, struct buf *out)
{
	static const uint8_t head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };

	*k = (struct gzip_kit){ .out = out };
	(void)buf_add(out, head, sizeof(head));
}

static void put_block(struct buf *out, bool last, struct bytes data)
{
	(void)buf_byte(out, last);
	put_le(out, (uint32_t)data.len, 2);
	put_le(out, ~(uint32_t)data.len, 2);
	(void)buf_bytes(out, data);
}

void gzip_kit_add(struct gzip_kit *k, struct bytes data)
{
	k->crc = crc_of(k->crc, data);
	k->len += (uint32_t)data.len;
	do {
		size_t n = data.len < BLOCK_MAX ? data.len : BLOCK_MAX;

		put_block(k->out, false, bytes_of(data.p, n));
		data = bytes_skip(data, n);
	} while (data.len);
}

void gzip_kit_end(struct gzip_kit *k)
{
	put_block(k->out, true, bytes_of(NULL, 0));
	put_le(k->out, k->crc, 4);
	put_le(k->out, k->len, 4);
	must(!k->out->failed);
}
