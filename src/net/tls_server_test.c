#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "base/must.h"
#include "base/tap.h"
#include "crypt/ca.h"
#include "crypt/leaf.h"
#include "crypt/secure_heap.h"
#include "net/tls_kit.h"
#include "os/fd.h"

TEST(the_hello_must_name_the_flow)
{
	static const struct {
		const char *sni;
		bool good;
	} vectors[] = { { "a.example", true }, { "A.Example", true }, { "b.example", false }, { "a.example.", false }, { NULL, false } };
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			SSL *guest KIT_RAW_AUTO = kit_raw(k.guest_fd, NULL, NULL, vectors[i].sni);
			struct tls *server TLS_AUTO = kit_server(&k, 0);
			struct kit_answers a;

			must(SSL_set_max_proto_version(guest, version) == 1);
			a = kit_shake_raw_client(guest, server);
			if (!CHECK_INT(a.server, vectors[i].good ? TLS_DONE : TLS_FAILED))
				printf("# %s\n", vectors[i].sni);
			CHECK_INT(a.client, vectors[i].good ? TLS_DONE : TLS_FAILED);
			CHECK_INT(tls_fault(server), vectors[i].good ? TLS_FAULT_NONE : TLS_FAULT_SNI);
			CHECK_INT(SSL_version(guest), version);
			kit_reconnect(&k);
		}
}

TEST(the_best_protocol_that_both_know_is_chosen_and_none_in_common_is_refused)
{
	static const struct {
		const char *offer; /* as on the wire, or NULL */
		unsigned alpn;
		enum tls_fault want;
		enum tls_alpn chosen;
	} vectors[] = {
		{ "\x02h2\x08http/1.1", TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_H2 },
		{ "\x08http/1.1\x02h2", TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_H2 },
		{ "\x02h2\x08http/1.1", TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_HTTP1 },
		{ "\x06spdy/3\x08http/1.1", TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_HTTP1 },
		{ "\x02h2", TLS_ALPN_HTTP1, TLS_FAULT_ALPN, TLS_ALPN_NONE },
		{ "\x06spdy/3", TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_ALPN, TLS_ALPN_NONE },
		{ "\x02H2", TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_ALPN, TLS_ALPN_NONE },
		{ NULL, TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_NONE },
		{ "\x02h2", 0, TLS_FAULT_NONE, TLS_ALPN_NONE },
	};
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		SSL *guest KIT_RAW_AUTO = kit_raw(k.guest_fd, NULL, NULL, "a.example");
		struct tls *server TLS_AUTO = kit_server(&k, vectors[i].alpn);
		const char *offer = vectors[i].offer;
		enum tls_answer want = vectors[i].want == TLS_FAULT_NONE ? TLS_DONE : TLS_FAILED;
		struct kit_answers a;

		must(!offer || SSL_set_alpn_protos(guest, (const uint8_t *)offer, (unsigned)strlen(offer)) == 0);
		a = kit_shake_raw_client(guest, server);
		CHECK_INT(a.server, want);
		CHECK_INT(a.client, want);
		CHECK_INT(tls_fault(server), vectors[i].want);
		CHECK_INT(tls_alpn(server), vectors[i].chosen);
		kit_reconnect(&k);
	}
}

TEST(old_versions_and_ciphers_are_refused)
{
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (int i = 0; i < 3; i++) {
		SSL *guest KIT_RAW_AUTO = kit_raw(k.guest_fd, NULL, NULL, "a.example");
		struct tls *server TLS_AUTO = kit_server(&k, 0);

		must(SSL_set_max_proto_version(guest, i == 0 ? TLS1_VERSION : i == 1 ? TLS1_1_VERSION : TLS1_2_VERSION) == 1);
		must(i < 2 || SSL_set_cipher_list(guest, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA") == 1);
		CHECK_INT(kit_shake_raw_client(guest, server).server, TLS_FAILED);
		CHECK_INT(tls_fault(server), TLS_FAULT_VERSION);
		kit_reconnect(&k);
	}
}

TEST(bytes_that_were_read_before_are_part_of_the_handshake)
{
	static const size_t cuts[] = { 1, 4, 5, 6, 100, SIZE_MAX };
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct tls *client TLS_AUTO = kit_client(&k, TLS_ALPN_H2);
		struct tls *server TLS_AUTO = NULL;
		struct tls_server_side s = {
			.name = "a.example", .leaf = k.tls_leaf, .intermediate = k.tls_intermediate, .key = k.leaf.key, .alpn = TLS_ALPN_H2
		};
		uint8_t hello[4096];
		size_t take = cuts[i] < sizeof(hello) ? cuts[i] : sizeof(hello);
		ssize_t n;

		CHECK_INT(tls_handshake(client), TLS_WANT_READ);
		n = recv(k.host_fd, hello, take, 0);
		must(n > 0);
		s.prefix = bytes_of(hello, (size_t)n);
		CHECK_INT(tls_server_new(k.ctx, k.host_fd, &s, &server, NULL), 0);
		memset(hello, 0, sizeof(hello));
		CHECK_INT(kit_shake(client, server).server, TLS_DONE);
		CHECK_INT(tls_alpn(client), TLS_ALPN_H2);
		kit_reconnect(&k);
	}
}

TEST(a_key_that_is_not_the_leafs_and_a_broken_certificate_are_errors)
{
	struct kit k KIT_AUTO;
	struct tls_server_side s = { .name = "a.example" };
	struct tls *server = NULL;
	struct tls_cert *cert = NULL;
	uint8_t *der = NULL;
	int len;

	kit_init(&k);
	s.leaf = k.tls_leaf;
	s.key = k.root.key;
	CHECK_INT(tls_server_new(k.ctx, k.host_fd, &s, &server, NULL), -EINVAL);
	CHECK(!server);
	len = i2d_X509(k.leaf.x509, &der);
	must(len > 0);
	CHECK_INT(tls_cert_new(bytes_of(der, (size_t)len - 1), &cert, NULL), -EINVAL);
	der = OPENSSL_realloc(der, (size_t)len + 1);
	der[len] = 0;
	CHECK_INT(tls_cert_new(bytes_of(der, (size_t)len + 1), &cert, NULL), -EINVAL);
	CHECK_INT(tls_cert_new(bytes_str(""), &cert, NULL), -EINVAL);
	CHECK(!cert);
	OPENSSL_free(der);
}

TEST(a_guest_that_does_not_trust_the_root_is_told_apart)
{
	struct kit k KIT_AUTO;
	struct kit_cert other KIT_CERT_AUTO = kit_cert(&(struct kit_ask){ .subject = "other", .is_ca = true });
	struct buf pem BUF_AUTO;
	struct tls_client_side s = { .name = "a.example" };
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;

	kit_init(&k);
	buf_init(&pem, 10000);
	kit_pem(&other, &pem);
	s.ca = buf_view(&pem);
	must(tls_client_new(k.ctx, k.guest_fd, &s, &client, NULL) == 0);
	server = kit_server(&k, 0);
	CHECK_INT(kit_shake(client, server).server, TLS_FAILED);
	CHECK_INT(tls_fault(server), TLS_FAULT_ALERT);
	CHECK_STR(tls_detail(server), "tlsv1 alert unknown ca");
}

/* One connection of a raw guest with `session` (or NULL) to a server for `name`: what the guest got for later, and whether it resumed. */
static SSL_SESSION *visit(struct kit *k, SSL_CTX *ctx, const char *name, SSL_SESSION *session, bool *resumed)
{
	struct kit_cert leaf KIT_CERT_AUTO = kit_cert(&(struct kit_ask){
		.subject = "leaf", .issuer = &k->intermediate, .names = "DNS:a.example,DNS:b.example" });
	struct tls_cert *cert = kit_tls_cert(&leaf);
	struct tls_server_side s = { .name = name, .leaf = cert, .key = leaf.key };
	struct tls *server TLS_AUTO = NULL;
	SSL *guest = SSL_new(ctx);
	struct kit_answers a;
	char text[8];
	size_t n;
	SSL_SESSION *got;

	kit_reconnect(k);
	must(guest && SSL_set_fd(guest, k->guest_fd) == 1 && SSL_set_tlsext_host_name(guest, name) == 1);
	must(!session || SSL_set_session(guest, session) == 1);
	SSL_set_connect_state(guest);
	must(tls_server_new(k->ctx, k->host_fd, &s, &server, NULL) == 0);
	a = kit_shake_raw_client(guest, server);
	CHECK_INT(a.client, TLS_DONE);
	CHECK_INT(a.server, TLS_DONE);
	must(tls_write(server, bytes_str("x"), &n) == TLS_DONE && SSL_read(guest, text, sizeof(text)) == 1);
	*resumed = tls_resumed(server);
	CHECK_INT(SSL_session_reused(guest), *resumed);
	got = SSL_get1_session(guest);
	SSL_set_shutdown(guest, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(guest);
	tls_cert_free(cert);
	return got;
}

TEST(a_ticket_of_one_name_opens_no_session_of_another)
{
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		SSL_SESSION *first, *other, *again;
		bool resumed = true;

		must(ctx && SSL_CTX_set_max_proto_version(ctx, version) == 1);
		first = visit(&k, ctx, "a.example", NULL, &resumed);
		CHECK(!resumed);
		CHECK(SSL_SESSION_has_ticket(first));
		CHECK_INT(SSL_SESSION_get_max_early_data(first), 0);
		other = visit(&k, ctx, "b.example", first, &resumed);
		CHECK(!resumed);
		again = visit(&k, ctx, "a.example", first, &resumed);
		CHECK(resumed);
		SSL_SESSION_free(first);
		SSL_SESSION_free(other);
		SSL_SESSION_free(again);
		SSL_CTX_free(ctx);
	}
}

TEST(early_data_is_never_read)
{
	struct kit k KIT_AUTO;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct tls *server TLS_AUTO = NULL;
	SSL_SESSION *session;
	SSL *guest;
	bool resumed;
	size_t n = 0;
	char text[16] = "";

	kit_init(&k);
	must(ctx);
	session = visit(&k, ctx, "a.example", NULL, &resumed);
	kit_reconnect(&k);
	must(SSL_SESSION_set_max_early_data(session, 1000) == 1);
	guest = SSL_new(ctx);
	must(guest && SSL_set_fd(guest, k.guest_fd) == 1 && SSL_set_tlsext_host_name(guest, "a.example") == 1);
	must(SSL_set_session(guest, session) == 1);
	SSL_set_connect_state(guest);
	CHECK_INT(SSL_write_early_data(guest, "early", 5, &n), 1);
	server = kit_server(&k, 0);
	CHECK_INT(kit_shake_raw_client(guest, server).server, TLS_DONE);
	CHECK_INT(SSL_get_early_data_status(guest), SSL_EARLY_DATA_REJECTED);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_WANT_READ);
	must(SSL_write(guest, "late", 4) == 4);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_DONE);
	CHECK_STR(text, "late");
	SSL_free(guest);
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
}

TEST(a_guest_cannot_renegotiate)
{
	struct kit k KIT_AUTO;
	SSL *guest KIT_RAW_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	size_t n = 0;
	char text[16];

	kit_init(&k);
	guest = kit_raw(k.guest_fd, NULL, NULL, "a.example");
	server = kit_server(&k, 0);
	must(SSL_set_max_proto_version(guest, TLS1_2_VERSION) == 1);
	CHECK_INT(kit_shake_raw_client(guest, server).server, TLS_DONE);
	must(SSL_set_tlsext_host_name(guest, "b.example") == 1 && SSL_renegotiate(guest) == 1);
	(void)SSL_do_handshake(guest);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_FAILED);
	CHECK_INT(tls_fault(server), TLS_FAULT_PROTOCOL);
	CHECK_STR(tls_detail(server), "renegotiation");
}

TEST(a_flood_of_key_updates_ends_the_stream)
{
	struct kit k KIT_AUTO;
	SSL *guest KIT_RAW_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;
	size_t n = 0;
	char text[16];

	kit_init(&k);
	guest = kit_raw(k.guest_fd, NULL, NULL, "a.example");
	server = kit_server(&k, 0);
	CHECK_INT(kit_shake_raw_client(guest, server).server, TLS_DONE);
	for (int i = 0; i <= TLS_QUIET_RECORDS_MAX; i++)
		must(SSL_key_update(guest, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(guest) == 1);
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_FAILED);
	CHECK_INT(tls_fault(server), TLS_FAULT_PROTOCOL);
}

static bool all_listed(void *ctx, struct bytes name)
{
	(void)ctx;
	(void)name;
	return true;
}

/* A workspace's minter whose intermediate may sign for `name`, and the PEM of its root. */
static struct leaf_minter *workspace(const char *name, uint64_t now_ms, struct buf *root_pem)
{
	struct key *root_key KEY_AUTO = key_generate();
	struct key *key = key_generate();
	struct cert *root CERT_AUTO = NULL;
	struct bytes names = bytes_str(name);
	uint8_t public_key[KEY_PUBLIC];
	struct ca_intermediate ask = {
		.id = "ws-1", .public_key = public_key, .names = &names, .n_names = 1, .now_ms = now_ms, .days = CA_INTERMEDIATE_DAYS
	};
	struct leaf_minter *m;
	struct buf der BUF_AUTO;

	buf_init(&der, CA_INTERMEDIATE_MAX);
	must(root_key && key && ca_root(root_key, "dev", "ws-1", now_ms, CA_ROOT_DAYS, &der, NULL) == 0);
	must(cert_open(&root, buf_view(&der), NULL) == 0 && cert_put_pem(root_pem, buf_view(&der)));
	key_public(key, public_key);
	buf_reset(&der);
	must(ca_intermediate(root_key, root, &ask, &der, NULL) == 0);
	m = leaf_minter_new(key, all_listed, NULL);
	must(m && leaf_minter_add(m, buf_view(&der), NULL) == 0);
	return m;
}

TEST(a_minted_leaf_serves_without_being_parsed_again)
{
	uint64_t now_ms = (uint64_t)time(NULL) * 1000;
	struct kit k KIT_AUTO;
	struct buf pem BUF_AUTO;
	struct leaf_minter *m LEAF_MINTER_AUTO = NULL;
	const struct leaf *leaf = NULL;

	kit_init(&k);
	buf_init(&pem, 10000);
	m = workspace("a.example", now_ms, &pem);
	must(leaf_get(m, bytes_str("a.example"), now_ms, &leaf, NULL) == 0);
	for (int i = 0; i < 3; i++) {
		struct tls_server_side s = { .name = "a.example", .key = key_handle(leaf_minter_key(m)) };
		struct tls_client_side c = { .name = "a.example", .port = (unsigned)i, .ca = buf_view(&pem) };
		struct tls_cert *certs[2] = { NULL, NULL };
		struct tls *client TLS_AUTO = NULL;
		struct tls *server TLS_AUTO = NULL;

		must(tls_cert_of(leaf->handle, &certs[0], NULL) == 0 && tls_cert_of(leaf->issuer->handle, &certs[1], NULL) == 0);
		s.leaf = certs[0];
		s.intermediate = certs[1];
		must(tls_server_new(k.ctx, k.host_fd, &s, &server, NULL) == 0);
		tls_cert_free(certs[0]);
		tls_cert_free(certs[1]);
		must(tls_client_new(k.ctx, k.guest_fd, &c, &client, NULL) == 0);
		CHECK_INT(kit_shake(client, server).client, TLS_DONE);
		CHECK_INT(tls_fault(client), TLS_FAULT_NONE);
		kit_reconnect(&k);
	}
}

/* How much guarded memory a process needs for the sessions that it may have. */
TEST(a_session_holds_no_more_guarded_memory_than_is_promised)
{
	static const char *const groups[] = { "X25519", "X25519", "P-256", "P-521:P-384:P-256" };
	struct kit k KIT_AUTO;
	bool made;

	(void)secure_heap_init_sized((size_t)1 << 20, &made);
	if (!made) {
		tap_skip("no guarded memory on this host");
		return;
	}
	kit_init(&k);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		SSL *guest KIT_RAW_AUTO = kit_raw(k.guest_fd, NULL, NULL, "a.example");
		struct tls *server TLS_AUTO = kit_server(&k, 0);
		size_t before = CRYPTO_secure_used();
		size_t both;

		must(SSL_set1_groups_list(guest, groups[i]) == 1);
		CHECK_INT(kit_shake_raw_client(guest, server).server, TLS_DONE);
		both = CRYPTO_secure_used() - before;
		/* the first one also brings what libcrypto makes once */
		if (i)
			CHECK(both > 0 && both <= 2 * TLS_KEYS_MAX);
		kit_reconnect(&k);
	}
}
