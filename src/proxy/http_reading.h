/* A request body that a rule must read: buffered as it is, bounded, and turned into facts that policy can judge. What is judged is what
 * is sent: the framed bytes wait beside it. */
#ifndef SAW_PROXY_HTTP_READING_H
#define SAW_PROXY_HTTP_READING_H

#include "base/buf.h"
#include "rules/policy_body.h"
#include "wire/http1_head.h"

enum {
	HTTP_READING_MAX = 1024 * 1024, /* of what is judged, decoded */
	HTTP_READING_HELD_MAX = 2 * 1024 * 1024, /* the same in its framing, as the client coded it */
	HTTP_READING_ALL_MAX = 64 * 1024 * 1024, /* of all requests of the workspace that are being read, with what is held beside them */
};

struct http_reading;

/* NULL: out of memory, or HTTP_READING_ALL_MAX is reached. `h`: the canonical head, which says how the body is coded. */
struct http_reading *http_reading_new(enum policy_needs needs, const struct http1_head *h);
struct http_reading *http_reading_free(struct http_reading *r);

/* The next bytes of the body, without framing. */
void http_reading_feed(struct http_reading *r, struct bytes data);
/* So much of the body is held beside it, in its framing, and counts like what is read. */
void http_reading_held(struct http_reading *r, size_t held);
/* The body is over. */
void http_reading_end(struct http_reading *r);
/* Nothing that comes would change the facts: they can be judged. */
bool http_reading_ready(const struct http_reading *r);

/* The facts as the rules of `e` ask for them; NULL when they ask for others than were read. Of one that is not ready: TOO_LARGE from now on, for a
 * beginning is never judged. Borrowed until the next call. */
const struct policy_body *http_reading_facts(struct http_reading *r, const struct policy *p, const struct policy_entry *e, enum policy_needs needs);

/* Of a push whose commands are all there, the commands; NULL: of none. Borrowed. */
const struct git_push *http_reading_push(const struct http_reading *r, const struct git_command **ret_commands);

#endif
