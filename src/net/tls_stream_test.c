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

TEST(what_came_in_several_records_is_read_at_once_and_the_end_behind_it_is_pending)
{
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	char text[64] = "";
	size_t n = 0;

	kit_init(&k);
	connect_both(&k, &client, &server);
	CHECK_INT(put(client, "one "), 4);
	CHECK_INT(put(client, "two "), 4);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_DONE);
	CHECK_STR(text, "one two ");
	CHECK(!tls_pending(server));
	CHECK_INT(put(client, "three"), 5);
	CHECK_INT(tls_shutdown(client), TLS_DONE);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_DONE);
	CHECK_INT(n, 5);
	CHECK(tls_pending(server));
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_EOF);
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

TEST(a_reset_is_truncation_and_what_came_before_it_can_be_read)
{
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	char text[64] = "";
	size_t n = 0;

	kit_init(&k);
	connect_both(&k, &client, &server);
	CHECK_INT(put(client, "never read"), 10);
	CHECK_INT(put(server, "early answer"), 12);
	k.host_fd = fd_close(k.host_fd); /* with unread bytes: ECONNRESET */
	CHECK_INT(tls_write(client, bytes_str("more"), &n), TLS_FAILED); /* and no SIGPIPE */
	CHECK_INT(tls_fault(client), TLS_FAULT_CLOSED);
	CHECK_STR(tls_detail(client), "Broken pipe");
	CHECK_INT(tls_shutdown(client), TLS_DONE);
	if (tls_read(client, text, sizeof(text), &n) == TLS_DONE)
		CHECK_STR(text, "early answer");
	CHECK_INT(tls_read(client, text, sizeof(text), &n), TLS_TRUNCATED);
}

/* Carries at most `max` bytes from one socket to the other. */
static size_t carry(int from, int to, size_t max)
{
	uint8_t b[4096];
	ssize_t n = recv(from, b, max < sizeof(b) ? max : sizeof(b), MSG_DONTWAIT);

	if (n > 0)
		must(send(to, b, (size_t)n, MSG_NOSIGNAL) == n);
	return n > 0 ? (size_t)n : 0;
}

struct wire {
	int client_side, server_side; /* the middle's ends */
	int client_fd;
};

/* Client and server with a carrier between them instead of one socket pair. */
static void stretch(struct kit *k, struct wire *w)
{
	w->client_fd = fd_take(&k->guest_fd);
	w->client_side = fd_take(&k->host_fd);
	kit_reconnect(k);
	w->server_side = fd_take(&k->guest_fd);
	k->guest_fd = w->client_fd;
}

/* Whoever asks tls_pending() would come back at once, again and again, until the rest comes. */
TEST(a_record_of_which_a_part_came_is_nothing_to_read)
{
	static const uint8_t head[] = { 23, 3, 3, 0x40, 0x11 };
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	char text[64] = "";
	size_t n = 0;

	kit_init(&k);
	connect_both(&k, &client, &server);
	CHECK_INT(put(client, "ping"), 4);
	must(send(k.guest_fd, head, sizeof(head), MSG_NOSIGNAL) == sizeof(head) && send(k.guest_fd, "part", 4, MSG_NOSIGNAL) == 4);
	CHECK_INT(tls_read(server, text, 2, &n), TLS_DONE);
	CHECK(tls_pending(server));
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_DONE);
	CHECK_INT(n, 2);
	CHECK(!tls_pending(server));
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_WANT_READ);
	CHECK(!tls_pending(server));
}

TEST(a_handshake_and_data_byte_by_byte)
{
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	struct wire w;
	size_t n = 0;
	size_t moved;
	char text[64] = "";
	int cs FD_AUTO = -1;
	int ss FD_AUTO = -1;

	kit_init(&k);
	stretch(&k, &w);
	cs = w.client_side;
	ss = w.server_side;
	client = kit_client(&k, TLS_ALPN_H2);
	server = kit_server(&k, TLS_ALPN_H2);
	do {
		enum tls_answer a = tls_handshake(client);
		enum tls_answer b = tls_handshake(server);

		must(a != TLS_FAILED && b != TLS_FAILED);
		moved = carry(cs, ss, 1) + carry(ss, cs, 1);
		if (a == TLS_DONE && b == TLS_DONE)
			break;
	} while (moved);
	CHECK_INT(tls_handshake(client), TLS_DONE);
	CHECK_INT(tls_handshake(server), TLS_DONE);
	CHECK_INT(put(client, "slowly"), 6);
	while (carry(cs, ss, 1)) {
		enum tls_answer a = tls_read(server, text, sizeof(text), &n);

		must(a == TLS_WANT_READ || a == TLS_DONE);
		CHECK_INT(n, a == TLS_DONE ? 6 : 0);
	}
	CHECK_STR(text, "slowly");
	/* Half a record and then the end: not one byte of it is given. */
	CHECK_INT(put(client, "half of this"), 12);
	CHECK_INT(carry(cs, ss, 20), 20);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_WANT_READ);
	ss = fd_close(ss);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_TRUNCATED);
	CHECK_INT(n, 0);
}

TEST(a_changed_byte_ends_the_stream)
{
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	uint8_t b[256];
	ssize_t len;
	size_t n = 0;

	kit_init(&k);
	connect_both(&k, &client, &server);
	CHECK_INT(put(client, "first"), 5);
	CHECK_INT(tls_read(server, b, sizeof(b), &n), TLS_DONE);
	CHECK_INT(put(client, "second"), 6);
	len = recv(k.host_fd, b, sizeof(b), 0);
	must(len > 10);
	b[len - 1] ^= 1;
	must(send(k.guest_fd, b, (size_t)len, 0) == len);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(tls_read(server, b, sizeof(b), &n), TLS_FAILED);
		CHECK_INT(tls_fault(server), TLS_FAULT_PROTOCOL);
		CHECK_STR(tls_detail(server), "decryption failed or bad record mac");
	}
}

TEST(one_call_takes_a_bounded_share_and_the_socket_still_shows_the_rest)
{
	static uint8_t out[BIG], in[BIG];
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	size_t sent = 0;
	size_t n = 0;
	size_t got = 0;
	char c;

	kit_init(&k);
	connect_both(&k, &client, &server);
	while (tls_write(client, bytes_of(out + sent, BIG - sent), &n) == TLS_DONE)
		sent += n;
	must(sent > TLS_READ_BURST + 16384);
	CHECK_INT(tls_read(server, in, sizeof(in), &got), TLS_DONE);
	CHECK(got <= TLS_READ_BURST);
	CHECK_INT(recv(k.host_fd, &c, 1, MSG_PEEK), 1);
	while (tls_read(server, in, sizeof(in), &n) == TLS_DONE)
		got += n;
	CHECK_INT(got, sent);
}

TEST(after_close_notify_the_other_direction_goes_on)
{
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	char text[64] = "";
	size_t n = 0;

	kit_init(&k);
	connect_both(&k, &client, &server);
	CHECK_INT(tls_shutdown(client), TLS_DONE);
	CHECK_INT(tls_shutdown(client), TLS_DONE);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_EOF);
	CHECK_INT(put(server, "still here"), 10);
	CHECK_INT(tls_read(client, text, sizeof(text), &n), TLS_DONE);
	CHECK_STR(text, "still here");
}

TEST(an_alert_of_the_peer_is_told_apart)
{
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	uint8_t b[256];
	ssize_t len;
	size_t n = 0;

	kit_init(&k);
	connect_both(&k, &client, &server);
	CHECK_INT(put(client, "x"), 1);
	len = recv(k.host_fd, b, sizeof(b), 0);
	must(len > 10);
	b[len - 1] ^= 1;
	must(send(k.guest_fd, b, (size_t)len, 0) == len);
	CHECK_INT(tls_read(server, b, sizeof(b), &n), TLS_FAILED);
	while (tls_read(client, b, sizeof(b), &n) == TLS_DONE)
		continue;
	CHECK_INT(tls_fault(client), TLS_FAULT_ALERT);
	CHECK_STR(tls_detail(client), "sslv3 alert bad record mac");
}
