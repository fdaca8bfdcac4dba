#include "wire/git_fetch.h"

#include "base/buf.h"
#include "base/tap.h"

#define ONE "1111111111111111111111111111111111111111"
#define ONE64 ONE "111111111111111111111111"

/* `script`: lines that end at '|'; "0000", "0001" and "0002" stand for themselves. */
static void compose(struct buf *b, const char *script)
{
	buf_init(b, 100000);
	while (*script) {
		struct bytes rest = bytes_str(script);
		struct bytes word = bytes_of(rest.p, bytes_find(rest, '|'));

		if (word.len == 4 && word.p[0] == '0')
			(void)buf_bytes(b, word);
		else {
			(void)buf_fmt(b, "%04zx", word.len + GIT_PKT_HEAD_LEN);
			(void)buf_bytes(b, word);
		}
		script += word.len + (word.len < rest.len);
	}
}

static enum git_answer feed(const char *script, size_t step, enum git_fetch_kind *kind, enum git_fault *f)
{
	struct git_fetch g = { 0 };
	struct buf body BUF_AUTO;
	enum git_answer a = GIT_MORE;

	*f = GIT_FAULT_NONE;
	compose(&body, script);
	for (size_t off = 0; a == GIT_MORE && off < body.len; off += step)
		a = git_fetch_feed(&g, bytes_of(body.p + off, body.len - off > step ? step : body.len - off), f);
	if (a == GIT_MORE)
		a = git_fetch_end(&g, f);
	*kind = g.kind;
	return a;
}

TEST(requests_that_read_are_recognised_however_they_are_cut)
{
	static const struct {
		const char *script;
		enum git_fetch_kind kind;
	} vectors[] = {
		{ "command=ls-refs\n|agent=git/2.39.5|object-format=sha1|0001|peel\n|symrefs\n|ref-prefix refs/heads/\n|0000", GIT_FETCH_LS_REFS },
		{ "command=fetch|agent=x|0001|thin-pack|want " ONE "\n|have " ONE "\n|done\n|0000", GIT_FETCH_FETCH },
		{ "command=fetch|0000", GIT_FETCH_FETCH },
		{ "command=object-info|0001|size|oid " ONE "|0000", GIT_FETCH_OBJECT_INFO },
		{ "command=bundle-uri|0000", GIT_FETCH_BUNDLE_URI },
		{ "want " ONE " multi_ack_detailed side-band-64k\n|want " ONE "\n|shallow " ONE "|deepen 1|0000|done\n", GIT_FETCH_WANT },
		{ "want " ONE "|deepen-since 1700000000|deepen-not refs/heads/x|filter blob:none\n|0000|have " ONE "\n|have " ONE "\n|0000",
		  GIT_FETCH_WANT },
		{ "want " ONE64 " object-format=sha256|0000|have " ONE64 "|0000|have " ONE64 "|done", GIT_FETCH_WANT },
		{ "0000", GIT_FETCH_NOTHING },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 200; step = step * 2 + 1) {
			enum git_fetch_kind kind;
			enum git_fault f;

			if (!CHECK_INT(feed(vectors[i].script, step, &kind, &f), GIT_DONE) || !CHECK_INT(kind, vectors[i].kind))
				printf("# vector %zu: %d\n", i, (int)f);
		}
}

TEST(anything_else_is_bad_each_with_its_reason)
{
	static const struct {
		const char *script;
		enum git_fault want;
	} vectors[] = {
		{ "", GIT_FAULT_ORDER },
		{ "command=push|0000", GIT_FAULT_COMMAND },
		{ "command=|0000", GIT_FAULT_COMMAND },
		{ "command=ls-refs x|0000", GIT_FAULT_COMMAND },
		{ "command=fetch|command=ls-refs|0000", GIT_FAULT_LINE },
		{ "command=fetch|0000|command=fetch|0000", GIT_FAULT_ORDER },
		{ "command=fetch|0001|a|0001|b|0000", GIT_FAULT_ORDER },
		{ "command=fetch|0002", GIT_FAULT_ORDER },
		{ "command=fetch|0001|want " ONE, GIT_FAULT_ORDER },
		{ "command=fetch|0001|a\tb|0000", GIT_FAULT_LINE },
		{ "0001", GIT_FAULT_ORDER },
		{ "0000|0000", GIT_FAULT_ORDER },
		{ "have " ONE "|0000", GIT_FAULT_LINE },
		{ "done", GIT_FAULT_LINE },
		{ "shallow " ONE "|want " ONE "|0000", GIT_FAULT_LINE },
		{ "want x|0000", GIT_FAULT_LINE },
		{ "want " ONE "x|0000", GIT_FAULT_LINE },
		{ "want " ONE "|have " ONE " x|0000", GIT_FAULT_LINE },
		{ "want " ONE "|0000|want " ONE "|0000", GIT_FAULT_LINE },
		{ "want " ONE, GIT_FAULT_ORDER },
		{ "want " ONE "|0000|done|done", GIT_FAULT_ORDER },
		{ "want " ONE "|deepen -1|0000", GIT_FAULT_LINE },
		{ "0000000000000000000000000000000000000000 " ONE " refs/heads/main|0000", GIT_FAULT_LINE }, /* a push */
		{ "{\"operation\":\"upload\"}|0000", GIT_FAULT_LINE },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 200; step = step * 2 + 1) {
			enum git_fetch_kind kind;
			enum git_fault f;

			if (!CHECK_INT(feed(vectors[i].script, step, &kind, &f), GIT_BAD) || !CHECK_INT(f, vectors[i].want))
				printf("# vector %zu\n", i);
		}
}

TEST(a_broken_request_stays_broken_and_lines_are_bounded)
{
	struct git_fetch g = { 0 };
	struct git_fetch h = { 0 };
	enum git_fault f;

	CHECK_INT(git_fetch_feed(&g, bytes_str("PACK"), &f), GIT_BAD);
	CHECK_INT(f, GIT_FAULT_LENGTH);
	CHECK_INT(git_fetch_feed(&g, bytes_str("0000"), &f), GIT_BAD);
	CHECK_INT(git_fetch_end(&g, &f), GIT_BAD);
	CHECK_INT(git_fetch_feed(&h, bytes_str("0801x"), &f), GIT_BAD);
	CHECK_INT(f, GIT_FAULT_TOO_LARGE);
}
