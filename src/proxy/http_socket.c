#include "proxy/http_socket.h"

#include <stdlib.h>

#include "crypt/ws_accept.h"
#include "proxy/http_flow.h"
#include "proxy/http_judge.h"
#include "wire/http1_out.h"
#include "wire/ws_frame.h"
#include "wire/ws_handshake.h"

/* A piece is checked before any of it goes on. Whoever breaks the protocol is told why in a close frame, where the frames that went to
 * it before were whole; the other side just loses the connection, as it would if the breaker had. */

enum {
	ROUNDS = 8, /* reads of one side in a row, for the sake of other flows */
	GOING_AWAY = 1001, /* RFC 6455, 7.4.1 */
	CLOSE_FIN = 0x88,
	MASKED = 0x80,
};

struct http_socket {
	struct ws_check from_guest;
	struct ws_check from_host;
	bool more; /* of either: the last turn stopped for the sake of other flows */
};

struct http_socket *http_socket_free(struct http_socket *s)
{
	free(s);
	return NULL;
}

/* The request as it went. */
static bool offered(const struct http_flow *f, struct ws_offer *ret)
{
	struct http1_scan scan = { 0 };
	struct http1_head h;
	enum http1_fault fault;
	size_t len;

	return http1_request_head(&scan, buf_view(&f->canon), &h, &len, &fault) == HTTP1_DONE && ws_request(&h, ret) == WS_REQUEST_OK;
}

static void put_answer(struct http_flow *f, const struct http1_head *h)
{
	const struct http1_length none = { .framing = HTTP1_NO_BODY };
	const struct http1_relay relay = { .client_minor = 1, .keep = true };

	(void)http1_answer_canon(h, &none, &relay, &f->guest.out);
	f->guest.out.len -= strlen("\r\n");
	(void)buf_str(&f->guest.out, "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

bool http_socket_open(struct http_flow *f, struct http1_head *h)
{
	struct ws_offer offer;
	char accept[WS_ACCEPT_MAX];

	if (!f->websocket || !offered(f, &offer))
		return false;
	ws_accept(offer.key, accept);
	if (!ws_answer_agrees(h, bytes_str(accept), &offer))
		return false;
	f->socket = calloc(1, sizeof(*f->socket));
	if (!f->socket)
		return false;
	ws_check_init(&f->socket->from_guest, true, UINT64_MAX);
	ws_check_init(&f->socket->from_host, false, UINT64_MAX);
	put_answer(f, h);
	f->answering = true;
	f->keep = false;
	f->phase = HTTP_SOCKET;
	f->patience_ms = HTTP_SOCKET_IDLE_MS;
	http_flow_deadline(f, f->patience_ms);
	return true;
}

static void put_close(struct buf *out, const struct ws_check *sent, unsigned code, bool masked)
{
	const uint8_t frame[] = { CLOSE_FIN, (uint8_t)(2 | (masked ? MASKED : 0)), 0, 0, 0, 0 }; /* the key of four zeros masks nothing */

	if (!ws_check_at_border(sent))
		return;
	(void)buf_add(out, frame, masked ? sizeof(frame) : 2);
	(void)buf_byte(out, (uint8_t)(code >> 8));
	(void)buf_byte(out, (uint8_t)code);
}

/* What the guest was sent before still goes to it. */
static void end(struct http_flow *f)
{
	http_side_close(&f->upstream);
	f->phase = HTTP_CLOSING;
	http_flow_deadline(f, HTTP_FLOW_STALL_MS);
}

/* One exchange without an end: it stands only as long as it would be opened in the same way. What goes through outlet is judged there, and
 * ends here with it: one event. */
void http_socket_judge(struct http_flow *f)
{
	if (http_judge_granted(f) && !f->upstream_vetted)
		http_refuse(f, 403, EVENT_DENIED, REASON_POLICY_CHANGED);
}

static void note(struct http_flow *f, enum reason reason)
{
	struct event ev = http_request_event(f, EVENT_FAILED, reason);

	gate_note(f->flow.gate, &ev);
}

static void broken(struct http_flow *f, bool by_guest, enum ws_code code)
{
	struct http_socket *s = f->socket;

	note(f, by_guest ? REASON_WEBSOCKET_MALFORMED : REASON_UPSTREAM_MALFORMED);
	if (by_guest) {
		put_close(&f->guest.out, &s->from_host, code, false);
		end(f);
		return;
	}
	put_close(&f->upstream.out, &s->from_guest, code, true);
	(void)http_side_flush(&f->upstream);
	http_flow_finish(f, true);
}

/* Everything of one direction that is here and that the other side has room for. False: it is over. */
static bool move(struct http_flow *f, struct http_side *from, struct http_side *to, struct ws_check *check, uint64_t *count)
{
	for (int round = 0; round < ROUNDS || http_side_unwatched(from); round++) {
		enum ws_code code;

		if (http_side_full(to))
			return true;
		*count += http_side_read(from, HTTP_SIDE_READ);
		if (from->in.len == 0)
			return true;
		if (!ws_check_feed(check, buf_view(&from->in), &code)) {
			broken(f, from == &f->guest, code);
			return false;
		}
		(void)buf_bytes(&to->out, buf_view(&from->in));
		buf_reset(&from->in);
		(void)http_side_flush(to);
	}
	f->socket->more = true;
	return true;
}

/* A guest that has ended its side waits only until the host took what it said. */
static void renew_deadline(struct http_flow *f)
{
	uint64_t moved = f->guest.moved + f->upstream.moved;
	uint64_t ms = f->guest.left ? (uint64_t)HTTP_FLOW_LEFT_MS : (uint64_t)HTTP_SOCKET_IDLE_MS;

	if (moved == f->moved && ms == f->patience_ms)
		return;
	f->moved = moved;
	f->patience_ms = ms;
	http_flow_deadline(f, ms);
}

static bool ended(const struct http_side *s)
{
	return s->eof && s->in.len == 0;
}

bool http_socket_relay(struct http_flow *f)
{
	struct http_socket *s = f->socket;

	s->more = false;
	(void)http_side_flush(&f->upstream);
	if (!move(f, &f->guest, &f->upstream, &s->from_guest, &f->bytes_out) ||
	    !move(f, &f->upstream, &f->guest, &s->from_host, &f->bytes_in))
		return true;
	if (f->guest.deaf || (ended(&f->guest) && f->upstream.out.len == 0)) {
		http_flow_finish(f, false);
	} else if (ended(&f->upstream) || (f->upstream.deaf && !f->upstream.readable && f->upstream.in.len == 0)) {
		end(f); /* frames say themselves whether they are whole, and a close frame whether all have come */
	} else {
		renew_deadline(f);
	}
	return f->phase != HTTP_SOCKET;
}

bool http_socket_reads_guest(const struct http_flow *f)
{
	return !http_side_full(&f->upstream);
}

bool http_socket_reads_upstream(const struct http_flow *f)
{
	return !http_side_full(&f->guest);
}

bool http_socket_more(const struct http_flow *f, bool towards_guest)
{
	return f->socket->more || (towards_guest ? f->upstream.in.len : f->guest.in.len) > 0;
}

void http_socket_idle(struct http_flow *f)
{
	note(f, f->guest.left ? REASON_GUEST_CLOSED : REASON_WEBSOCKET_IDLE);
	put_close(&f->upstream.out, &f->socket->from_guest, GOING_AWAY, true);
	(void)http_side_flush(&f->upstream);
	put_close(&f->guest.out, &f->socket->from_host, GOING_AWAY, false);
	end(f);
}
