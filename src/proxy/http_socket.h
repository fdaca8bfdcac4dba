/* A WebSocket (RFC 6455): a request that policy lets open one, the answer that agrees, and then frames both ways until an end. The frames
 * are the two sides' own affair, as long as they are frames (wire/ws_frame.h). */
#ifndef SAW_PROXY_HTTP_SOCKET_H
#define SAW_PROXY_HTTP_SOCKET_H

#include "wire/http1_head.h"

struct http_flow;
struct http_socket;

enum { HTTP_SOCKET_IDLE_MS = 15 * 60 * 1000 /* without a byte, either way */ };

/* The answer is a 101. True: it agrees with f->canon and went to the guest, and f->phase is HTTP_SOCKET. False: it does not (or there
 * is no memory), and nothing happened. */
bool http_socket_open(struct http_flow *f, struct http1_head *h);
struct http_socket *http_socket_free(struct http_socket *s);

/* Moves frames both ways; true when the phase changed. */
bool http_socket_relay(struct http_flow *f);
/* Frames wait in one side's `in` until the other one has room, or for the sake of other flows. */
bool http_socket_reads_guest(const struct http_flow *f);
bool http_socket_reads_upstream(const struct http_flow *f);
bool http_socket_more(const struct http_flow *f, bool towards_guest);
/* The policy changed, perhaps before the answer came. */
void http_socket_judge(struct http_flow *f);
/* Nothing moved for HTTP_SOCKET_IDLE_MS (HTTP_FLOW_LEFT_MS where the guest has ended its side): both sides are told, as far as they can be, and it
 * ends. */
void http_socket_idle(struct http_flow *f);

#endif
