#include "net/tls_session.h"

#include <stdio.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/tls_kit.h"

/* What a client of libssl gets from a host of libssl with this leaf. */
static SSL_SESSION *session_of(struct kit *k, const struct kit_cert *leaf, int version)
{
	SSL *guest KIT_RAW_AUTO = kit_raw(k->guest_fd, NULL, NULL, "a.example");
	SSL *host KIT_RAW_AUTO = kit_raw(k->host_fd, leaf, NULL, NULL);
	char c;

	must(SSL_set_max_proto_version(guest, version) == 1);
	for (int i = 0; i < 4; i++) {
		(void)SSL_do_handshake(guest);
		(void)SSL_do_handshake(host);
	}
	must(SSL_write(host, "x", 1) == 1 && SSL_read(guest, &c, 1) == 1);
	SSL_set_shutdown(guest, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	kit_reconnect(k);
	return SSL_get1_session(guest);
}

static SSL_SESSION *one_more(SSL_SESSION *s)
{
	must(SSL_SESSION_up_ref(s) == 1);
	return s;
}

struct bench {
	struct kit k;
	struct tls_sessions *sessions;
	SSL_SESSION *old, *new;
	int64_t now;
};

static void bench_init(struct bench *b)
{
	kit_init(&b->k);
	b->sessions = tls_sessions_new();
	b->old = session_of(&b->k, &b->k.leaf, TLS1_2_VERSION);
	b->new = session_of(&b->k, &b->k.leaf, TLS1_3_VERSION);
	b->now = (int64_t)time(NULL);
	must(b->sessions && b->old && b->new);
}

static void bench_deinit(struct bench *b)
{
	tls_sessions_free(b->sessions);
	SSL_SESSION_free(b->old);
	SSL_SESSION_free(b->new);
	kit_deinit(&b->k);
}
#define BENCH_AUTO __attribute__((cleanup(bench_deinit)))

static struct tls_session_key key_of(const char *name, unsigned port)
{
	static const uint8_t roots[SHA256_LEN];

	return tls_session_key_of(name, port, bytes_str(""), roots);
}

static SSL_SESSION *take(struct bench *b, const char *name, int64_t later_s)
{
	struct tls_session_key key = key_of(name, 443);
	int64_t at = 0;
	SSL_SESSION *s = tls_sessions_take(b->sessions, &key, b->now + later_s, &at);

	CHECK(!s || at == b->now);
	SSL_SESSION_free(s);
	return s;
}

static void put(struct bench *b, const char *name, SSL_SESSION *s)
{
	struct tls_session_key key = key_of(name, 443);

	tls_sessions_put(b->sessions, &key, one_more(s), b->now);
}

TEST(a_key_differs_by_name_port_scope_and_roots)
{
	static const uint8_t none[SHA256_LEN], some[SHA256_LEN] = { 1 };
	struct bytes no = bytes_str("");
	struct tls_session_key a = tls_session_key_of("a.example", 443, no, none);
	struct tls_session_key same = tls_session_key_of("a.example", 443, no, none);
	struct tls_session_key others[] = { tls_session_key_of("b.example", 443, no, none),
					    tls_session_key_of("a.example", 8443, no, none),
					    tls_session_key_of("a.example", 443, bytes_str("token 2"), none),
					    tls_session_key_of("a.example", 443, no, some) };

	CHECK(memcmp(&a, &same, sizeof(a)) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(memcmp(&a, &others[i], sizeof(a)) != 0);
}

TEST(a_new_session_is_given_once_and_an_old_one_again)
{
	struct bench b BENCH_AUTO;

	bench_init(&b);
	put(&b, "new", b.new);
	put(&b, "old", b.old);
	CHECK(!take(&b, "other", 0));
	CHECK(take(&b, "new", 0) == b.new);
	CHECK(!take(&b, "new", 0));
	CHECK(take(&b, "old", 0) == b.old);
	CHECK(take(&b, "old", 0) == b.old);
}

TEST(a_verification_lasts_an_hour_and_not_longer_than_the_certificate)
{
	struct bench b BENCH_AUTO;
	struct kit_cert ends KIT_CERT_AUTO = { 0 };
	SSL_SESSION *s;

	bench_init(&b);
	ends = kit_cert(&(struct kit_ask){ .subject = "x", .names = "DNS:a.example", .from_days = -3, .to_days = -1 });
	s = session_of(&b.k, &ends, TLS1_2_VERSION);
	put(&b, "a", b.old);
	CHECK(take(&b, "a", TLS_SESSION_AGE_MAX_S) != NULL);
	CHECK(!take(&b, "a", TLS_SESSION_AGE_MAX_S + 1));
	CHECK(!take(&b, "a", 0)); /* it was dropped */
	put(&b, "a", b.old);
	CHECK(!take(&b, "a", -1)); /* a clock that was set back */
	put(&b, "b", s);
	CHECK(!take(&b, "b", 0));
	SSL_SESSION_free(s);
}

TEST(each_host_has_its_share_and_the_oldest_go_first)
{
	struct bench b BENCH_AUTO;
	char name[16];

	bench_init(&b);
	put(&b, "first", b.new);
	put(&b, "second", b.new);
	for (int i = 0; i < 2 * TLS_SESSIONS_MAX; i++)
		put(&b, "greedy", b.new);
	CHECK(take(&b, "first", 0) != NULL);
	for (int i = 0; i < TLS_SESSIONS_PER_HOST; i++)
		CHECK(take(&b, "greedy", 0) != NULL);
	CHECK(!take(&b, "greedy", 0));
	for (int i = 0; i < TLS_SESSIONS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "h%d", i);
		put(&b, name, b.new);
	}
	CHECK(!take(&b, "second", 0));
	CHECK(take(&b, "h0", 0) != NULL);
	CHECK(take(&b, "h1", 0) != NULL);
}
