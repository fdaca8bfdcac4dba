#include "wire/git_pkt.h"

#include "base/num.h"

enum git_answer git_pkt_next(struct bytes in, enum git_pkt_kind *ret_kind, struct bytes *ret_content, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < GIT_PKT_HEAD_LEN && i < in.len; i++) {
		int digit = num_hex_digit(in.p[i]);

		if (digit < 0)
			return GIT_BAD;
		len = len << 4 | (size_t)digit;
	}
	if (in.len < GIT_PKT_HEAD_LEN)
		return GIT_MORE;
	if (len == 3 || len == GIT_PKT_HEAD_LEN || len > GIT_PKT_LEN_MAX)
		return GIT_BAD;
	if (len > in.len)
		return GIT_MORE;
	if (len > GIT_PKT_HEAD_LEN) {
		*ret_kind = GIT_PKT_LINE;
		*ret_content = bytes_of(in.p + GIT_PKT_HEAD_LEN, len - GIT_PKT_HEAD_LEN);
		*ret_len = len;
		return GIT_DONE;
	}
	*ret_kind = len == 0 ? GIT_PKT_FLUSH : len == 1 ? GIT_PKT_DELIM : GIT_PKT_END;
	*ret_content = bytes_of(NULL, 0);
	*ret_len = GIT_PKT_HEAD_LEN;
	return GIT_DONE;
}

struct bytes git_line(struct bytes s)
{
	if (s.len && s.p[s.len - 1] == '\n')
		s.len--;
	return s;
}

bool git_id_valid(struct bytes id, bool sha256)
{
	for (size_t i = 0; i < id.len; i++)
		if (num_hex_digit(id.p[i]) < 0 || (id.p[i] >= 'A' && id.p[i] <= 'F'))
			return false;
	return id.len == (sha256 ? GIT_SHA256_LEN : GIT_SHA1_LEN);
}

bool git_id_is_zero(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (id.p[i] != '0')
			return false;
	return id.len > 0;
}
