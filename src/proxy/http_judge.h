/* What the policy in force says of a request. What is judged is not what the guest sent, but the canonical head, read again from the very
 * bytes that would go to the origin: there is no second description of the request that could differ from the first. */
#ifndef SAW_PROXY_HTTP_JUDGE_H
#define SAW_PROXY_HTTP_JUDGE_H

#include "proxy/http_flow.h"

/* Judges f->canon by the policy in force; fills f->rule, verdict, observed, generation. False: it was refused. */
bool http_judge(struct http_flow *f);
/* The same for what nobody asks for now, since its host has agreed to it already: its event says that the policy changed, and of the new verdict the rule, and the
 * change that would allow it. */
bool http_judge_granted(struct http_flow *f);
/* The policy in force allows the request under way, for all that is known of it: a body that is gone speaks against none. Changes nothing. */
bool http_judge_stands(const struct http_flow *f);
/* Where its requests go, for what makes them canonical. */
struct http1_place http_place_of(const struct http_flow *f, bool encoded_slash, bool websocket);
/* It asks for a WebSocket in the one form that there is. */
bool http_wants_websocket(const struct http1_head *h);
/* By f->request.length. */
bool http_without_body(const struct http_flow *f);

#endif
