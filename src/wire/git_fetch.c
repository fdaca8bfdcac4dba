#include "wire/git_fetch.h"

#include "base/num.h"
#include "base/utf8.h"

enum state {
	START,
	CAPABILITIES, /* of v2, up to the delimiter or the flush */
	ARGUMENTS,
	V2_DONE,
	WANTS, /* of v0: want, shallow, deepen, filter, up to a flush or the first have */
	HAVES, /* have, flush, done */
	V0_DONE,
	BROKEN,
};

static bool starts(struct bytes s, const char *prefix)
{
	return bytes_starts(s, bytes_str(prefix));
}

static bool is_text(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.len && utf8_valid(s);
}

static enum git_fault command(struct git_fetch *g, struct bytes name)
{
	static const struct {
		const char *name;
		enum git_fetch_kind kind;
	} commands[] = {
		{ "ls-refs", GIT_FETCH_LS_REFS },
		{ "fetch", GIT_FETCH_FETCH },
		{ "object-info", GIT_FETCH_OBJECT_INFO },
		{ "bundle-uri", GIT_FETCH_BUNDLE_URI },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (bytes_is(name, commands[i].name)) {
			g->kind = commands[i].kind;
			g->state = CAPABILITIES;
			return GIT_FAULT_NONE;
		}
	return GIT_FAULT_COMMAND;
}

/* An id of either format, and what may follow it. */
static bool has_id(struct bytes s, bool words_may_follow)
{
	size_t n = bytes_find(s, ' ');
	struct bytes id = bytes_of(s.p, n);

	if (!git_id_valid(id, false) && !git_id_valid(id, true))
		return false;
	return n == s.len || (words_may_follow && is_text(s));
}

static bool is_number(struct bytes s)
{
	uint64_t n;

	return num_u64(s, INT64_MAX, &n);
}

/* A line of v0 before the first have. */
static bool is_want(struct bytes s)
{
	if (starts(s, "want "))
		return has_id(bytes_skip(s, 5), true);
	if (starts(s, "shallow "))
		return has_id(bytes_skip(s, 8), false);
	if (starts(s, "deepen-not ") || starts(s, "filter "))
		return is_text(s);
	if (starts(s, "deepen-since "))
		return is_number(bytes_skip(s, 13));
	return starts(s, "deepen ") && is_number(bytes_skip(s, 7));
}

static enum git_fault v0_line(struct git_fetch *g, struct bytes s)
{
	if (g->state != HAVES && is_want(s)) {
		if (g->state == START && !starts(s, "want "))
			return GIT_FAULT_LINE;
		g->state = WANTS;
		g->kind = GIT_FETCH_WANT;
		return GIT_FAULT_NONE;
	}
	if (g->state == START)
		return GIT_FAULT_LINE;
	if (bytes_is(s, "done")) {
		g->state = V0_DONE;
		return GIT_FAULT_NONE;
	}
	g->state = HAVES;
	return starts(s, "have ") && has_id(bytes_skip(s, 5), false) ? GIT_FAULT_NONE : GIT_FAULT_LINE;
}

static enum git_fault line(struct git_fetch *g, struct bytes s)
{
	switch (g->state) {
	case START:
		return starts(s, "command=") ? command(g, bytes_skip(s, strlen("command="))) : v0_line(g, s);
	case CAPABILITIES:
		return is_text(s) && !starts(s, "command=") ? GIT_FAULT_NONE : GIT_FAULT_LINE;
	case ARGUMENTS:
		return is_text(s) ? GIT_FAULT_NONE : GIT_FAULT_LINE;
	case WANTS:
	case HAVES:
		return v0_line(g, s);
	default:
		return GIT_FAULT_ORDER;
	}
}

static enum git_fault flush(struct git_fetch *g)
{
	switch (g->state) {
	case START:
		g->kind = GIT_FETCH_NOTHING;
		g->state = V0_DONE;
		return GIT_FAULT_NONE;
	case CAPABILITIES:
	case ARGUMENTS:
		g->state = V2_DONE;
		return GIT_FAULT_NONE;
	case WANTS:
	case HAVES:
		g->state = HAVES;
		return GIT_FAULT_NONE;
	default:
		return GIT_FAULT_ORDER;
	}
}

static enum git_fault on_pkt(struct git_fetch *g, enum git_pkt_kind kind, struct bytes content)
{
	if (kind == GIT_PKT_LINE)
		return line(g, git_line(content));
	if (kind == GIT_PKT_FLUSH)
		return flush(g);
	if (kind == GIT_PKT_END || g->state != CAPABILITIES)
		return GIT_FAULT_ORDER;
	g->state = ARGUMENTS;
	return GIT_FAULT_NONE;
}

/* How many bytes the present line still wants: its digits first, then what they say. */
static size_t wanted(const struct git_fetch *g)
{
	size_t n = 0;

	if (g->len < GIT_PKT_HEAD_LEN)
		return (size_t)(GIT_PKT_HEAD_LEN - g->len);
	for (size_t i = 0; i < GIT_PKT_HEAD_LEN; i++)
		n = n << 4 | (size_t)num_hex_digit(g->line[i]);
	return n - g->len;
}

/* Takes what the present line wants; its fault once it is complete or cannot become one. */
static enum git_fault take(struct git_fetch *g, struct bytes *in)
{
	enum git_pkt_kind kind;
	struct bytes content;
	size_t n = wanted(g), len;

	if (n > sizeof(g->line) - g->len)
		return GIT_FAULT_TOO_LARGE;
	if (n > in->len)
		n = in->len;
	memcpy(g->line + g->len, in->p, n);
	g->len = (uint16_t)(g->len + n);
	*in = bytes_skip(*in, n);
	switch (git_pkt_next(bytes_of(g->line, g->len), &kind, &content, &len)) {
	case GIT_MORE:
		return GIT_FAULT_NONE;
	case GIT_DONE:
		g->len = 0;
		return on_pkt(g, kind, content);
	case GIT_BAD:
		break;
	}
	return GIT_FAULT_LENGTH;
}

enum git_answer git_fetch_feed(struct git_fetch *g, struct bytes in, enum git_fault *ret_fault)
{
	while (in.len) {
		enum git_fault f = g->state == BROKEN ? GIT_FAULT_LINE : take(g, &in);

		if (f != GIT_FAULT_NONE) {
			g->state = BROKEN;
			*ret_fault = f;
			return GIT_BAD;
		}
	}
	return GIT_MORE;
}

enum git_answer git_fetch_end(struct git_fetch *g, enum git_fault *ret_fault)
{
	if (g->len == 0 && (g->state == V2_DONE || g->state == V0_DONE || g->state == HAVES))
		return GIT_DONE;
	*ret_fault = GIT_FAULT_ORDER;
	return GIT_BAD;
}
