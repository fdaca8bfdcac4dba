#include "wire/git_report.h"

/* A report is pkt-lines and a flush. A client that asked for a side band takes it in packets of band 1, itself cut anywhere, and shows what comes
 * in band 2. */

enum { BAND_REPORT = 1, BAND_REMARK = 2, BAND_HEAD_LEN = GIT_PKT_HEAD_LEN + 1, SIDE_BAND_MAX = 1000 };

static void put_report(struct buf *out, const struct git_push *push, const struct git_command *commands, struct bytes why)
{
	(void)buf_str(out, "000eunpack ok\n");
	for (size_t i = 0; i < push->n_commands; i++) {
		struct bytes ref = commands[i].ref;
		size_t len = GIT_PKT_HEAD_LEN + sizeof("ng  \n") - 1 + ref.len + why.len;

		(void)buf_fmt(out, "%04zxng %.*s %.*s\n", len, (int)ref.len, (const char *)ref.p, (int)why.len, (const char *)why.p);
	}
	(void)buf_str(out, "0000");
}

static void put_band(struct buf *out, uint8_t band, struct bytes data, size_t max)
{
	while (data.len) {
		struct bytes part = bytes_of(data.p, data.len < max - BAND_HEAD_LEN ? data.len : max - BAND_HEAD_LEN);

		(void)buf_fmt(out, "%04zx", part.len + BAND_HEAD_LEN);
		(void)buf_byte(out, band);
		(void)buf_bytes(out, part);
		data = bytes_skip(data, part.len);
	}
}

bool git_report_refusal(struct buf *out, const struct git_push *push, const struct git_command *commands, struct bytes why)
{
	struct buf report BUF_AUTO = { 0 }, remark BUF_AUTO = { 0 }, all BUF_AUTO = { 0 };
	size_t max = push->side_band_64k ? GIT_PKT_LEN_MAX : SIDE_BAND_MAX;

	if (!push->n_commands || !push->reports)
		return false;
	if (why.len > GIT_REPORT_WHY_MAX)
		why.len = GIT_REPORT_WHY_MAX;
	buf_init(&report, GIT_REPORT_MAX);
	buf_init(&remark, GIT_REPORT_WHY_MAX + 64);
	buf_init(&all, GIT_REPORT_MAX);
	put_report(&report, push, commands, why);
	(void)buf_fmt(&remark, "saw: this push was not sent to the host: %.*s\n", (int)why.len, (const char *)why.p);
	if (!push->side_band && !push->side_band_64k)
		return !report.failed && buf_bytes(out, buf_view(&report));
	put_band(&all, BAND_REMARK, buf_view(&remark), max);
	put_band(&all, BAND_REPORT, buf_view(&report), max);
	(void)buf_str(&all, "0000");
	return !report.failed && !remark.failed && !all.failed && buf_bytes(out, buf_view(&all));
}
