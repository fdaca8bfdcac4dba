#include <sys/socket.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/tls_kit.h"
#include "os/fd.h"

enum { BIG = 300000 };

/* Both ends open. */
static void connect_both(struct kit *k, struct tls **client, struct tls **server)
{
	struct kit_answers a;

	*client = kit_client(k, TLS_ALPN_HTTP1);
	*server = kit_server(k, TLS_ALPN_HTTP1);
	must(*client && *server);
	a = kit_shake(*client, *server);
	must(a.client == TLS_DONE && a.server == TLS_DONE);
}

static size_t put(struct tls *t, const char *s)
{
	size_t n = 0;

	must(tls_write(t, bytes_str(s), &n) == TLS_DONE);
	return n;
}

TEST(a_verified_handshake_and_bytes_both_ways)
{
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	char text[64] = "";
	size_t n = 0;

	kit_init(&k);
	connect_both(&k, &client, &server);
	CHECK_INT(tls_alpn(client), TLS_ALPN_HTTP1);
	CHECK_INT(tls_alpn(server), TLS_ALPN_HTTP1);
	CHECK_INT(put(client, "ping"), 4);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_DONE);
	CHECK_INT(n, 4);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_WANT_READ);
	CHECK_INT(n, 0);
	CHECK_INT(put(server, "pong!"), 5);
	CHECK_INT(tls_read(client, text, sizeof(text), &n), TLS_DONE);
	CHECK_INT(n, 5);
	CHECK_STR(text, "pong!");
}

TEST(close_notify_is_the_end_and_a_bare_end_is_truncation)
{
	for (int bare = 0; bare < 2; bare++) {
		struct kit k KIT_AUTO;
		struct tls *client TLS_AUTO = NULL;
		struct tls *server TLS_AUTO = NULL;
		char text[64] = "";
		size_t n = 0;

		kit_init(&k);
		connect_both(&k, &client, &server);
		CHECK_INT(put(server, "last"), 4);
		if (!bare)
			CHECK_INT(tls_shutdown(server), TLS_DONE);
		k.host_fd = fd_close(k.host_fd);
		CHECK_INT(tls_read(client, text, 2, &n), TLS_DONE);
		CHECK(tls_pending(client));
		CHECK_INT(tls_read(client, text, sizeof(text), &n), TLS_DONE);
		CHECK_INT(n, 2);
		for (int i = 0; i < 2; i++) {
			CHECK_INT(tls_read(client, text, sizeof(text), &n), bare ? TLS_TRUNCATED : TLS_EOF);
			CHECK_INT(n, 0);
		}
		CHECK_INT(tls_fault(client), TLS_FAULT_NONE);
	}
}

TEST(a_full_socket_takes_a_part_and_the_rest_goes_on_from_other_memory)
{
	static uint8_t out[BIG], in[BIG], moved[BIG];
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	size_t sent = 0;
	size_t got = 0;
	bool was_full = false;

	kit_init(&k);
	connect_both(&k, &client, &server);
	for (size_t i = 0; i < BIG; i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	while (got < BIG) {
		size_t n = 0;
		enum tls_answer a = TLS_DONE;

		while (sent < BIG && a == TLS_DONE) {
			memcpy(moved, out + sent, BIG - sent);
			a = tls_write(client, bytes_of(moved, BIG - sent), &n);
			sent += n;
			memset(moved, 0, sizeof(moved));
		}
		was_full = was_full || a == TLS_WANT_WRITE;
		while (got < BIG && (a = tls_read(server, in + got, BIG - got, &n)) == TLS_DONE)
			got += n;
		must(a == TLS_DONE || a == TLS_WANT_READ);
	}
	CHECK(was_full);
	CHECK(memcmp(in, out, BIG) == 0);
}
