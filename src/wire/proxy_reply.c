#include "wire/proxy_reply.h"

#include "base/num.h"

enum { STATUS_LINE_MIN = sizeof("HTTP/1.1 200") - 1, STATUS_AT = sizeof("HTTP/1.1 ") - 1 };

static bool control(uint8_t c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

static bool text_ok(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (control(s.p[i]))
			return false;
	return true;
}

static bool token(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
			return false;
	return s.len > 0;
}

static bool status_line(struct bytes line, unsigned *ret)
{
	uint64_t status;

	if (!bytes_starts(line, bytes_str("HTTP/1.1 ")) && !bytes_starts(line, bytes_str("HTTP/1.0 ")))
		return false;
	if (line.len < STATUS_LINE_MIN || (line.len > STATUS_LINE_MIN && line.p[STATUS_LINE_MIN] != ' '))
		return false;
	if (!num_u64(bytes_of(line.p + STATUS_AT, 3), 599, &status) || status < 200)
		return false;
	*ret = (unsigned)status;
	return text_ok(line);
}

static bool field(struct bytes line)
{
	size_t colon = bytes_find(line, ':');

	return colon < line.len && token(bytes_of(line.p, colon)) && text_ok(bytes_skip(line, colon));
}

/* The next line without its CR LF; false: there is no whole one (*ret_bad: and there never will be). */
static bool next_line(struct bytes *left, struct bytes *ret, bool *ret_bad)
{
	size_t end = bytes_find(*left, '\n');

	if (end == left->len)
		return false;
	*ret_bad = end == 0 || left->p[end - 1] != '\r';
	if (*ret_bad)
		return false;
	*ret = bytes_of(left->p, end - 1);
	*left = bytes_skip(*left, end + 1);
	return true;
}

enum proxy_reply_answer proxy_reply_parse(struct bytes in, size_t *ret_len, unsigned *ret_status)
{
	struct bytes left = bytes_of(in.p, in.len > PROXY_REPLY_MAX ? PROXY_REPLY_MAX : in.len);
	struct bytes whole = left;
	struct bytes line;
	unsigned status = 0;
	bool bad = false;

	while (next_line(&left, &line, &bad)) {
		if (!status) {
			if (!status_line(line, &status))
				return PROXY_REPLY_BAD;
		} else if (!line.len) {
			*ret_len = whole.len - left.len;
			*ret_status = status;
			return PROXY_REPLY_DONE;
		} else if (!field(line)) {
			return PROXY_REPLY_BAD;
		}
	}
	return bad || whole.len == PROXY_REPLY_MAX ? PROXY_REPLY_BAD : PROXY_REPLY_MORE;
}

bool proxy_address_parse(struct bytes text, struct bytes *ret_host, uint16_t *ret_port)
{
	struct bytes host = text;
	struct bytes rest;
	uint64_t port;
	size_t len;

	if (text.len && text.p[0] == '[') {
		len = bytes_find(text, ']');
		if (len == text.len)
			return false;
		host = bytes_of(text.p + 1, len - 1);
		rest = bytes_skip(text, len + 1);
		if (bytes_find(host, ':') == host.len)
			return false;
	} else {
		len = bytes_find(text, ':');
		host.len = len;
		rest = bytes_skip(text, len);
	}
	if (!host.len || rest.len < 2 || rest.p[0] != ':' || !num_u64(bytes_skip(rest, 1), UINT16_MAX, &port) || !port)
		return false;
	*ret_host = host;
	*ret_port = (uint16_t)port;
	return true;
}
