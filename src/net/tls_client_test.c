#include <errno.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/tls_kit.h"
#include "net/tls_stream.h"
#include "os/fd.h"

/* A host of libssl with `leaf` against our client for a.example: the client's answer and fault. */
static enum tls_fault meet(struct kit *k, const struct kit_cert *leaf, const struct kit_cert *chain, enum tls_answer *ret)
{
	SSL *host KIT_RAW_AUTO = kit_raw(k->host_fd, leaf, chain, NULL);
	struct tls *client TLS_AUTO = kit_client(k, TLS_ALPN_HTTP1);

	must(client);
	*ret = kit_shake_raw_server(client, host).client;
	return tls_fault(client);
}

TEST(a_certificate_that_does_not_verify_has_its_own_fault)
{
	static const struct {
		const char *what;
		struct kit_ask ask;
		bool no_chain;
		enum tls_fault want;
	} vectors[] = {
		{ "good", { .names = "DNS:a.example" }, false, TLS_FAULT_NONE },
		{ "one of several", { .names = "DNS:b.example,DNS:A.example" }, false, TLS_FAULT_NONE },
		{ "RSA", { .names = "DNS:a.example", .rsa_bits = 2048 }, false, TLS_FAULT_NONE },
		{ "wrong name", { .names = "DNS:b.example" }, false, TLS_FAULT_WRONG_NAME },
		{ "name below", { .names = "DNS:x.a.example" }, false, TLS_FAULT_WRONG_NAME },
		{ "partial wildcard", { .names = "DNS:a*.example" }, false, TLS_FAULT_WRONG_NAME },
		{ "wildcard of another level", { .names = "DNS:*.a.example" }, false, TLS_FAULT_WRONG_NAME },
		{ "name in the subject only", { .subject = "a.example" }, false, TLS_FAULT_WRONG_NAME },
		{ "an address", { .names = "IP:192.0.2.1" }, false, TLS_FAULT_WRONG_NAME },
		{ "expired", { .names = "DNS:a.example", .from_days = -20, .to_days = -1 }, false, TLS_FAULT_EXPIRED },
		{ "early", { .names = "DNS:a.example", .from_days = 1, .to_days = 2 }, false, TLS_FAULT_NOT_YET_VALID },
		{ "no intermediate", { .names = "DNS:a.example" }, true, TLS_FAULT_UNKNOWN_ISSUER },
		{ "for clients", { .names = "DNS:a.example", .usage = "clientAuth" }, false, TLS_FAULT_BAD_CERTIFICATE },
		{ "weak key", { .names = "DNS:a.example", .rsa_bits = 1024 }, false, TLS_FAULT_BAD_CERTIFICATE },
	};
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct kit_ask ask = vectors[i].ask;
		struct kit_cert leaf KIT_CERT_AUTO;
		enum tls_answer a;

		ask.issuer = &k.intermediate;
		ask.subject = ask.subject ? ask.subject : "leaf";
		leaf = kit_cert(&ask);
		kit_reconnect(&k);
		if (!CHECK_INT(meet(&k, &leaf, vectors[i].no_chain ? NULL : &k.intermediate, &a), vectors[i].want))
			printf("# %s\n", vectors[i].what);
		CHECK_INT(a, vectors[i].want == TLS_FAULT_NONE ? TLS_DONE : TLS_FAILED);
	}
}

TEST(a_wildcard_stands_for_one_whole_label)
{
	static const struct {
		const char *in_certificate, *name;
		enum tls_fault want;
	} vectors[] = {
		{ "DNS:*.a.example", "x.a.example", TLS_FAULT_NONE },
		{ "DNS:*.a.example", "a.example", TLS_FAULT_WRONG_NAME },
		{ "DNS:*.a.example", "y.x.a.example", TLS_FAULT_WRONG_NAME },
		{ "DNS:x*.a.example", "xy.a.example", TLS_FAULT_WRONG_NAME },
		{ "DNS:*y.a.example", "xy.a.example", TLS_FAULT_WRONG_NAME },
		{ "DNS:x.*.example", "x.a.example", TLS_FAULT_WRONG_NAME },
		{ "DNS:*.example", "a.example", TLS_FAULT_WRONG_NAME },
	};
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct tls_client_side s = { .name = vectors[i].name };
		struct kit_cert leaf KIT_CERT_AUTO =
			kit_cert(&(struct kit_ask){ .subject = "x", .names = vectors[i].in_certificate, .issuer = &k.root });
		SSL *host KIT_RAW_AUTO = kit_raw(k.host_fd, &leaf, NULL, NULL);
		struct tls *client TLS_AUTO = NULL;

		must(tls_client_new(k.ctx, k.guest_fd, &s, &client, NULL) == 0);
		(void)kit_shake_raw_server(client, host);
		if (!CHECK_INT(tls_fault(client), vectors[i].want))
			printf("# %s for %s\n", vectors[i].in_certificate, vectors[i].name);
		kit_reconnect(&k);
	}
}

TEST(chains_that_end_at_strangers_or_break_rules_are_refused)
{
	struct kit k KIT_AUTO;
	struct kit_cert self KIT_CERT_AUTO =
		kit_cert(&(struct kit_ask){ .subject = "self", .names = "DNS:a.example" });
	struct kit_cert stranger KIT_CERT_AUTO = kit_cert(&(struct kit_ask){ .subject = "stranger", .is_ca = true });
	struct kit_cert twin KIT_CERT_AUTO = kit_cert(&(struct kit_ask){ .subject = "root", .is_ca = true });
	struct kit_cert of_stranger KIT_CERT_AUTO =
		kit_cert(&(struct kit_ask){ .subject = "leaf", .names = "DNS:a.example", .issuer = &stranger });
	struct kit_cert of_twin KIT_CERT_AUTO =
		kit_cert(&(struct kit_ask){ .subject = "leaf", .names = "DNS:a.example", .issuer = &twin });
	struct kit_cert forged KIT_CERT_AUTO = { 0 };
	struct kit_cert of_leaf KIT_CERT_AUTO = { 0 };
	struct kit_cert narrow KIT_CERT_AUTO = { 0 };
	struct kit_cert outside KIT_CERT_AUTO = { 0 };
	enum tls_answer a;

	kit_init(&k);
	forged = kit_cert(&(struct kit_ask){ .subject = "leaf", .names = "DNS:a.example",
					      .issuer = &(struct kit_cert){ .x509 = k.root.x509, .key = twin.key } });
	of_leaf = kit_cert(&(struct kit_ask){ .subject = "x", .names = "DNS:a.example", .issuer = &k.leaf });
	narrow = kit_cert(&(struct kit_ask){
		.subject = "narrow", .is_ca = true, .issuer = &k.root, .constraints = "critical,permitted;DNS:b.example" });
	outside = kit_cert(&(struct kit_ask){ .subject = "x", .names = "DNS:a.example", .issuer = &narrow });
	CHECK_INT(meet(&k, &self, NULL, &a), TLS_FAULT_SELF_SIGNED);
	kit_reconnect(&k);
	CHECK_INT(meet(&k, &of_stranger, NULL, &a), TLS_FAULT_UNKNOWN_ISSUER);
	kit_reconnect(&k);
	CHECK_INT(meet(&k, &of_stranger, &stranger, &a), TLS_FAULT_SELF_SIGNED);
	kit_reconnect(&k);
	CHECK_INT(meet(&k, &of_twin, NULL, &a), TLS_FAULT_UNKNOWN_ISSUER);
	kit_reconnect(&k);
	CHECK_INT(meet(&k, &forged, NULL, &a), TLS_FAULT_BAD_CERTIFICATE);
	kit_reconnect(&k);
	CHECK_INT(meet(&k, &of_leaf, &k.leaf, &a), TLS_FAULT_UNKNOWN_ISSUER);
	kit_reconnect(&k);
	CHECK_INT(meet(&k, &outside, &narrow, &a), TLS_FAULT_BAD_CERTIFICATE);
}

TEST(a_bundle_of_its_own_is_trusted_and_the_systems_is_not)
{
	struct kit k KIT_AUTO;
	struct kit_cert own KIT_CERT_AUTO = kit_cert(&(struct kit_ask){ .subject = "own", .is_ca = true });
	struct kit_cert leaf KIT_CERT_AUTO =
		kit_cert(&(struct kit_ask){ .subject = "x", .names = "DNS:a.example", .issuer = &own });
	struct buf pem BUF_AUTO, middle BUF_AUTO;

	kit_init(&k);
	buf_init(&pem, 10000);
	buf_init(&middle, 10000);
	kit_pem(&own, &pem);
	kit_pem(&k.intermediate, &middle);
	for (int i = 0; i < 4; i++) {
		/* own for own; own for the system's; an intermediate for what it signed; for own */
		bool own_leaf = i == 0 || i == 3;
		struct tls_client_side s = { .name = "a.example", .port = 443, .ca = buf_view(i < 2 ? &pem : &middle) };
		SSL *host KIT_RAW_AUTO = NULL;
		struct tls *client TLS_AUTO = NULL;

		kit_reconnect(&k);
		host = kit_raw(k.host_fd, own_leaf ? &leaf : &k.leaf, own_leaf ? NULL : &k.intermediate, NULL);
		CHECK_INT(tls_client_new(k.ctx, k.guest_fd, &s, &client, NULL), 0);
		CHECK_INT(kit_shake_raw_server(client, host).client, i % 2 ? TLS_FAILED : TLS_DONE);
		CHECK_INT(tls_fault(client), i % 2 ? TLS_FAULT_UNKNOWN_ISSUER : TLS_FAULT_NONE);
	}
}

TEST(bundles_without_a_readable_certificate_are_errors)
{
	static const char *const broken[] = { "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
	struct kit k KIT_AUTO;
	struct buf mixed BUF_AUTO;
	struct tls_ctx *bare = NULL;
	struct tls_client_side s = { .name = "a.example", .port = 443 };
	struct tls *t TLS_AUTO = NULL;
	struct err e = { 0 };

	kit_init(&k);
	for (size_t i = 0; i < 2; i++) {
		s.ca = bytes_str(broken[i]);
		CHECK_INT(tls_client_new(k.ctx, k.guest_fd, &s, &t, &e), -EINVAL);
		CHECK(e.text[0]);
	}
	buf_init(&mixed, 100000);
	kit_pem(&k.root, &mixed);
	(void)buf_str(&mixed, broken[1]);
	s.ca = buf_view(&mixed);
	CHECK_INT(tls_client_new(k.ctx, k.guest_fd, &s, &t, &e), -EINVAL);
	CHECK_STR(e.text, "block 2 of the bundle is no certificate that can be read");
	s.ca = (struct bytes){ 0 };
	must(tls_ctx_new(s.ca, &bare, NULL) == 0);
	CHECK_INT(tls_client_new(bare, k.guest_fd, &s, &t, &e), -EINVAL);
	tls_ctx_free(bare);
	/* One bad block does not take the system's others away. */
	buf_reset(&mixed);
	(void)buf_str(&mixed, broken[1]);
	kit_pem(&k.root, &mixed);
	must(tls_ctx_new(buf_view(&mixed), &bare, NULL) == 0);
	CHECK_INT(tls_client_new(bare, k.guest_fd, &s, &t, &e), 0);
	t = tls_free(t);
	tls_ctx_free(bare);
}

TEST(more_bundles_than_are_kept_still_work)
{
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (int i = 0; i < 3 * (TLS_ROOTS_CACHED + 1); i++) {
		struct buf pem BUF_AUTO;
		struct tls_client_side s = { .name = "a.example", .port = 443 };
		struct tls *client TLS_AUTO = NULL;
		struct tls *server TLS_AUTO = NULL;

		buf_init(&pem, 10000);
		(void)buf_fmt(&pem, "bundle %d\n", i % (TLS_ROOTS_CACHED + 1));
		kit_pem(&k.root, &pem);
		s.ca = buf_view(&pem);
		kit_reconnect(&k);
		server = kit_server(&k, 0);
		CHECK_INT(tls_client_new(k.ctx, k.guest_fd, &s, &client, NULL), 0);
		CHECK_INT(kit_shake(client, server).client, TLS_DONE);
	}
}

TEST(old_versions_and_plain_text_are_refused)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION };
	static const char plain[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
	struct kit k KIT_AUTO;
	struct tls *client TLS_AUTO = NULL;

	kit_init(&k);
	for (size_t i = 0; i < 2; i++) {
		SSL *host KIT_RAW_AUTO = kit_raw(k.host_fd, &k.leaf, &k.intermediate, NULL);

		must(SSL_set_max_proto_version(host, versions[i]) == 1);
		client = kit_client(&k, 0);
		CHECK_INT(kit_shake_raw_server(client, host).client, TLS_FAILED);
		CHECK_INT(tls_fault(client), TLS_FAULT_VERSION);
		client = tls_free(client);
		kit_reconnect(&k);
	}
	client = kit_client(&k, 0);
	must(send(k.host_fd, plain, sizeof(plain) - 1, 0) > 0);
	CHECK_INT(tls_handshake(client), TLS_FAILED);
	CHECK_INT(tls_fault(client), TLS_FAULT_PROTOCOL);
	CHECK_INT(tls_handshake(client), TLS_FAILED);
	client = tls_free(client);
	kit_reconnect(&k);
	client = kit_client(&k, 0);
	k.host_fd = fd_close(k.host_fd);
	CHECK_INT(tls_handshake(client), TLS_FAILED);
	CHECK_INT(tls_fault(client), TLS_FAULT_CLOSED);
}

TEST(ciphers_without_authentication_of_data_are_not_offered)
{
	static const char *const lists[] = { "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA" };
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (size_t i = 0; i < 3; i++) {
		SSL *host KIT_RAW_AUTO = kit_raw(k.host_fd, &k.leaf, &k.intermediate, NULL);
		struct tls *client TLS_AUTO = kit_client(&k, 0);

		must(SSL_set_max_proto_version(host, TLS1_2_VERSION) == 1 && SSL_set_cipher_list(host, lists[i]) == 1);
		CHECK_INT(kit_shake_raw_server(client, host).client, TLS_FAILED);
		CHECK_INT(tls_fault(client), TLS_FAULT_VERSION);
		kit_reconnect(&k);
	}
}

static int choose(SSL *s, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len, void *arg)
{
	const char *what = arg;

	(void)s;
	(void)in;
	(void)in_len;
	*out = (const unsigned char *)what;
	*len = (unsigned char)strlen(what);
	return SSL_TLSEXT_ERR_OK;
}

TEST(the_host_chooses_among_what_was_offered)
{
	static char h2[] = "h2", h1[] = "http/1.1", other[] = "spdy/3";
	static const struct {
		char *says;
		unsigned offer;
		enum tls_fault want;
		enum tls_alpn alpn;
	} vectors[] = {
		{ h2, TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_H2 },
		{ h1, TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_HTTP1 },
		{ h2, TLS_ALPN_H2, TLS_FAULT_NONE, TLS_ALPN_H2 },
		{ NULL, TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_NONE, TLS_ALPN_NONE },
		{ h2, TLS_ALPN_HTTP1, TLS_FAULT_PROTOCOL, TLS_ALPN_NONE },
		{ other, TLS_ALPN_H2 | TLS_ALPN_HTTP1, TLS_FAULT_PROTOCOL, TLS_ALPN_NONE },
	};
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		SSL *host KIT_RAW_AUTO = kit_raw(k.host_fd, &k.leaf, &k.intermediate, NULL);
		struct tls *client TLS_AUTO = kit_client(&k, vectors[i].offer);

		if (vectors[i].says)
			SSL_CTX_set_alpn_select_cb(SSL_get_SSL_CTX(host), choose, vectors[i].says);
		CHECK_INT(kit_shake_raw_server(client, host).client, vectors[i].want == TLS_FAULT_NONE ? TLS_DONE : TLS_FAILED);
		CHECK_INT(tls_fault(client), vectors[i].want);
		CHECK_INT(tls_alpn(client), vectors[i].alpn);
		CHECK_STR(SSL_get_servername(host, TLSEXT_NAMETYPE_host_name), "a.example");
		kit_reconnect(&k);
	}
}

TEST(a_host_that_asks_for_a_certificate_gets_none)
{
	struct kit k KIT_AUTO;

	kit_init(&k);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL *host KIT_RAW_AUTO = kit_raw(k.host_fd, &k.leaf, &k.intermediate, NULL);
		struct tls *client TLS_AUTO = kit_client(&k, 0);
		struct kit_answers a;

		must(SSL_set_max_proto_version(host, version) == 1);
		SSL_set_verify(host, SSL_VERIFY_PEER, NULL);
		a = kit_shake_raw_server(client, host);
		CHECK_INT(a.client, TLS_DONE);
		CHECK_INT(a.server, TLS_DONE);
		CHECK(!SSL_get0_peer_certificate(host));
		kit_reconnect(&k);
	}
}

static void pair(struct kit *k, int version, struct tls **client, SSL **host)
{
	struct kit_answers a;

	*client = kit_client(k, 0);
	*host = kit_raw(k->host_fd, &k->leaf, &k->intermediate, NULL);
	must(*client && SSL_set_min_proto_version(*host, version) == 1 && SSL_set_max_proto_version(*host, version) == 1);
	a = kit_shake_raw_server(*client, *host);
	must(a.client == TLS_DONE && a.server == TLS_DONE);
}

TEST(a_host_cannot_renegotiate)
{
	struct kit k KIT_AUTO;
	SSL *host KIT_RAW_AUTO = NULL;
	struct tls *client TLS_AUTO = NULL;
	char text[16];
	size_t n = 0;

	kit_init(&k);
	pair(&k, TLS1_2_VERSION, &client, &host);
	must(SSL_write(host, "before", 6) == 6);
	must(SSL_renegotiate(host) == 1);
	(void)SSL_do_handshake(host);
	CHECK_INT(tls_read(client, text, sizeof(text), &n), TLS_DONE);
	CHECK_INT(n, 6);
	CHECK_INT(tls_read(client, text, sizeof(text), &n), TLS_FAILED);
	CHECK_INT(tls_fault(client), TLS_FAULT_PROTOCOL);
	CHECK_STR(tls_detail(client), "renegotiation");
}

TEST(handshake_records_without_end_are_refused_and_a_few_are_not)
{
	struct kit k KIT_AUTO;
	SSL *host KIT_RAW_AUTO = NULL;
	struct tls *client TLS_AUTO = NULL;
	enum tls_answer a = TLS_WANT_READ;
	char text[16];
	size_t n = 0;

	kit_init(&k);
	pair(&k, TLS1_3_VERSION, &client, &host);
	for (int i = 0; i < 4 * TLS_QUIET_RECORDS_MAX; i++) {
		must(SSL_key_update(host, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(host) == 1);
		if (i % 8)
			continue;
		must(SSL_write(host, "x", 1) == 1);
		CHECK_INT(tls_read(client, text, 1, &n), TLS_DONE);
	}
	for (int i = 0; i <= TLS_QUIET_RECORDS_MAX && a == TLS_WANT_READ; i++) {
		must(SSL_key_update(host, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(host) == 1);
		a = tls_read(client, text, 1, &n);
	}
	CHECK_INT(a, TLS_FAILED);
	CHECK_INT(tls_fault(client), TLS_FAULT_PROTOCOL);
}

/* One visit of our client to a host of libssl that keeps its ticket keys. Whether the client resumed. */
static bool visit(struct kit *k, SSL_CTX *host_ctx, const struct tls_client_side *s)
{
	SSL *host = SSL_new(host_ctx);
	struct tls *client TLS_AUTO = NULL;
	char c;
	size_t n = 0;

	kit_reconnect(k);
	must(host && SSL_set_fd(host, k->host_fd) == 1);
	SSL_set_accept_state(host);
	must(tls_client_new(k->ctx, k->guest_fd, s, &client, NULL) == 0);
	CHECK_INT(kit_shake_raw_server(client, host).client, TLS_DONE);
	must(SSL_write(host, "x", 1) == 1);
	CHECK_INT(tls_read(client, &c, 1, &n), TLS_DONE);
	CHECK_INT(SSL_session_reused(host), tls_resumed(client));
	SSL_set_shutdown(host, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(host);
	return tls_resumed(client);
}

TEST(a_session_is_offered_to_the_same_name_port_and_roots_only)
{
	struct kit k KIT_AUTO;
	struct kit_cert leaf KIT_CERT_AUTO = { 0 };
	struct buf pem BUF_AUTO;

	buf_init(&pem, 10000);
	kit_init(&k);
	kit_pem(&k.root, &pem);
	leaf = kit_cert(&(struct kit_ask){ .subject = "x", .names = "DNS:a.example,DNS:b.example", .issuer = &k.root });
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *host = SSL_CTX_new(TLS_server_method());
		struct tls_client_side s = { .name = "a.example", .port = 443 };

		k.ctx = tls_ctx_free(k.ctx);
		must(tls_ctx_new(buf_view(&k.pem), &k.ctx, NULL) == 0);
		must(host && SSL_CTX_set_max_proto_version(host, version) == 1);
		must(SSL_CTX_use_certificate(host, leaf.x509) == 1 && SSL_CTX_use_PrivateKey(host, leaf.key) == 1);
		CHECK(!visit(&k, host, &s));
		CHECK(visit(&k, host, &s));
		CHECK(visit(&k, host, &s)); /* what the resumed one brought */
		s.port = 8443;
		CHECK(!visit(&k, host, &s));
		s.port = 443;
		s.ca = buf_view(&pem);
		CHECK(!visit(&k, host, &s));
		s.ca = (struct bytes){ 0 };
		s.name = "b.example";
		CHECK(!visit(&k, host, &s));
		SSL_CTX_free(host);
	}
}

TEST(a_ticket_is_as_old_as_the_verification_and_not_as_its_arrival)
{
	struct kit k KIT_AUTO;
	char c;
	size_t n = 0;

	kit_init(&k);
	for (int i = 0; i < 2; i++) {
		struct tls *client TLS_AUTO = kit_client(&k, 0);
		struct tls *server TLS_AUTO = kit_server(&k, 0);

		CHECK_INT(kit_shake(client, server).client, TLS_DONE);
		CHECK(!tls_resumed(client));
		client->verified_at -= TLS_SESSION_AGE_MAX_S + 10; /* a long connection: the ticket comes now */
		must(tls_write(server, bytes_str("x"), &n) == TLS_DONE);
		CHECK_INT(tls_read(client, &c, 1, &n), TLS_DONE);
		kit_reconnect(&k);
	}
}

TEST(two_roots_of_one_name_are_both_tried)
{
	struct kit k KIT_AUTO;
	struct kit_cert twin KIT_CERT_AUTO = kit_cert(&(struct kit_ask){ .subject = "root", .is_ca = true });
	struct kit_cert of_twin KIT_CERT_AUTO =
		kit_cert(&(struct kit_ask){ .subject = "leaf", .names = "DNS:a.example", .issuer = &twin });
	enum tls_answer a;

	kit_init(&k);
	kit_pem(&twin, &k.pem);
	k.ctx = tls_ctx_free(k.ctx);
	must(tls_ctx_new(buf_view(&k.pem), &k.ctx, NULL) == 0);
	for (int i = 0; i < 4; i++) {
		kit_reconnect(&k);
		CHECK_INT(i % 2 ? meet(&k, &of_twin, NULL, &a) : meet(&k, &k.leaf, &k.intermediate, &a), TLS_FAULT_NONE);
	}
}

TEST(a_bundle_that_is_no_longer_kept_serves_the_streams_that_began_with_it)
{
	struct kit k KIT_AUTO;
	struct tls *first TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = NULL;

	kit_init(&k);
	for (int i = 0; i <= TLS_ROOTS_CACHED; i++) {
		struct buf pem BUF_AUTO;
		struct tls_client_side s = { .name = "a.example" };
		struct tls *t = NULL;

		buf_init(&pem, 10000);
		(void)buf_fmt(&pem, "bundle %d\n", i);
		kit_pem(&k.root, &pem);
		s.ca = buf_view(&pem);
		must(tls_client_new(k.ctx, k.guest_fd, &s, &t, NULL) == 0);
		if (i == 0)
			first = t;
		else
			tls_free(t);
	}
	server = kit_server(&k, 0);
	CHECK_INT(kit_shake(first, server).client, TLS_DONE);
}
