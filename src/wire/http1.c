#include "wire/http1.h"

static inline bool tchar(uint8_t c)
{
	/* Digits, letters and !#$%&'*+-.^_`|~ (RFC 9110, 5.6.2), a bit for each. */
	static const uint64_t set[2] = { 0x03ff6cfa00000000, 0x57ffffffc7fffffe };

	return c < 0x80 && (set[c / 64] >> (c % 64) & 1);
}

bool http1_is_tchar(uint8_t c)
{
	return tchar(c);
}

size_t http1_token_len(struct bytes s)
{
	size_t n = 0;

	while (n < s.len && tchar(s.p[n]))
		n++;
	return n;
}

bool http1_is_token(struct bytes s)
{
	return s.len > 0 && http1_token_len(s) == s.len;
}

unsigned http1_fault_status(enum http1_fault f)
{
	switch ((int)f) {
	case HTTP1_FAULT_TOO_LARGE:
		return 431;
	case HTTP1_FAULT_TARGET_TOO_LONG:
		return 414;
	case HTTP1_FAULT_VERSION:
		return 505;
	case HTTP1_FAULT_NOT_FLOW:
		return 421;
	case HTTP1_FAULT_CODING:
		return 501;
	case HTTP1_FAULT_EXPECT:
		return 417;
	default:
		return 400;
	}
}

const char *http1_phrase(unsigned status)
{
	static const struct {
		unsigned status;
		const char *phrase;
	} phrases[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 103, "Early Hints" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}
