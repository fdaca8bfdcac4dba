#include "wire/gzip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum { WINDOW_GZIP_ONLY = 15 + 16 };

struct gzip {
	z_stream z;
	uint64_t max;
	uint64_t in;
	uint64_t out;
	bool done;
	enum gzip_fault fault;
};

struct gzip *gzip_new(uint64_t max)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->max = max;
	if (inflateInit2(&g->z, WINDOW_GZIP_ONLY) == Z_OK)
		return g;
	free(g);
	return NULL;
}

struct gzip *gzip_free(struct gzip *g)
{
	if (!g)
		return NULL;
	(void)inflateEnd(&g->z);
	free(g);
	return NULL;
}

static enum gzip_answer refuse(struct gzip *g, enum gzip_fault f, enum gzip_fault *ret)
{
	g->fault = f;
	*ret = f;
	return GZIP_BAD;
}

static uInt lesser(size_t n)
{
	return n > INT_MAX ? INT_MAX : (uInt)n;
}

/* What zlib's answer means; Z_BUF_ERROR only says that it could not go on with what it had. */
static enum gzip_fault fault_of(const struct gzip *g, int r)
{
	if (r == Z_MEM_ERROR)
		return GZIP_FAULT_MEMORY;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return GZIP_FAULT_MALFORMED;
	if (g->out > g->max)
		return GZIP_FAULT_TOO_LARGE;
	if (g->out > GZIP_RATIO_FROM && g->out / GZIP_RATIO_MAX > g->in)
		return GZIP_FAULT_RATIO;
	return GZIP_FAULT_NONE;
}

enum gzip_answer gzip_next(struct gzip *g, struct bytes in, uint8_t *out, size_t size, size_t *ret_used, size_t *ret_len,
			   enum gzip_fault *ret_fault)
{
	enum gzip_fault f;
	size_t used, len;
	int r;

	if (g->fault != GZIP_FAULT_NONE)
		return refuse(g, g->fault, ret_fault);
	if (g->done && in.len)
		return refuse(g, GZIP_FAULT_TRAILING, ret_fault);
	*ret_used = *ret_len = 0;
	if (g->done)
		return GZIP_DONE;
	g->z.next_in = (Bytef *)(uintptr_t)in.p; /* zlib's type is older than const */
	g->z.avail_in = lesser(in.len);
	g->z.next_out = out;
	g->z.avail_out = lesser(size);
	r = inflate(&g->z, Z_NO_FLUSH);
	used = lesser(in.len) - g->z.avail_in;
	len = lesser(size) - g->z.avail_out;
	g->in += used;
	g->out += len;
	f = fault_of(g, r);
	g->done = r == Z_STREAM_END;
	if (f == GZIP_FAULT_NONE && g->done && used < in.len)
		f = GZIP_FAULT_TRAILING;
	if (f != GZIP_FAULT_NONE)
		return refuse(g, f, ret_fault);
	*ret_used = used;
	*ret_len = len;
	return g->done ? GZIP_DONE : GZIP_MORE;
}
