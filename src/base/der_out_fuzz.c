#include <stddef.h>
#include <stdint.h>

#include "base/der_out.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH_MAX = 8, OUT_MAX = 1 << 20 };

/* A reader of its own, as strict as X.690: the input as it stands, read out of the written elements again. */
static struct bytes content_of(struct bytes in, uint8_t tag, struct bytes *ret_rest)
{
	size_t len, n = 0;

	must(in.len >= 2 && in.p[0] == tag);
	len = in.p[1];
	if (len & 0x80) {
		n = len & 0x7f;
		must(n >= 1 && n <= 4 && in.len >= 2 + n && in.p[2] != 0);
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | in.p[2 + i];
		must(len >= 0x80);
	}
	must(len <= in.len - 2 - n);
	*ret_rest = bytes_skip(in, 2 + n + len);
	return bytes_of(in.p + 2 + n, len);
}

static unsigned depth_of(uint8_t c)
{
	return c % DEPTH_MAX;
}

/* The first byte says how deep; each level has the input once as a primitive, and the next level in it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t marks[DEPTH_MAX];
	struct bytes in = bytes_of(data, size), all;
	unsigned depth;
	BUF_AUTO struct buf b;

	buf_init(&b, OUT_MAX);
	if (size == 0 || size > 65536)
		return 0;
	depth = depth_of(data[0]);
	for (unsigned i = 0; i < depth; i++) {
		marks[i] = der_out_open(&b, DER_SEQUENCE);
		must(der_out_put(&b, DER_OCTET_STRING, in));
	}
	for (unsigned i = depth; i-- > 0;)
		must(der_out_close(&b, marks[i]));
	all = buf_view(&b);
	for (unsigned i = 0; i < depth; i++) {
		struct bytes rest;

		all = content_of(all, DER_SEQUENCE, &rest);
		must(rest.len == 0);
		must(bytes_eq(content_of(all, DER_OCTET_STRING, &rest), in));
		all = rest;
	}
	must(all.len == 0);
	return 0;
}
