#include "proxy/http_judge.h"

#include <stdio.h>
#include <string.h>

#include "net/held.h"
#include "wire/credential_fields.h"
#include "wire/http1_charset.h"
#include "wire/http1_fields.h"
#include "wire/http1_out.h"

/* From the guest's bytes to a judged request. */

/* In the only form that a rule can allow. A stream of HTTP/2 cannot become one. */
static bool opens_websocket(const struct http_flow *f, const struct http1_head *h)
{
	return !f->guest.stream && http_wants_websocket(h);
}

bool http_ask_coded(const struct http1_head *h)
{
	struct http1_list at = { 0 };
	struct bytes coding;

	while (http1_list_next(h, "content-encoding", &at, &coding))
		if (!bytes_ieq(coding, bytes_str("identity")))
			return true;
	return false;
}

/* To a server that heeds it the bytes of `_method` are others. */
static bool odd_charset(const struct http1_head *h)
{
	struct bytes type = bytes_of(NULL, 0);

	(void)http1_find(h, "content-type", &type);
	return http1_charset_of(type) == HTTP1_CHARSET_OTHER;
}

/* What no policy can allow here, whatever its rules say. */
static enum reason never(const struct http_flow *f, const struct http1_head *h)
{
	struct http1_list at = { 0 };
	struct bytes protocol;

	if (f->request.override)
		return REASON_HTTP_OVERRIDE;
	/* Servers take codings off, and then look for `_method`. Uploads of several parts are sent compressed by honest clients (Google's for Java). */
	if (http1_form_is_form(http1_form_kind_of(h)) && http1_form_kind_of(h) != HTTP1_FORM_PARTS && http_ask_coded(h))
		return REASON_HTTP_FORM_CODED;
	if (http1_form_is_form(http1_form_kind_of(h)) && odd_charset(h))
		return REASON_HTTP_FORM_CHARSET;
	while (http1_list_next(h, "upgrade", &at, &protocol))
		if (bytes_ieq(bytes_of(protocol.p, bytes_find(protocol, '/')), bytes_str("websocket")) && !opens_websocket(f, h))
			return REASON_UPGRADE_REFUSED;
	return bytes_ieq(h->method, bytes_str("TRACE")) ? REASON_HTTP_METHOD_UNLISTED : REASON_OK;
}

/* For the event of a request that has no canonical form: method and target as they came. */
static void keep_as_sent(struct http_flow *f, const struct http1_head *h)
{
	struct bytes host = bytes_of(NULL, 0);

	buf_reset(&f->canon);
	(void)buf_bytes(&f->canon, h->method);
	(void)buf_byte(&f->canon, ' ');
	(void)buf_bytes(&f->canon, h->target);
	(void)buf_byte(&f->canon, ' ');
	if (http1_find(h, "host", &host))
		(void)snprintf(f->stripped, sizeof(f->stripped), "Host: %.*s", (int)host.len, (const char *)host.p);
}

void http_note_stripped(struct http_flow *f, struct bytes names)
{
	size_t at = strlen(f->stripped);

	if (names.len && !memmem(f->stripped, at, names.p, names.len))
		(void)snprintf(f->stripped + at, sizeof(f->stripped) - at, "%s%.*s", at ? ", " : "stripped: ", (int)names.len, (const char *)names.p);
}

/* Where outlet takes the client's own credentials out, they do not even reach the verdict: what is judged is what is sent. */
static void strip_query(struct http_flow *f, struct buf *stripped)
{
	struct bytes line = buf_view(&f->canon);
	size_t method = bytes_find(line, ' ') + 1;
	struct bytes target = bytes_of(line.p + method, bytes_find(bytes_skip(line, method), ' '));
	size_t mark = bytes_find(target, '?');
	struct buf query BUF_AUTO = { 0 };
	struct buf whole BUF_AUTO = { 0 };
	size_t n = 0;

	if (mark == target.len || !policy_guarded(gate_policy(f->flow.gate), name_bytes(&f->flow.name)))
		return;
	buf_init(&query, HTTP1_CANON_MAX);
	buf_init(&whole, HTTP1_CANON_MAX);
	if (!credential_query_strip(bytes_skip(target, mark + 1), &query, &n) || n == 0)
		return;
	(void)buf_bytes(&whole, bytes_of(line.p, method + mark));
	if (query.len)
		(void)buf_byte(&whole, '?');
	(void)buf_bytes(&whole, buf_view(&query));
	(void)buf_bytes(&whole, bytes_skip(line, method + target.len));
	buf_reset(&f->canon);
	(void)buf_bytes(&f->canon, buf_view(&whole));
	if (stripped->len)
		(void)buf_str(stripped, ", ");
	(void)buf_str(stripped, "query");
}

/* True with a canonical request; else it was refused. */
static bool take(struct http_flow *f, const struct http1_head *h)
{
	const struct http1_place place = http_place_of(f, f->flow.entry.encoded_slash, opens_websocket(f, h));
	struct buf stripped BUF_AUTO = { 0 };
	enum http1_fault fault;

	buf_init(&stripped, HTTP1_STRIPPED_MAX);
	buf_reset(&f->canon);
	f->judged = false;
	f->to_head = bytes_is(h->method, "HEAD");
	f->minor = h->minor;
	if (bytes_is(h->method, "CONNECT")) {
		keep_as_sent(f, h);
		http_refuse(f, 403, EVENT_DENIED, REASON_HTTP_METHOD_UNLISTED);
		return false;
	}
	fault = http1_request_canon(h, &place, &f->canon, &stripped, &f->request);
	if (fault != HTTP1_FAULT_NONE) {
		keep_as_sent(f, h);
		http_refuse_fault(f, fault);
		return false;
	}
	f->request.upgrade = bytes_of(NULL, 0); /* a view that ends with this call */
	f->body_done = http_without_body(f);
	strip_query(f, &stripped);
	http_note_stripped(f, buf_view(&stripped));
	return true;
}

/* What a stream of HTTP/2 says of its body is framed by ourselves, and what inlet says is canonical: of a call of gRPC nothing must have come. */
static bool may_speak_first(const struct http_flow *f, const struct http1_head *h)
{
	struct bytes type;

	return (f->guest.stream || gate_is_outlet(f->flow.gate)) && http1_find(h, "content-type", &type) == 1 &&
	       bytes_starts(type, bytes_str("application/grpc"));
}

static void begin_body(struct http_flow *f, const struct http1_head *h)
{
	f->host_first = may_speak_first(f, h);
	http1_body_init(&f->body, f->request.length.framing, f->request.length.len);
	http1_body_keep_trailers(&f->body, &f->body_trailers);
	http1_form_init(&f->form, http1_form_kind_of(h));
	f->body_begun = f->body_done;
	f->keep = f->request.keep;
	buf_init(&f->held, f->reading ? HTTP_READING_HELD_MAX + HTTP_SIDE_READ : 2 * HTTP_FLOW_HOLD_MAX);
	held_buf(&f->held);
	if (f->reading && f->body_done)
		http_reading_end(f->reading);
}

/* Enough of the first line for the event; it may be anything. */
static void keep_line(struct http_flow *f)
{
	struct bytes line = buf_view(&f->guest.in);

	line.len = bytes_find(line, '\r');
	if (line.len > EVENT_TEXT_MAX)
		line.len = EVENT_TEXT_MAX;
	buf_reset(&f->canon);
	(void)buf_bytes(&f->canon, line);
}

static bool head_fault(struct http_flow *f, enum http1_fault fault)
{
	buf_reset(&f->canon);
	if (fault != HTTP1_FAULT_NOT_HTTP)
		keep_line(f);
	http_refuse_fault(f, fault);
	return true;
}

static bool head_finds_no_memory(struct http_flow *f)
{
	keep_line(f);
	http_refuse_memory(f, EVENT_DENIED);
	return true;
}

static bool head_waits(struct http_flow *f)
{
	bool begins = f->guest.in.len > 0 && !f->head_begun; /* only once: not every wake brings a byte */

	if (f->guest.eof && f->guest.in.len == 0 && !f->guest.starved) {
		http_flow_finish(f, false);
	} else if (f->guest.eof) {
		http_refuse_left(f);
	} else {
		f->head_begun = f->guest.in.len > 0;
		if (begins)
			http_flow_deadline(f, HTTP_FLOW_HEAD_MS);
		return false;
	}
	return true;
}

/* `told`: bytes at the head's end, before its empty line, that are inlet's word to us. */
static bool canonical(const struct http_flow *f, struct bytes head, size_t told)
{
	size_t n = head.len - told - strlen("\r\n");

	return f->canon.len == n + strlen("\r\n") && bytes_eq(bytes_of(f->canon.p, n), bytes_of(head.p, n));
}

/* The body goes on, or begins: the next of it is waited for, but not beyond the end of all waiting. */
static void hold_on(struct http_flow *f)
{
	uint64_t now = loop_now_ms(gate_loop(f->flow.gate));
	uint64_t left = f->hold_ends_ms > now ? f->hold_ends_ms - now : 0;

	http_flow_deadline(f, left < HTTP_FLOW_STALL_MS ? left : HTTP_FLOW_STALL_MS);
}

bool http_ask_head(struct http_flow *f)
{
	struct http1_head h;
	enum http1_fault fault = HTTP1_FAULT_NONE;
	enum reason r;
	size_t told = 0;
	size_t len;

	if (f->scan.at || f->guest.in.len < HTTP_FLOW_HOLD_MAX)
		f->bytes_out += http_side_read(&f->guest, HTTP_FLOW_HOLD_MAX);
	if (f->guest.in.len == 0)
		return head_waits(f);
	switch (http1_request_head(&f->scan, buf_view(&f->guest.in), &h, &len, &fault)) {
	case HTTP1_MORE:
		return f->guest.cramped ? head_finds_no_memory(f) : head_waits(f);
	case HTTP1_BAD:
		return head_fault(f, fault);
	case HTTP1_DONE:
		break;
	}
	if (!held_may_grow())
		return head_finds_no_memory(f);
	if (gate_is_outlet(f->flow.gate))
		told = http_dress_told(f, &h, bytes_of(f->guest.in.p, len));
	if (!take(f, &h))
		return true;
	if (gate_is_outlet(f->flow.gate) && !canonical(f, bytes_of(f->guest.in.p, len), told)) {
		http_refuse(f, 502, EVENT_DENIED, REASON_NOT_CANONICAL);
		return true;
	}
	r = never(f, &h);
	if (r != REASON_OK)
		http_refuse(f, 403, EVENT_DENIED, r);
	if (r != REASON_OK || !http_judge(f))
		return true;
	begin_body(f, &h);
	buf_consume(&f->guest.in, len);
	if (f->request.expects_continue && f->guest.in.len == 0)
		(void)buf_str(&f->guest.out, "HTTP/1.1 100 Continue\r\n\r\n");
	f->phase = HTTP_HOLD;
	f->hold_ends_ms = loop_now_ms(gate_loop(f->flow.gate)) + HTTP_FLOW_HOLD_MS;
	hold_on(f);
	return true;
}

bool http_ask_body(struct http_flow *f, struct buf *out, size_t full)
{
	enum http1_fault fault = HTTP1_FAULT_NONE;

	while (!f->body_done && out->len < full) {
		enum http1_answer answer;
		struct bytes data;
		struct bytes in;
		size_t used;

		if (f->guest.in.len == 0) {
			size_t n = http_side_read(&f->guest, HTTP_SIDE_READ);

			f->bytes_out += n;
			if (n == 0)
				break;
		}
		in = buf_view(&f->guest.in);
		if (in.len > full - out->len)
			in.len = full - out->len;
		answer = http1_body_next(&f->body, in, &used, &data, &fault);
		if (answer == HTTP1_BAD) {
			http_refuse_fault(f, fault);
			return false;
		}
		http1_piece(out, f->request.length.framing, data);
		if (out->failed) { /* a body with a hole must not go */
			http_refuse_memory(f, f->phase == HTTP_HOLD ? EVENT_DENIED : EVENT_FAILED);
			return false;
		}
		f->body_done = answer == HTTP1_DONE;
		f->body_begun = f->body_begun || data.len || f->body_done;
		if (f->reading)
			http_reading_feed(f->reading, data);
		if (f->reading && f->body_done)
			http_reading_end(f->reading);
		if (http1_form_feed(&f->form, data) || (f->body_done && http1_form_end(&f->form))) {
			http_refuse(f, 403, EVENT_DENIED, REASON_HTTP_OVERRIDE);
			return false;
		}
		if (f->body_done) {
			http_dress_trailers(f);
			http1_last_with(out, f->request.length.framing, buf_view(&f->body_trailers));
			if (out->failed) {
				http_refuse_memory(f, f->phase == HTTP_HOLD ? EVENT_DENIED : EVENT_FAILED);
				return false;
			}
		}
		buf_consume(&f->guest.in, used);
	}
	return true;
}

static bool guest_left(struct http_flow *f)
{
	if (f->guest.eof)
		http_refuse_left(f);
	return f->guest.eof;
}

/* The verdict waits for the body: all of it, or all that the rule reads. */
static bool hold_reading(struct http_flow *f)
{
	size_t before = f->guest.in.len + f->held.len;

	if (!http_ask_body(f, &f->held, HTTP_READING_HELD_MAX))
		return true;
	http_reading_held(f->reading, f->held.cap);
	if (!f->body_done && f->held.len < HTTP_READING_HELD_MAX && !http_reading_ready(f->reading)) {
		if (f->guest.in.len + f->held.len != before)
			hold_on(f);
		return guest_left(f);
	}
	if (http_judge(f))
		http_forward(f);
	return true;
}

/* A chunked body shows that it begins well, a form up to the limit that it hides no method. */
bool http_ask_hold(struct http_flow *f)
{
	size_t before = f->guest.in.len + f->held.len;

	if (f->reading)
		return hold_reading(f);
	if (!http_ask_body(f, &f->held, HTTP_FLOW_HOLD_MAX))
		return true;
	if (f->body_done || f->held.len >= HTTP_FLOW_HOLD_MAX || (!http1_form_is_form(f->form.kind) && (f->body_begun || f->host_first)) ||
	    (!http1_form_is_form(f->form.kind) && f->request.length.framing == HTTP1_LENGTH)) {
		http_forward(f);
		return true;
	}
	if (guest_left(f))
		return true;
	if (f->guest.in.len + f->held.len != before)
		hold_on(f);
	return false;
}
