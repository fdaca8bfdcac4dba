/* Reads along while an answer passes: for the live secret, which must not, and for what a model says about its tokens. */
#ifndef SAW_PROXY_HTTP_WATCH_H
#define SAW_PROXY_HTTP_WATCH_H

#include "base/buf.h"
#include "wire/ai_usage.h"

enum { HTTP_WATCH_HELD_MAX = 4 * 1024 * 1024 /* content that may be the beginning of a secret, and the piece behind it */ };

struct http_watch;

/* `secret`: copied, once for all that look for it, since a credential may be replaced while the answer to its use still comes; empty: not
 * looked for. NULL: out of memory. */
struct http_watch *http_watch_new(struct bytes secret);
struct http_watch *http_watch_free(struct http_watch *w);

/* A secret is looked for: only content without a coding may pass. */
bool http_watch_scans(const struct http_watch *w);
/* The secret is in this text, which stands by itself. */
bool http_watch_leaks(const struct http_watch *w, struct bytes text);
/* Content found no memory: nothing may pass any more. */
bool http_watch_starved(const struct http_watch *w);
/* Content goes by: takes `data` and gives what may pass now, good until the next call. `last`: nothing comes behind it. False: the
 * secret is in what came, or it is starved; nothing may pass any more. */
bool http_watch_pass(struct http_watch *w, struct bytes data, bool last, struct bytes *ret);

/* The content that begins is a model's, and not coded. */
void http_watch_count(struct http_watch *w, struct bytes content_type);
/* NULL: nothing was said. */
const struct ai_counts *http_watch_counts(const struct http_watch *w);

#endif
