#include "wire/sse.h"

/* Lines end at CR LF, LF or CR. Of the fields only `data` matters: its name is matched as it comes, the rest of every other line is
 * skipped. An empty line ends the event. */

enum state {
	NAME, /* at the start of a line, or within `data` */
	BLANK, /* behind the colon: one blank is dropped */
	VALUE,
	SKIP, /* the rest of a line that is no data */
};

static const char field[] = "data";
static const char mark[] = "\xef\xbb\xbf";
enum { FIELD = sizeof(field) - 1, MARK = sizeof(mark) - 1 };

static bool is_end(uint8_t c)
{
	return c == '\n' || c == '\r';
}

/* The line is over. True when that ends an event. */
static bool line_end(struct sse *s, uint8_t c)
{
	bool over = s->state == NAME && s->at == 0 && s->has_data;

	s->after_cr = c == '\r';
	if (s->state == NAME && s->at == FIELD) /* a field without a colon has an empty value */
		s->has_data = true;
	if (over)
		s->has_data = false;
	s->state = NAME;
	s->at = 0;
	return over;
}

/* A byte of a name. True when the value of a further data line begins: an LF stands in front of it. */
static bool name_byte(struct sse *s, uint8_t c)
{
	bool joined = s->has_data;

	if (s->at < FIELD && c == (uint8_t)field[s->at]) {
		s->at++;
		return false;
	}
	if (s->at < FIELD || c != ':') {
		s->state = SKIP;
		return false;
	}
	s->state = BLANK;
	s->has_data = true;
	return joined;
}

/* The mark may stand once, in front of everything; what only looks like one is a line's beginning that is no data. */
static bool mark_byte(struct sse *s, uint8_t c)
{
	if (s->begun)
		return false;
	if (c == (uint8_t)mark[s->at] && ++s->at < MARK)
		return true;
	s->begun = true;
	if (s->at == MARK) {
		s->at = 0;
		return true;
	}
	if (s->at)
		s->state = SKIP;
	return false;
}

static size_t line_len(struct bytes s)
{
	return bytes_find(bytes_of(s.p, bytes_find(s, '\n')), '\r');
}

enum sse_item sse_next(struct sse *s, struct bytes in, size_t *ret_used, struct bytes *ret)
{
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.p[i];
		bool second = s->after_cr && c == '\n';

		s->after_cr = false;
		if (second || mark_byte(s, c))
			continue;
		if (is_end(c)) {
			if (line_end(s, c)) {
				*ret_used = i + 1;
				return SSE_END;
			}
			continue;
		}
		if (s->state == NAME) {
			if (!name_byte(s, c))
				continue;
			*ret_used = i + 1;
			*ret = bytes_of("\n", 1);
			return SSE_DATA;
		}
		if (s->state == SKIP) {
			i += line_len(bytes_skip(in, i)) - 1;
		} else if (s->state == BLANK && c == ' ') {
			s->state = VALUE;
		} else {
			s->state = VALUE;
			*ret = bytes_of(in.p + i, line_len(bytes_skip(in, i)));
			*ret_used = i + ret->len;
			return SSE_DATA;
		}
	}
	*ret_used = in.len;
	return SSE_MORE;
}
