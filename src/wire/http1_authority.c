#include "wire/http1_authority.h"

#include "base/num.h"

static enum http1_fault bytes_fault(struct bytes text)
{
	if (text.len == 0)
		return HTTP1_FAULT_HOST;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (c == '/' || c == ',')
			return HTTP1_FAULT_HOST;
		if (c == '\0' || c >= 0x80)
			return HTTP1_FAULT_NAME;
		if (!http1_is_tchar(c) && c != ':' && c != '[' && c != ']')
			return HTTP1_FAULT_AUTHORITY;
		if (strchr("!#$%&'*+^`|~", c))
			return bytes_find(text, ':') < i ? HTTP1_FAULT_HOST : HTTP1_FAULT_AUTHORITY;
	}
	return HTTP1_FAULT_NONE;
}

static enum http1_fault name_fault(enum name_answer a)
{
	switch (a) {
	case NAME_OK:
		return HTTP1_FAULT_NONE;
	case NAME_ADDRESS:
		return HTTP1_FAULT_NAME_ADDRESS;
	case NAME_MALFORMED:
	case NAME_NOT_CANONICAL:
		break;
	}
	return HTTP1_FAULT_NAME;
}

enum http1_fault http1_authority_parse(struct bytes text, struct http1_authority *ret)
{
	enum http1_fault fault = bytes_fault(text);
	size_t colon = bytes_find(text, ':');
	struct http1_authority a;
	uint64_t port = 0;

	if (fault != HTTP1_FAULT_NONE)
		return fault;
	if (text.p[0] == '[')
		return HTTP1_FAULT_NAME_ADDRESS;
	if (bytes_find(text, '[') < text.len || bytes_find(text, ']') < text.len)
		return HTTP1_FAULT_AUTHORITY;
	if (colon < text.len && (!num_u64(bytes_skip(text, colon + 1), UINT16_MAX, &port) || port == 0))
		return HTTP1_FAULT_HOST;
	fault = name_fault(name_parse(bytes_of(text.p, colon), &a.name));
	if (fault != HTTP1_FAULT_NONE)
		return fault;
	a.port = (uint16_t)port;
	*ret = a;
	return HTTP1_FAULT_NONE;
}
