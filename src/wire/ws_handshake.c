#include "wire/ws_handshake.h"

static bool has_member(const struct http1_head *h, const char *field, struct bytes want, bool fold)
{
	struct http1_list at = { 0 };
	struct bytes member;

	while (http1_list_next(h, field, &at, &member))
		if (fold ? bytes_ieq(member, want) : bytes_eq(member, want))
			return true;
	return false;
}

static bool only(const struct http1_head *h, const char *field, const char *want)
{
	struct bytes value;

	return http1_find(h, field, &value) == 1 && bytes_ieq(value, bytes_str(want));
}

static bool switches(const struct http1_head *h)
{
	return h->minor == 1 && only(h, "upgrade", "websocket") && has_member(h, "connection", bytes_str("upgrade"), true);
}

static bool has_body(const struct http1_head *h)
{
	struct bytes len;

	if (http1_find(h, "transfer-encoding", NULL))
		return true;
	return http1_find(h, "content-length", &len) && !bytes_is(len, "0");
}

static bool is_digit64(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' || c == '/';
}

bool ws_key_valid(struct bytes key)
{
	if (key.len != WS_KEY_LEN || !bytes_ends(key, bytes_str("==")))
		return false;
	for (size_t i = 0; i < WS_KEY_LEN - 2; i++)
		if (!is_digit64(key.p[i]))
			return false;
	return memchr("AQgw", key.p[WS_KEY_LEN - 3], 4) != NULL; /* 128 bits leave four of the last digit's, zero */
}

/* Tokens with commas between; each once. */
static bool protocols_ok(const struct http1_head *h, struct bytes *ret)
{
	struct http1_list at = { 0 };
	struct bytes member;
	size_t n = http1_find(h, "sec-websocket-protocol", ret);

	if (n == 0)
		*ret = bytes_of(NULL, 0);
	if (n > 1 || ret->len > WS_PROTOCOL_MAX)
		return false;
	while (http1_list_next(h, "sec-websocket-protocol", &at, &member))
		if (!http1_is_token(member))
			return false;
	return n == 0 || ret->len > 0;
}

enum ws_request ws_request(const struct http1_head *h, struct ws_offer *ret)
{
	struct ws_offer o;

	if (!has_member(h, "upgrade", bytes_str("websocket"), true))
		return WS_REQUEST_NONE;
	if (!bytes_is(h->method, "GET") || !switches(h) || has_body(h) || http1_find(h, "sec-websocket-key", &o.key) != 1 ||
	    !ws_key_valid(o.key) || http1_find(h, "sec-websocket-version", NULL) != 1 || http1_find(h, "sec-websocket-accept", NULL) ||
	    !protocols_ok(h, &o.protocols))
		return WS_REQUEST_BAD;
	if (!only(h, "sec-websocket-version", "13"))
		return WS_REQUEST_VERSION;
	o.extensions = http1_find(h, "sec-websocket-extensions", NULL) > 0;
	*ret = o;
	return WS_REQUEST_OK;
}

/* The one protocol of an answer stands in the list that was offered. */
static bool was_offered(struct bytes protocol, struct bytes offered)
{
	struct bytes member;

	while (http1_member_next(&offered, &member))
		if (bytes_eq(member, protocol))
			return true;
	return false;
}

bool ws_answer_agrees(const struct http1_head *h, struct bytes accept, const struct ws_offer *offer)
{
	struct bytes value;
	size_t n;

	if (h->status != 101 || !switches(h) || has_body(h) || http1_find(h, "sec-websocket-extensions", NULL))
		return false;
	if (http1_find(h, "sec-websocket-accept", &value) != 1 || !bytes_eq(value, accept))
		return false;
	n = http1_find(h, "sec-websocket-protocol", &value);
	return n == 0 || (n == 1 && was_offered(value, offer->protocols));
}
