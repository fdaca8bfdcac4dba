#include "wire/http1_head.h"

#include "base/num.h"

/* The scan runs over each byte once and stops at the first one that no head may hold, or when a limit is passed; so a peer
 * learns of its error at once and cannot make us keep more than HTTP1_HEAD_LEN_MAX. Only a complete head is then taken apart,
 * line by line. Nothing is skipped, repaired or guessed: an empty line before the request line, a folded field or a blank
 * before a colon is an error, since each of them is read in two ways somewhere. */

enum kind { REQUEST, RESPONSE };

static enum http1_answer bad(enum http1_fault f, enum http1_fault *ret)
{
	*ret = f;
	return HTTP1_BAD;
}

/* "HTTP/1.0" or "HTTP/1.1", nothing else. */
static bool version(struct bytes s, uint8_t *ret_minor)
{
	if (s.len != 8 || memcmp(s.p, "HTTP/1.", 7) != 0 || (s.p[7] != '0' && s.p[7] != '1'))
		return false;
	*ret_minor = (uint8_t)(s.p[7] - '0');
	return true;
}

/* Ends as a request line does: then it is one, and what is wrong with it deserves its own word. */
static bool says_http(struct bytes line)
{
	return line.len > 9 && memcmp(line.p + line.len - 9, " HTTP/", 6) == 0;
}

static enum http1_fault request_line(struct bytes line, struct http1_head *h)
{
	size_t sp = bytes_find(line, ' ');
	struct bytes rest;

	h->method = bytes_of(line.p, sp);
	if (sp == line.len || !http1_is_token(h->method))
		return says_http(line) ? HTTP1_FAULT_METHOD : HTTP1_FAULT_NOT_HTTP;
	if (sp > HTTP1_METHOD_MAX)
		return HTTP1_FAULT_METHOD;
	rest = bytes_skip(line, sp + 1);
	sp = bytes_find(rest, ' ');
	h->target = bytes_of(rest.p, sp);
	if (sp == 0)
		return HTTP1_FAULT_TARGET;
	if (sp == rest.len) /* HTTP/0.9 has no version at all */
		return HTTP1_FAULT_VERSION;
	rest = bytes_skip(rest, sp + 1);
	if (bytes_find(rest, ' ') != rest.len)
		return HTTP1_FAULT_TARGET;
	return version(rest, &h->minor) ? HTTP1_FAULT_NONE : HTTP1_FAULT_VERSION;
}

static enum http1_fault status_line(struct bytes line, struct http1_head *h)
{
	uint64_t code;

	if (line.len < 13 || !version(bytes_of(line.p, 8), &h->minor) || line.p[8] != ' ' || line.p[12] != ' ')
		return HTTP1_FAULT_STATUS;
	if (!num_u64(bytes_of(line.p + 9, 3), 599, &code) || code < 100)
		return HTTP1_FAULT_STATUS;
	h->status = (uint16_t)code;
	h->phrase = bytes_skip(line, 13);
	return HTTP1_FAULT_NONE;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static enum http1_fault field_line(struct bytes line, struct http1_head *h)
{
	size_t colon = http1_token_len(line);
	struct http1_field f;

	f.name = bytes_of(line.p, colon);
	if (colon == 0 || colon == line.len || line.p[colon] != ':')
		return HTTP1_FAULT_HEADER;
	f.value = bytes_skip(line, colon + 1);
	while (f.value.len && is_blank(f.value.p[0]))
		f.value = bytes_skip(f.value, 1);
	while (f.value.len && is_blank(f.value.p[f.value.len - 1]))
		f.value.len--;
	if (h->n_fields == HTTP1_FIELDS_MAX)
		return HTTP1_FAULT_TOO_LARGE;
	h->fields[h->n_fields++] = f;
	return HTTP1_FAULT_NONE;
}

/* A byte that the header section may not hold. Inside Host it makes a malformed name or authority: a reason of its own. */
static enum http1_fault bad_byte(const struct http1_scan *s, struct bytes in, uint8_t c, enum kind kind)
{
	static const char host[] = "host:";
	struct bytes line = bytes_of(in.p + s->line_at, s->at - s->line_at);

	if (!s->fields_at && c == '\n')
		return HTTP1_FAULT_LINE_END;
	if (!s->fields_at && kind == RESPONSE)
		return HTTP1_FAULT_STATUS;
	if (!s->fields_at)
		return bytes_find(line, ' ') < line.len ? HTTP1_FAULT_TARGET : HTTP1_FAULT_NOT_HTTP;
	if (c == '\n')
		return HTTP1_FAULT_LINE_END;
	if (kind == REQUEST && line.len >= 5 && bytes_ieq(bytes_of(line.p, 5), bytes_str(host)))
		return c == '\0' || c >= 0x80 ? HTTP1_FAULT_NAME : HTTP1_FAULT_AUTHORITY;
	return HTTP1_FAULT_HEADER;
}

static bool byte_ok(const struct http1_scan *s, uint8_t c, enum kind kind)
{
	if (c >= 0x80)
		return kind == RESPONSE;
	if (c == '\t')
		return s->fields_at || kind == RESPONSE;
	return c >= 0x20 && c != 0x7f;
}

static enum http1_fault too_long(const struct http1_scan *s, struct bytes in, enum kind kind)
{
	struct bytes line = bytes_of(in.p + s->line_at, s->at - s->line_at);

	if (s->fields_at)
		return s->at - s->fields_at > HTTP1_FIELDS_LEN_MAX || s->n_lines > HTTP1_FIELDS_MAX + 1 ?
			       HTTP1_FAULT_TOO_LARGE :
			       HTTP1_FAULT_NONE;
	if (kind == RESPONSE)
		return line.len > HTTP1_LINE_MAX ? HTTP1_FAULT_STATUS : HTTP1_FAULT_NONE;
	if (line.len == HTTP1_METHOD_MAX + 1 && bytes_find(line, ' ') == line.len)
		return HTTP1_FAULT_NOT_HTTP;
	return line.len > HTTP1_LINE_MAX ? HTTP1_FAULT_TARGET_TOO_LONG : HTTP1_FAULT_NONE;
}

static enum http1_fault start_line(struct bytes line, enum kind kind, struct http1_head *h)
{
	return kind == REQUEST ? request_line(line, h) : status_line(line, h);
}

/* One line ended at s->at (its CR LF included). True when it was the empty one that ends the head. */
static bool line_done(struct http1_scan *s, struct bytes in, enum kind kind, struct http1_head *scratch, enum http1_fault *ret_fault)
{
	struct bytes line = bytes_of(in.p + s->line_at, s->at - s->line_at - 2);
	bool last = s->fields_at && line.len == 0;

	if (!s->fields_at) {
		*ret_fault = start_line(line, kind, scratch);
		s->fields_at = s->at;
	}
	s->line_at = s->at;
	s->n_lines += !last;
	return last;
}

/* Up to where too_long() has nothing to say, whatever comes but a line end. */
static size_t at_ease(const struct http1_scan *s, enum kind kind)
{
	if (s->fields_at)
		return s->fields_at + HTTP1_FIELDS_LEN_MAX;
	if (kind == REQUEST && s->at - s->line_at <= HTTP1_METHOD_MAX)
		return s->line_at + HTTP1_METHOD_MAX;
	return s->line_at + HTTP1_LINE_MAX;
}

static bool plain_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return bytes_printable_word(w);
}

/* Most bytes are printable ASCII and far from any limit. */
static void skip_plain(struct http1_scan *s, struct bytes in, enum kind kind)
{
	size_t end = at_ease(s, kind);
	size_t at = s->at;

	if (end > in.len)
		end = in.len;
	while (at < end && end - at >= sizeof(uint64_t) && plain_word(in.p + at))
		at += sizeof(uint64_t);
	while (at < end && in.p[at] >= 0x20 && in.p[at] < 0x7f)
		at++;
	s->at = at;
}

static enum http1_answer scan(struct http1_scan *s, struct bytes in, enum kind kind, struct http1_head *scratch,
			      enum http1_fault *ret_fault)
{
	enum http1_fault fault = HTTP1_FAULT_NONE;

	while (s->at < in.len && fault == HTTP1_FAULT_NONE) {
		uint8_t c;

		skip_plain(s, in, kind);
		if (s->at == in.len)
			break;
		c = in.p[s->at];
		if (c == '\r') {
			if (in.len - s->at < 2)
				return HTTP1_MORE;
			if (in.p[s->at + 1] != '\n')
				return bad(HTTP1_FAULT_LINE_END, ret_fault);
			s->at += 2;
			if (line_done(s, in, kind, scratch, &fault)) {
				fault = too_long(s, in, kind);
				return fault == HTTP1_FAULT_NONE ? HTTP1_DONE : bad(fault, ret_fault);
			}
		} else if (!byte_ok(s, c, kind)) {
			return bad(bad_byte(s, in, c, kind), ret_fault);
		} else {
			s->at++;
		}
		if (fault == HTTP1_FAULT_NONE)
			fault = too_long(s, in, kind);
	}
	return fault == HTTP1_FAULT_NONE ? HTTP1_MORE : bad(fault, ret_fault);
}

static struct bytes next_line(struct bytes *rest)
{
	size_t cr = bytes_find(*rest, '\r');
	struct bytes line = bytes_of(rest->p, cr);

	*rest = bytes_skip(*rest, cr + 2);
	return line;
}

static enum http1_answer head(struct http1_scan *s, struct bytes in, enum kind kind, struct http1_head *ret,
			      size_t *ret_len, enum http1_fault *ret_fault)
{
	enum http1_answer answer = scan(s, in, kind, ret, ret_fault);
	struct bytes rest = bytes_of(in.p, s->at);
	enum http1_fault fault;

	if (answer != HTTP1_DONE)
		return answer;
	ret->method = ret->target = ret->phrase = bytes_of(NULL, 0);
	ret->status = 0;
	ret->n_fields = 0; /* the rest of the table stays as it was */
	fault = start_line(next_line(&rest), kind, ret);
	while (rest.len > 2 && fault == HTTP1_FAULT_NONE)
		fault = field_line(next_line(&rest), ret);
	if (fault != HTTP1_FAULT_NONE)
		return bad(fault, ret_fault);
	*ret_len = s->at;
	return HTTP1_DONE;
}

enum http1_answer http1_request_head(struct http1_scan *s, struct bytes in, struct http1_head *ret, size_t *ret_len,
				     enum http1_fault *ret_fault)
{
	return head(s, in, REQUEST, ret, ret_len, ret_fault);
}

enum http1_answer http1_response_head(struct http1_scan *s, struct bytes in, struct http1_head *ret, size_t *ret_len,
				      enum http1_fault *ret_fault)
{
	return head(s, in, RESPONSE, ret, ret_len, ret_fault);
}

size_t http1_find(const struct http1_head *h, const char *name, struct bytes *ret)
{
	struct bytes wanted = bytes_str(name);
	size_t n = 0;

	for (size_t i = 0; i < h->n_fields; i++)
		if (bytes_ieq(h->fields[i].name, wanted) && n++ == 0 && ret)
			*ret = h->fields[i].value;
	return n;
}

bool http1_member_next(struct bytes *list, struct bytes *ret)
{
	while (list->len) {
		struct bytes member = bytes_of(list->p, bytes_find(*list, ','));

		*list = bytes_skip(*list, member.len + (member.len < list->len));
		while (member.len && is_blank(member.p[0]))
			member = bytes_skip(member, 1);
		while (member.len && is_blank(member.p[member.len - 1]))
			member.len--;
		if (member.len) {
			*ret = member;
			return true;
		}
	}
	return false;
}

bool http1_list_next(const struct http1_head *h, const char *name, struct http1_list *at, struct bytes *ret)
{
	struct bytes wanted = bytes_str(name);

	for (; at->field < h->n_fields; at->field++, at->off = 0) {
		struct bytes value = h->fields[at->field].value;
		struct bytes rest;

		if (!bytes_ieq(h->fields[at->field].name, wanted))
			continue;
		rest = bytes_skip(value, at->off);
		if (http1_member_next(&rest, ret)) {
			at->off = value.len - rest.len;
			return true;
		}
	}
	return false;
}
