/* What becomes of a header field on its way through a gateway, by its name. */
#ifndef SAW_WIRE_HTTP1_FIELDS_H
#define SAW_WIRE_HTTP1_FIELDS_H

#include "wire/http1_head.h"

enum http1_fate {
	HTTP1_FORWARD,
	HTTP1_REMAKE, /* connection management and framing: dropped, we write our own */
	HTTP1_STRIP, /* hop-by-hop, forwarding, routing: dropped, and worth saying */
	HTTP1_OVERRIDE, /* would hide the real method from whoever judges the request */
	HTTP1_CONFUSING, /* another spelling, for CGI-like servers, of a framing or routing field */
};

/* Any case; whatever is neither letter nor digit counts as `-`, as CGI-like servers fold it. */
enum http1_fate http1_request_field(struct bytes name);
enum http1_fate http1_response_field(struct bytes name);

/* A CGI-like server takes one for the other. */
bool http1_names_alike(struct bytes a, struct bytes b);
/* The name is this one: `pattern` is in lower case with `-` for whatever is neither letter nor digit, and a `*` at its end stands for any rest. */
bool http1_name_matches(struct bytes name, const char *pattern);

/* By it a client gets an answer in pieces (RFC 9110, 14; RFC 3229), in a coding or in other letters: whoever reads answers along takes it out. */
bool http1_asks_otherwise(struct bytes name);

/* The field is named by a Connection field of this head (RFC 9110, 7.6.1). */
bool http1_nominated(const struct http1_head *h, struct bytes name);
/* Perhaps it names some: it has more than "keep-alive", a field that goes nowhere anyway. */
bool http1_nominates(const struct http1_head *h);
/* HTTP1_FAULT_NONE; HEADER when a member is no token; NOMINATED when one names framing, routing, or a credential: a gateway
 * that obeyed would remove what it or the origin relies on. */
enum http1_fault http1_nominations(const struct http1_head *h);
/* Connection has this member (any case). */
bool http1_connection_has(const struct http1_head *h, const char *option);

#endif
