/* What an upstream proxy answers to CONNECT (RFC 9110 9.3.6): a head only, strict and bounded. Behind its empty line the tunnel begins. */
#ifndef SAW_WIRE_PROXY_REPLY_H
#define SAW_WIRE_PROXY_REPLY_H

#include "base/bytes.h"

enum { PROXY_REPLY_MAX = 8 * 1024 };

enum proxy_reply_answer {
	PROXY_REPLY_DONE,
	PROXY_REPLY_MORE,
	PROXY_REPLY_BAD, /* not HTTP/1, a bare CR or LF, a malformed field, an interim (1xx) status, or over PROXY_REPLY_MAX */
};

/* `in`: everything so far. DONE: the head's length in *ret_len and its status in *ret_status; only 2xx opened a tunnel. Fields are
 * checked and not used: a length in a 2xx answer means nothing (RFC 9110 9.3.6). */
enum proxy_reply_answer proxy_reply_parse(struct bytes in, size_t *ret_len, unsigned *ret_status);

/* "host:port", "192.0.2.1:3128" or "[2001:db8::1]:3128" -> host without brackets, borrowed, and port. False for anything else. */
bool proxy_address_parse(struct bytes text, struct bytes *ret_host, uint16_t *ret_port);

#endif
