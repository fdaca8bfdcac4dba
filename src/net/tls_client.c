#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls_stream.h"

enum { CHAIN_DEPTH_MAX = 8 };

/* Of TLS 1.2 it comes at the end of the handshake, of TLS 1.3 at any time later; the host is verified in both cases. Takes the session. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = tls_of(ssl);

	if (!t->open && !SSL_session_reused(ssl))
		t->verified_at = tls_now_s();
	tls_sessions_put(t->ctx->sessions, &t->key, session, t->verified_at);
	return 1;
}

static SSL_CTX *client_ctx(void)
{
	SSL_CTX *x = tls_ssl_ctx(TLS_client_method());

	if (!x)
		return NULL;
	(void)SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(x, on_session);
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(x, CHAIN_DEPTH_MAX);
	return x;
}

static bool offer_alpn(struct tls *t)
{
	static const uint8_t both[] = "\x02h2\x08http/1.1";
	const uint8_t *p = t->alpn & TLS_ALPN_H2 ? both : both + 3;
	unsigned len = (t->alpn & TLS_ALPN_H2 ? 3U : 0) + (t->alpn & TLS_ALPN_HTTP1 ? 9U : 0);

	return !len || SSL_set_alpn_protos(t->ssl, p, len) == 0; /* 0 is success here, and only here */
}

static bool verify_as(struct tls *t, X509_STORE *roots)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(t->ssl);

	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(p, t->name, 0) == 1 && SSL_set1_verify_cert_store(t->ssl, roots) == 1 &&
	       SSL_set_tlsext_host_name(t->ssl, t->name) == 1;
}

static bool resume(struct tls *t)
{
	SSL_SESSION *session = tls_sessions_take(t->ctx->sessions, &t->key, tls_now_s(), &t->verified_at);
	bool ok = !session || SSL_set_session(t->ssl, session) == 1;

	SSL_SESSION_free(session);
	return ok;
}

int tls_client_new(struct tls_ctx *c, int fd, const struct tls_client_side *s, struct tls **ret, struct err *e)
{
	uint8_t roots_id[SHA256_LEN];
	X509_STORE *roots = NULL;
	struct tls *t;
	int r = tls_roots_get(c->roots, s->ca, &roots, roots_id, e);

	if (r < 0)
		return r;
	if (!c->client)
		c->client = client_ctx();
	t = c->client ? tls_stream_new(c, c->client, fd, s->name, (struct bytes){ 0 }) : NULL;
	if (!t)
		return err_set(e, ENOMEM, "out of memory for a TLS stream");
	t->alpn = s->alpn;
	t->key = tls_session_key_of(s->name, s->port, s->scope, roots_id);
	SSL_set_connect_state(t->ssl);
	if (!offer_alpn(t) || !verify_as(t, roots) || !resume(t)) {
		ERR_clear_error();
		tls_free(t);
		return err_set(e, ENOMEM, "out of memory for a TLS stream");
	}
	*ret = t;
	return 0;
}
