#include "wire/bundle.h"

static const char mark[] = "saw-bundle-";
static const char version[] = "1\n";

static bool get_part(struct bytes *in, size_t max, struct bytes *ret)
{
	size_t len;

	if (in->len < 4)
		return false;
	len = (size_t)in->p[0] << 24 | (size_t)in->p[1] << 16 | (size_t)in->p[2] << 8 | in->p[3];
	if (len > max || len > in->len - 4)
		return false;
	*ret = bytes_of(in->p + 4, len);
	*in = bytes_skip(*in, 4 + len);
	return true;
}

/* A number and a line end, which is not ours. */
static bool is_newer(struct bytes in)
{
	size_t n = 0;

	while (n < in.len && n < 4 && in.p[n] >= '0' && in.p[n] <= '9')
		n++;
	return n > 0 && n < in.len && in.p[0] != '0' && in.p[n] == '\n';
}

enum bundle_answer bundle_get(struct bytes raw, struct bundle *ret)
{
	struct bytes in = raw;
	struct bundle b;

	if (!bytes_starts(in, bytes_str(mark)))
		return BUNDLE_BAD;
	in = bytes_skip(in, sizeof(mark) - 1);
	if (!bytes_starts(in, bytes_str(version)))
		return is_newer(in) ? BUNDLE_NEWER : BUNDLE_BAD;
	in = bytes_skip(in, sizeof(version) - 1);
	if (!get_part(&in, BUNDLE_MANIFEST_MAX, &b.manifest) || !get_part(&in, BUNDLE_SIGNATURE_MAX, &b.signature) ||
	    !get_part(&in, BUNDLE_POLICY_MAX, &b.policy) || in.len)
		return BUNDLE_BAD;
	*ret = b;
	return BUNDLE_DONE;
}

static bool put_part(struct buf *out, struct bytes part)
{
	return buf_u32be(out, (uint32_t)part.len) && buf_bytes(out, part);
}

bool bundle_put(struct buf *out, const struct bundle *b)
{
	if (b->manifest.len > BUNDLE_MANIFEST_MAX || b->signature.len > BUNDLE_SIGNATURE_MAX || b->policy.len > BUNDLE_POLICY_MAX)
		return false;
	return buf_str(out, mark) && buf_str(out, version) && put_part(out, b->manifest) && put_part(out, b->signature) &&
	       put_part(out, b->policy);
}
