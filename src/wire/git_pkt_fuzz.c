#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "wire/git_pkt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read writes the same line again; no prefix of a line is called bad or done. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	enum git_pkt_kind kind;
	struct bytes content;
	size_t len;

	while (git_pkt_next(in, &kind, &content, &len) == GIT_DONE) {
		char head[GIT_PKT_HEAD_LEN + 1];
		enum git_pkt_kind other;
		struct bytes none;
		size_t used;

		must(len >= GIT_PKT_HEAD_LEN && len <= in.len && (content.len > 0) == (kind == GIT_PKT_LINE));
		(void)snprintf(head, sizeof(head), "%04zx", kind == GIT_PKT_LINE ? content.len + GIT_PKT_HEAD_LEN : (size_t)kind - 1);
		must(bytes_ieq(bytes_of(head, GIT_PKT_HEAD_LEN), bytes_of(in.p, GIT_PKT_HEAD_LEN)));
		must(git_pkt_next(bytes_of(in.p, len - 1), &other, &none, &used) == GIT_MORE);
		must(git_line(content).len + 1 >= content.len);
		in = bytes_skip(in, len);
	}
	return 0;
}
