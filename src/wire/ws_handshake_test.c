#include "wire/ws_handshake.h"

#include "base/tap.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static enum ws_request ask(const char *line, const char *fields, struct ws_offer *o)
{
	struct http1_scan s = { 0 };
	static struct http1_head h;
	enum http1_fault f;
	static char text[2000];
	size_t len;

	(void)snprintf(text, sizeof(text), "%s\r\nHost: a\r\n%s\r\n", line, fields);
	CHECK_INT(http1_request_head(&s, bytes_str(text), &h, &len, &f), HTTP1_DONE);
	return ws_request(&h, o);
}

#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define K "Sec-WebSocket-Key: " KEY "\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

TEST(a_request_asks_for_a_websocket_as_the_rfc_wants_it_or_is_bad)
{
	static const struct {
		const char *line, *fields;
		enum ws_request want;
	} vectors[] = {
		{ "GET /chat HTTP/1.1", UP K V13, WS_REQUEST_OK },
		{ "GET /chat HTTP/1.1", "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n" K V13, WS_REQUEST_OK },
		{ "GET /chat HTTP/1.1", UP K V13 "Content-Length: 0\r\n", WS_REQUEST_OK },
		{ "GET /chat HTTP/1.1", "", WS_REQUEST_NONE },
		{ "GET /chat HTTP/1.1", "Upgrade: h2c\r\nConnection: Upgrade\r\n", WS_REQUEST_NONE },
		{ "GET /chat HTTP/1.1", K V13, WS_REQUEST_NONE },
		{ "POST /chat HTTP/1.1", UP K V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.0", UP K V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", "Upgrade: websocket\r\n" K V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", "Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n" K V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP "Upgrade: h2c\r\n" K V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K K V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K V13 V13, WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K "Sec-WebSocket-Version: 8\r\n", WS_REQUEST_VERSION },
		{ "GET /chat HTTP/1.1", UP K V13 "Content-Length: 5\r\n", WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K V13 "Transfer-Encoding: chunked\r\n", WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K V13 "Sec-WebSocket-Protocol: a b\r\n", WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K V13 "Sec-WebSocket-Protocol:\r\n", WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K V13 "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n", WS_REQUEST_BAD },
		{ "GET /chat HTTP/1.1", UP K V13 "Sec-WebSocket-Accept: x\r\n", WS_REQUEST_BAD },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct ws_offer o;

		if (!CHECK_INT(ask(vectors[i].line, vectors[i].fields, &o), vectors[i].want))
			printf("# vector %zu\n", i);
	}
}

/* F9 */
TEST(what_is_offered_is_told)
{
	struct ws_offer o;

	CHECK_INT(ask("GET / HTTP/1.1", UP K V13 "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", &o),
		  WS_REQUEST_OK);
	CHECK(bytes_is(o.key, KEY));
	CHECK(bytes_is(o.protocols, "chat, superchat"));
	CHECK(o.extensions);
	CHECK_INT(ask("GET / HTTP/1.1", UP K V13, &o), WS_REQUEST_OK);
	CHECK(!o.extensions && o.protocols.len == 0);
}

TEST(a_key_is_sixteen_bytes_in_canonical_base64)
{
	static const char *const bad[] = { "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZ===",
					   "dGhlIHNhbXBsZSBub25jZQ== ", "dGhlIHNhbXBsZSBub25j-Q==", "dGhlIHNhbXBsZSBub25jZQQQ" };

	CHECK(ws_key_valid(bytes_str(KEY)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!ws_key_valid(bytes_str(bad[i])));
}

static bool agrees(const char *text, const char *protocols)
{
	const struct ws_offer o = { .key = bytes_str(KEY), .protocols = bytes_str(protocols) };
	struct http1_scan s = { 0 };
	static struct http1_head h;
	enum http1_fault f;
	size_t len;

	CHECK_INT(http1_response_head(&s, bytes_str(text), &h, &len, &f), HTTP1_DONE);
	return ws_answer_agrees(&h, bytes_str(ACCEPT), &o);
}

#define A "Sec-WebSocket-Accept: " ACCEPT "\r\n"

/* F8, F9 */
TEST(an_answer_agrees_or_nothing_follows)
{
	static const struct {
		const char *text, *protocols;
		bool ok;
	} vectors[] = {
		{ "HTTP/1.1 101 Switching Protocols\r\n" UP A "\r\n", "", true },
		{ "HTTP/1.1 101 \r\n" UP A "Sec-WebSocket-Protocol: b\r\n\r\n", "a , b", true },
		{ "HTTP/1.1 101 \r\n" UP A "Sec-WebSocket-Protocol: c\r\n\r\n", "a, b", false },
		{ "HTTP/1.1 101 \r\n" UP A "Sec-WebSocket-Protocol: a, b\r\n\r\n", "a, b", false },
		{ "HTTP/1.1 101 \r\n" UP A "Sec-WebSocket-Protocol: b\r\n\r\n", "", false },
		{ "HTTP/1.1 101 \r\n" UP A "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n", "a", false },
		{ "HTTP/1.1 200 OK\r\n" UP A "\r\n", "", false },
		{ "HTTP/1.0 101 \r\n" UP A "\r\n", "", false },
		{ "HTTP/1.1 101 \r\n" UP "\r\n", "", false },
		{ "HTTP/1.1 101 \r\n" UP A A "\r\n", "", false },
		{ "HTTP/1.1 101 \r\n" UP "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n", "", false },
		{ "HTTP/1.1 101 \r\nConnection: upgrade\r\n" A "\r\n", "", false },
		{ "HTTP/1.1 101 \r\nUpgrade: h2c\r\nConnection: upgrade\r\n" A "\r\n", "", false },
		{ "HTTP/1.1 101 \r\nUpgrade: websocket\r\n" A "\r\n", "", false },
		{ "HTTP/1.1 101 \r\n" UP A "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "", false },
		{ "HTTP/1.1 101 \r\n" UP A "Transfer-Encoding: chunked\r\n\r\n", "", false },
		{ "HTTP/1.1 101 \r\n" UP A "Content-Length: 1\r\n\r\n", "", false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		if (!CHECK_INT(agrees(vectors[i].text, vectors[i].protocols), vectors[i].ok))
			printf("# vector %zu\n", i);
}
