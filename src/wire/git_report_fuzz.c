#include "base/must.h"
#include "wire/git_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS = 64 };

/* The report of what was read is whole pkt-lines, in one band or two, each within the client's limit, and names each ref. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct git_command c[COMMANDS];
	struct buf out BUF_AUTO = { 0 }, report BUF_AUTO = { 0 };
	struct git_push_scan s = { 0 };
	struct git_push p = { 0 };
	enum git_pkt_kind kind = GIT_PKT_LINE;
	struct bytes left, content;
	enum git_fault f;
	size_t len, n = 0;

	if (git_push_read(&s, bytes_of(data, size), c, COMMANDS, &p, &f) != GIT_DONE)
		return 0;
	buf_init(&out, GIT_REPORT_MAX);
	buf_init(&report, GIT_REPORT_MAX);
	if (!git_report_refusal(&out, &p, c, bytes_str("no rule")))
		return 0;
	for (left = buf_view(&out); git_pkt_next(left, &kind, &content, &len) == GIT_DONE; left = bytes_skip(left, len))
		if (!p.side_band && !p.side_band_64k)
			must(buf_add(&report, left.p, len));
		else if (kind == GIT_PKT_LINE && content.p[0] == 1)
			must((p.side_band_64k || len <= 1000) && buf_bytes(&report, bytes_skip(content, 1)));
	must(left.len == 0 && kind == GIT_PKT_FLUSH);
	for (left = buf_view(&report); git_pkt_next(left, &kind, &content, &len) == GIT_DONE && kind == GIT_PKT_LINE; left = bytes_skip(left, len))
		n += bytes_starts(content, bytes_str("ng ")) && bytes_starts(bytes_skip(content, 3), c[n].ref);
	must(n == p.n_commands && kind == GIT_PKT_FLUSH && left.len == 4);
	return 0;
}
