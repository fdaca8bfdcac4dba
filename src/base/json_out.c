#include "base/json_out.h"

#include <inttypes.h>

#include "base/must.h"
#include "base/utf8.h"

void json_out_init(struct json_out *j, struct buf *out)
{
	*j = (struct json_out){ .out = out };
	j->first[0] = true;
}

/* Of the value, or the key, that follows. */
static bool needs_comma(struct json_out *j)
{
	bool comma = !j->after_key && !j->first[j->depth];

	if (!j->after_key)
		j->first[j->depth] = false;
	j->after_key = false;
	return comma;
}

static void before_value(struct json_out *j)
{
	if (needs_comma(j))
		(void)buf_byte(j->out, ',');
}

static void open_level(struct json_out *j, uint8_t c)
{
	before_value(j);
	must(j->depth < JSON_OUT_DEPTH_MAX);
	j->depth++;
	j->first[j->depth] = true;
	(void)buf_byte(j->out, c);
}

static void close_level(struct json_out *j, uint8_t c)
{
	must(j->depth > 0 && !j->after_key);
	j->depth--;
	(void)buf_byte(j->out, c);
}

void json_out_object(struct json_out *j)
{
	open_level(j, '{');
}

void json_out_object_end(struct json_out *j)
{
	close_level(j, '}');
}

void json_out_array(struct json_out *j)
{
	open_level(j, '[');
}

void json_out_array_end(struct json_out *j)
{
	close_level(j, ']');
}

static void escaped(struct buf *b, uint32_t c)
{
	static const char letters[] = "btnvfr";

	if (c == '"' || c == '\\')
		(void)buf_fmt(b, "\\%c", (int)c);
	else if (c >= 8 && c <= 13 && c != 11)
		(void)buf_fmt(b, "\\%c", letters[c - 8]);
	else
		(void)buf_fmt(b, "\\u%04" PRIx32, c);
}

static bool plain(uint32_t c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && c != 0x2028 && c != 0x2029;
}

/* None of eight bytes is a quote or a backslash: where a byte is zero, taking one away sets its high bit. */
static bool unquoted_word(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t quote = w ^ ones * '"';
	uint64_t slash = w ^ ones * '\\';

	return !((((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & ones * 0x80);
}

static bool plain_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return bytes_printable_word(w) && unquoted_word(w);
}

static bool plain_byte(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Words, the last of which may overlap the one before. */
static bool all_plain(struct bytes text)
{
	uint8_t few[sizeof(uint64_t)];

	if (text.len >= sizeof(uint64_t)) {
		for (size_t i = 0; i + sizeof(uint64_t) <= text.len; i += sizeof(uint64_t))
			if (!plain_word(text.p + i))
				return false;
		return plain_word(text.p + text.len - sizeof(uint64_t));
	}
	if (text.len >= sizeof(few) / 2) {
		memcpy(few, text.p, sizeof(few) / 2);
		memcpy(few + sizeof(few) / 2, text.p + text.len - sizeof(few) / 2, sizeof(few) / 2);
		return plain_word(few);
	}
	for (size_t i = 0; i < text.len; i++)
		if (!plain_byte(text.p[i]))
			return false;
	return true;
}

/* Most text is printable ASCII: such a run is copied at once. */
static size_t ascii_run(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (len - n >= sizeof(uint64_t) && plain_word(p + n))
		n += sizeof(uint64_t);
	while (n < len && plain_byte(p[n]))
		n++;
	return n;
}

static void put_text(struct buf *b, struct bytes text)
{
	uint32_t c;
	size_t n;

	(void)buf_byte(b, '"');
	for (size_t i = 0; i < text.len; i += n) {
		n = ascii_run(text.p + i, text.len - i);
		if (n) {
			(void)buf_add(b, text.p + i, n);
			continue;
		}
		n = utf8_next(bytes_skip(text, i), &c);
		if (n == 0 || c == 0) {
			(void)buf_str(b, "\xef\xbf\xbd");
			n = 1;
		} else if (plain(c)) {
			(void)buf_add(b, text.p + i, n);
		} else {
			escaped(b, c);
		}
	}
	(void)buf_byte(b, '"');
}

/* What needs no escape, with all that stands around it. */
static void put_plain(struct buf *b, struct bytes text, bool comma, bool colon)
{
	size_t n = comma + 1 + text.len + 1 + colon;
	uint8_t *p = buf_room(b, n);

	if (!p)
		return;
	if (comma)
		*p++ = ',';
	*p++ = '"';
	if (text.len)
		memcpy(p, text.p, text.len);
	p += text.len;
	*p++ = '"';
	if (colon)
		*p = ':';
	buf_grew(b, n);
}

static void put(struct json_out *j, struct bytes text, bool colon)
{
	bool comma = needs_comma(j);

	if (all_plain(text)) {
		put_plain(j->out, text, comma, colon);
		return;
	}
	if (comma)
		(void)buf_byte(j->out, ',');
	put_text(j->out, text);
	if (colon)
		(void)buf_byte(j->out, ':');
}

void json_out_bytes(struct json_out *j, struct bytes text)
{
	put(j, text, false);
}

void json_out_key_name(struct json_out *j, struct bytes key)
{
	must(!j->after_key);
	put(j, key, true);
	j->after_key = true;
}

void json_out_plain_key(struct json_out *j, struct bytes key)
{
	bool comma = needs_comma(j);

	must(!j->after_key);
	put_plain(j->out, key, comma, true);
	j->after_key = true;
}

void json_out_members(struct json_out *j, struct bytes members)
{
	must(!j->after_key);
	before_value(j);
	(void)buf_bytes(j->out, members);
}

void json_out_u64(struct json_out *j, uint64_t v)
{
	before_value(j);
	(void)buf_decimal(j->out, v);
}

void json_out_bool(struct json_out *j, bool v)
{
	before_value(j);
	(void)buf_str(j->out, v ? "true" : "false");
}

void json_out_null(struct json_out *j)
{
	before_value(j);
	(void)buf_str(j->out, "null");
}
