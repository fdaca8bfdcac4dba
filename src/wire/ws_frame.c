#include "wire/ws_frame.h"

/* A frame's head is collected and judged as early as its bytes allow; its payload is counted down, and looked at only where it is text
 * or a close frame. Text is skipped eight bytes at a time while it is ASCII, masked or not. */

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LEN = 0x7f, LEN16 = 126, LEN64 = 127, MASK_LEN = 4 };

void ws_check_init(struct ws_check *w, bool from_client, uint64_t max)
{
	*w = (struct ws_check){ .from_client = from_client, .max = max };
}

static uint8_t opcode(const struct ws_check *w)
{
	return w->head[0] & OPCODE;
}

static bool is_control(const struct ws_check *w)
{
	return opcode(w) >= CLOSE;
}

/* How long the head is, as far as its first two bytes tell. */
static uint8_t head_len(const struct ws_check *w)
{
	uint8_t len;

	if (w->have < 2)
		return 2;
	len = w->head[1] & LEN;
	return (uint8_t)(2 + (len == LEN16 ? 2 : len == LEN64 ? 8 : 0) + (w->from_client ? MASK_LEN : 0));
}

static bool refuse(struct ws_check *w, enum ws_code code)
{
	w->fault = (uint16_t)code;
	return false;
}

/* The first byte: reserved bits, opcode, and its place among fragments. */
static bool first_ok(const struct ws_check *w)
{
	bool fin = w->head[0] & FIN;

	if (w->head[0] & RESERVED)
		return false;
	switch (opcode(w)) {
	case CONTINUATION:
		return w->in_message;
	case TEXT:
	case BINARY:
		return !w->in_message;
	case CLOSE:
	case PING:
	case PONG:
		return fin;
	default:
		return false;
	}
}

static bool second_ok(const struct ws_check *w)
{
	uint8_t len = w->head[1] & LEN;

	return (bool)(w->head[1] & MASKED) == w->from_client && (!is_control(w) || len <= WS_CONTROL_MAX);
}

/* The length in its shortest form, or false. */
static bool payload_len(const struct ws_check *w, uint64_t *ret)
{
	uint8_t len = w->head[1] & LEN;
	size_t n = len == LEN16 ? 2 : len == LEN64 ? 8 : 0;
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | w->head[2 + i];
	*ret = n ? v : len;
	if (n == 2)
		return v > WS_CONTROL_MAX;
	return n == 0 || (v > UINT16_MAX && v <= INT64_MAX);
}

/* The frame is complete. */
static bool frame_end(struct ws_check *w)
{
	w->have = 0;
	if (opcode(w) == CLOSE) {
		w->closed = true;
		return w->reason_at != 1 && w->reason.left == 0 ? true : refuse(w, w->reason_at == 1 ? WS_PROTOCOL_ERROR : WS_NOT_TEXT);
	}
	if (is_control(w) || !(w->head[0] & FIN))
		return true;
	if (w->utf8.left)
		return refuse(w, WS_NOT_TEXT);
	w->in_message = false;
	w->n_messages++;
	w->n_text += w->text;
	return true;
}

static bool frame_begin(struct ws_check *w)
{
	if (!payload_len(w, &w->left))
		return refuse(w, WS_PROTOCOL_ERROR);
	w->mask_at = 0;
	if (is_control(w)) {
		w->reason = (struct utf8_run){ 0 };
		w->reason_at = 0;
		return w->left ? true : frame_end(w);
	}
	if (opcode(w) != CONTINUATION) {
		w->text = opcode(w) == TEXT;
		w->utf8 = (struct utf8_run){ 0 };
		w->message = 0;
	}
	if (w->left > w->max - w->message)
		return refuse(w, WS_TOO_BIG);
	w->message += w->left;
	w->in_message = true;
	return w->left ? true : frame_end(w);
}

/* One more byte of a head. */
static bool head_byte(struct ws_check *w, uint8_t c)
{
	if (w->closed)
		return refuse(w, WS_PROTOCOL_ERROR);
	w->head[w->have++] = c;
	if ((w->have == 1 && !first_ok(w)) || (w->have == 2 && !second_ok(w)))
		return refuse(w, WS_PROTOCOL_ERROR);
	return w->have < 2 || w->have < head_len(w) ? true : frame_begin(w);
}

static uint8_t unmask(struct ws_check *w, uint8_t c)
{
	if (!w->from_client)
		return c;
	c ^= w->head[head_len(w) - MASK_LEN + (w->mask_at & 3)];
	w->mask_at = (w->mask_at + 1) & 3;
	return c;
}

/* How many bytes from the front of `s` are ASCII, in steps of eight: the mask stands at the same place behind them. */
static size_t ascii_run(const struct ws_check *w, struct bytes s)
{
	uint8_t key[8] = { 0 };
	uint64_t mask, word;
	size_t n = 0;

	for (size_t i = 0; w->from_client && i < sizeof(key); i++)
		key[i] = w->head[head_len(w) - MASK_LEN + ((w->mask_at + i) & 3)];
	memcpy(&mask, key, sizeof(mask));
	for (; s.len - n >= sizeof(word); n += sizeof(word)) {
		memcpy(&word, s.p + n, sizeof(word));
		if ((word ^ mask) & 0x8080808080808080)
			break;
	}
	return n;
}

static bool text_ok(struct ws_check *w, struct bytes s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (w->utf8.left == 0)
			i += ascii_run(w, bytes_skip(s, i));
		if (i == s.len)
			break;
		if (!utf8_run_byte(&w->utf8, unmask(w, s.p[i])))
			return refuse(w, WS_NOT_TEXT);
	}
	return true;
}

/* Codes that may stand in a close frame (RFC 6455, 7.4; and those registered since). */
static bool code_ok(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static bool close_ok(struct ws_check *w, struct bytes s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = unmask(w, s.p[i]);

		if (w->reason_at < 2) {
			w->code = (uint16_t)(w->code << 8 | c);
			if (++w->reason_at == 2 && !code_ok(w->code))
				return refuse(w, WS_PROTOCOL_ERROR);
		} else if (!utf8_run_byte(&w->reason, c)) {
			return refuse(w, WS_NOT_TEXT);
		}
	}
	return true;
}

static bool payload(struct ws_check *w, struct bytes s)
{
	w->left -= s.len;
	if (opcode(w) == CLOSE ? !close_ok(w, s) : !is_control(w) && w->text && !text_ok(w, s))
		return false;
	return w->left ? true : frame_end(w);
}

bool ws_check_feed(struct ws_check *w, struct bytes in, enum ws_code *ret_code)
{
	bool ok = w->fault == 0;

	while (ok && in.len) {
		size_t n = 1;

		if (w->left == 0) {
			ok = head_byte(w, in.p[0]);
		} else {
			n = in.len < w->left ? in.len : (size_t)w->left;
			ok = payload(w, bytes_of(in.p, n));
		}
		in = bytes_skip(in, n);
	}
	if (!ok)
		*ret_code = (enum ws_code)w->fault;
	return ok;
}

bool ws_check_between(const struct ws_check *w)
{
	return w->have == 0 && !w->in_message;
}

bool ws_check_at_border(const struct ws_check *w)
{
	return w->have == 0 && !w->closed && !w->fault;
}
