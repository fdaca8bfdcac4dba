#include "wire/git_push.h"

#include "base/buf.h"
#include "base/tap.h"

#define ZERO "0000000000000000000000000000000000000000"
#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"
#define ZERO64 ZERO "000000000000000000000000"
#define ONE64 ONE "111111111111111111111111"

static void pkt(struct buf *b, struct bytes s)
{
	(void)buf_fmt(b, "%04zx", s.len + GIT_PKT_HEAD_LEN);
	(void)buf_bytes(b, s);
}

static enum git_answer read_all(struct bytes in, size_t step, struct git_command *c, size_t max, struct git_push *p, enum git_fault *f)
{
	struct git_push_scan s = { 0 };
	enum git_answer a = GIT_MORE;

	*f = GIT_FAULT_NONE;
	for (size_t end = 0; a == GIT_MORE && end < in.len;) {
		end = in.len - end > step ? end + step : in.len;
		a = git_push_read(&s, bytes_of(in.p, end), c, max, p, f);
	}
	return a;
}

#define L(text) { "" text, sizeof(text) - 1 }
struct line {
	const char *text; /* NULL: a flush */
	size_t len;
};
static const struct line flush = { NULL, 0 };

static void compose(struct buf *b, const struct line *lines, size_t n)
{
	buf_init(b, 2 * GIT_PUSH_LEN_MAX);
	for (size_t i = 0; i < n; i++)
		if (lines[i].text)
			pkt(b, bytes_of(lines[i].text, lines[i].len));
		else
			(void)buf_str(b, "0000");
}

TEST(commands_are_read_with_their_kinds_however_they_are_cut)
{
	const struct line lines[] = { L("shallow " ONE "\n"),
				      L(ZERO " " ONE " refs/heads/new\0 report-status-v2 side-band-64k atomic object-format=sha1 agent=git/2.39.5\n"),
				      L(ONE " " TWO " refs/heads/main"), L(ONE " " ZERO " refs/tags/v1\n"), flush };
	struct buf body BUF_AUTO;
	size_t len;

	compose(&body, lines, 5);
	len = body.len;
	(void)buf_str(&body, "PACK....");
	for (size_t step = 1; step < body.len; step += 7) {
		struct git_command c[4];
		struct git_push p;
		enum git_fault f;

		CHECK_INT(read_all(buf_view(&body), step, c, 4, &p, &f), GIT_DONE);
		CHECK_INT(p.len, len);
		CHECK_INT(p.n_commands, 3);
		CHECK_INT(p.n_shallows, 1);
		CHECK(p.atomic && p.has_pack && !p.sha256);
		CHECK(p.reports && p.side_band_64k && !p.side_band);
		CHECK(c[0].kind == GIT_CREATE && bytes_is(c[0].ref, "refs/heads/new"));
		CHECK(c[1].kind == GIT_UPDATE && bytes_is(c[1].ref, "refs/heads/main"));
		CHECK(bytes_is(c[1].old_id, ONE) && bytes_is(c[1].new_id, TWO));
		CHECK(c[2].kind == GIT_DELETE && bytes_is(c[2].ref, "refs/tags/v1"));
	}
}

TEST(push_options_are_a_section_of_their_own_when_they_were_announced)
{
	const struct line lines[] = { L(ONE " " ZERO " refs/heads/a\0push-options"), flush, L("ci.skip\n"), L("merge_request.title=a b"), flush };
	struct bytes options, o;
	struct buf body BUF_AUTO;
	struct git_command c[4];
	struct git_push p;
	enum git_fault f;

	compose(&body, lines, 5);
	CHECK_INT(read_all(buf_view(&body), 3, c, 4, &p, &f), GIT_DONE);
	CHECK_INT(p.len, body.len);
	CHECK_INT(p.n_options, 2);
	CHECK(!p.has_pack && !p.reports && !p.side_band_64k);
	options = p.options;
	CHECK(git_push_option(&options, &o) && bytes_is(o, "ci.skip"));
	CHECK(git_push_option(&options, &o) && bytes_is(o, "merge_request.title=a b"));
	CHECK(!git_push_option(&options, &o));
	body.len -= 4;
	CHECK_INT(read_all(buf_view(&body), 1000, c, 4, &p, &f), GIT_MORE);
}

TEST(a_probe_names_nothing)
{
	struct git_command c[1];
	struct git_push p;
	enum git_fault f;

	CHECK_INT(read_all(bytes_str("0000"), 1, c, 1, &p, &f), GIT_DONE);
	CHECK_INT(p.n_commands, 0);
	CHECK_INT(p.len, 4);
	CHECK(!p.has_pack);
}

TEST(ids_have_the_length_of_the_object_format_that_was_named)
{
	const struct line good[] = { L(ZERO64 " " ONE64 " refs/heads/a\0object-format=sha256"), flush };
	const struct line unnamed[] = { L(ZERO64 " " ONE64 " refs/heads/a\0atomic"), flush };
	const struct line wrong[] = { L(ZERO " " ONE " refs/heads/a\0object-format=sha256"), flush };
	const struct line *const all[] = { good, unnamed, wrong };

	for (size_t i = 0; i < 3; i++) {
		struct buf body BUF_AUTO;
		struct git_command c[1];
		struct git_push p;
		enum git_fault f;

		compose(&body, all[i], 2);
		CHECK_INT(read_all(buf_view(&body), 1000, c, 1, &p, &f), i ? GIT_BAD : GIT_DONE);
		CHECK_INT(f, i ? GIT_FAULT_ID : GIT_FAULT_NONE);
	}
}

/* I18 */
TEST(what_is_no_plain_push_is_refused_each_with_its_reason)
{
	static const struct {
		struct line first, second;
		enum git_fault want;
	} vectors[] = {
		{ L("push-cert\0atomic"), L("certificate version 0.1"), GIT_FAULT_CERT },
		{ L("hello"), L("world"), GIT_FAULT_LINE },
		{ L("\n"), L(ZERO " " ONE " refs/heads/a"), GIT_FAULT_LINE },
		{ L(ZERO " " ONE), L(ZERO " " ONE " refs/heads/a"), GIT_FAULT_ID },
		{ L(ZERO "  " ONE " refs/heads/a"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_ID },
		{ L(ZERO "\t" ONE " refs/heads/a"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_ID },
		{ L(ZERO " " ZERO " refs/heads/a"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_ID },
		{ L(ZERO " ABCDEFabcdefabcdefabcdefabcdefabcdefabcd refs/heads/a"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_ID },
		{ L(ZERO " " ONE " HEAD"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_REF },
		{ L(ZERO " " ONE " refs/heads/../x"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_REF },
		{ L(ZERO " " ONE "  refs/heads/x"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_REF },
		{ L(ZERO " " ONE " refs/heads/x\n\0atomic"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_REF },
		{ L(ZERO " " ONE " refs/heads/a"), L(ONE " " TWO " refs/heads/a"), GIT_FAULT_DUPLICATE },
		{ L(ZERO " " ONE " refs/heads/a"), L(ONE " " TWO " refs/heads/b\0atomic"), GIT_FAULT_ORDER },
		{ L(ZERO " " ONE " refs/heads/a"), L("shallow " ONE), GIT_FAULT_ORDER },
		{ L("shallow " ONE), L("shallow " TWO), GIT_FAULT_ORDER },
		{ L("shallow " ONE "x"), L(ZERO " " ONE " refs/heads/a"), GIT_FAULT_ID },
		{ L("shallow " ONE "\0x"), L(ZERO " " ONE " refs/heads/a"), GIT_FAULT_ID },
		{ L(ZERO " " ONE " refs/heads/a\0atomic future-section"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_CAPABILITY },
		{ L(ZERO " " ONE " refs/heads/a\0object-format=sha1 object-format=sha256"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_CAPABILITY },
		{ L(ZERO " " ONE " refs/heads/a\0object-format=md5"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_CAPABILITY },
		{ L(ZERO " " ONE " refs/heads/a\0agent=a\tb"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_CAPABILITY },
		{ L(ZERO " " ONE " refs/heads/a\0atomic\0x"), L(ZERO " " ONE " refs/heads/b"), GIT_FAULT_CAPABILITY },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct line lines[] = { vectors[i].first, vectors[i].second, flush };
		struct buf body BUF_AUTO;
		struct git_command c[2];
		struct git_push p = { .len = 77 };
		enum git_fault f;

		compose(&body, lines, 3);
		if (!CHECK_INT(read_all(buf_view(&body), 1000, c, 2, &p, &f), GIT_BAD) || !CHECK_INT(f, vectors[i].want))
			printf("# vector %zu: %s\n", i, vectors[i].first.text);
		CHECK_INT(p.len, 77);
	}
}

TEST(bad_options_and_pkt_lines_are_refused)
{
	static const struct {
		const char *text;
		enum git_fault want;
	} vectors[] = {
		{ "0001", GIT_FAULT_ORDER },   { "0002", GIT_FAULT_ORDER },	{ "0003", GIT_FAULT_LENGTH }, { "0004", GIT_FAULT_LENGTH },
		{ "fff1", GIT_FAULT_LENGTH },  { "PACK", GIT_FAULT_LENGTH },	{ "{\"a\"", GIT_FAULT_LENGTH }, { "\x1f\x8b\x08\x00", GIT_FAULT_LENGTH },
		{ "0005\n0000", GIT_FAULT_LINE }, { "0007a\tb" "0000", GIT_FAULT_LINE }, { "0006\xff\n0000", GIT_FAULT_LINE },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct line lines[] = { L(ZERO " " ONE " refs/heads/a\0push-options"), flush };
		struct buf body BUF_AUTO;
		struct git_command c[2];
		struct git_push p;
		enum git_fault f;

		compose(&body, lines, 2);
		(void)buf_str(&body, vectors[i].text);
		if (!CHECK_INT(read_all(buf_view(&body), 1000, c, 2, &p, &f), GIT_BAD) || !CHECK_INT(f, vectors[i].want))
			printf("# vector %zu\n", i);
	}
}

static void many(struct buf *b, size_t n, bool twice)
{
	buf_init(b, 2 * GIT_PUSH_LEN_MAX);
	for (size_t i = 0; i < n; i++) {
		char text[200];

		(void)snprintf(text, sizeof(text), ZERO " " ONE " refs/heads/b%zu", twice && i == n - 1 ? n / 2 : i * 1009 % 5003);
		pkt(b, bytes_str(text));
	}
	(void)buf_str(b, "0000");
}

TEST(commands_are_bounded_and_one_ref_twice_among_thousands_is_found)
{
	static struct git_command c[GIT_PUSH_COMMANDS_MAX + 1];
	static const struct {
		size_t n;
		bool twice;
		enum git_fault want;
	} vectors[] = { { GIT_PUSH_COMMANDS_MAX, false, GIT_FAULT_NONE },
			{ GIT_PUSH_COMMANDS_MAX, true, GIT_FAULT_DUPLICATE },
			{ GIT_PUSH_COMMANDS_MAX + 1, false, GIT_FAULT_TOO_LARGE } };

	for (size_t i = 0; i < 3; i++) {
		struct buf body BUF_AUTO;
		struct git_push p;
		enum git_fault f;

		many(&body, vectors[i].n, vectors[i].twice);
		(void)read_all(buf_view(&body), body.len, c, GIT_PUSH_COMMANDS_MAX + 1, &p, &f);
		CHECK_INT(f, vectors[i].want);
	}
}

TEST(a_section_that_does_not_end_is_too_large_at_its_limit)
{
	static struct git_command c[4];
	struct buf body BUF_AUTO;
	struct git_push p;
	enum git_fault f;
	char text[1000];

	memset(text, 'x', sizeof(text));
	buf_init(&body, 2 * GIT_PUSH_LEN_MAX);
	while (body.len < GIT_PUSH_LEN_MAX)
		pkt(&body, bytes_of(text, sizeof(text)));
	CHECK_INT(read_all(buf_view(&body), 65536, c, 4, &p, &f), GIT_BAD);
	CHECK_INT(f, GIT_FAULT_TOO_LARGE);
}
