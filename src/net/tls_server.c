#include <errno.h>
#include <openssl/err.h>

#include "crypt/sha256.h"
#include "net/tls_stream.h"

/* Runs for every ClientHello, resumed sessions included. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct tls *t = tls_of(ssl);
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)arg;
	if (sni && bytes_ieq(bytes_str(sni), bytes_str(t->name)))
		return SSL_TLSEXT_ERR_OK;
	t->fault = TLS_FAULT_SNI;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Ours in our order: h2 first. */
static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len, const unsigned char *in, unsigned len, void *arg)
{
	struct tls *t = tls_of(ssl);
	struct bytes best = { 0 };

	(void)arg;
	if (!t->alpn)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned at = 0; at < len && in[at] < len - at; at += in[at] + 1U) {
		struct bytes one = bytes_of(in + at + 1, in[at]);
		enum tls_alpn a = tls_alpn_of(one);

		if ((a & t->alpn) && (!best.len || a == TLS_ALPN_H2))
			best = one;
	}
	if (!best.len) {
		t->fault = TLS_FAULT_ALPN;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	*ret = best.p;
	*ret_len = (unsigned char)best.len;
	return SSL_TLSEXT_ERR_OK;
}

/* Tickets hold the whole session; nothing is kept here. */
static SSL_CTX *server_ctx(void)
{
	SSL_CTX *x = tls_ssl_ctx(TLS_server_method());

	if (!x)
		return NULL;
	(void)SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(x, TLS_SESSION_AGE_MAX_S);
	(void)SSL_CTX_set_num_tickets(x, 1);
	(void)SSL_CTX_set_tlsext_servername_callback(x, on_server_name);
	SSL_CTX_set_alpn_select_cb(x, on_alpn, NULL);
	return x;
}

/* A ticket carries this digest, and libssl makes a full handshake where it differs. */
static bool bind_tickets(struct tls *t)
{
	uint8_t id[SHA256_LEN];

	_Static_assert(SHA256_LEN <= SSL_MAX_SID_CTX_LENGTH, "the whole digest fits");
	sha256(bytes_str(t->name), id);
	return SSL_set_session_id_context(t->ssl, id, sizeof(id)) == 1;
}

int tls_server_new(struct tls_ctx *c, int fd, const struct tls_server_side *s, struct tls **ret, struct err *e)
{
	struct tls *t;

	if (!c->server)
		c->server = server_ctx();
	t = c->server ? tls_stream_new(c, c->server, fd, s->name, s->prefix) : NULL;
	if (!t || !bind_tickets(t)) {
		tls_free(t);
		return err_set(e, ENOMEM, "out of memory for a TLS stream");
	}
	t->alpn = s->alpn;
	SSL_set_accept_state(t->ssl);
	if (SSL_use_certificate(t->ssl, s->leaf->x509) != 1 || SSL_use_PrivateKey(t->ssl, s->key) != 1 ||
	    (s->intermediate && SSL_add1_chain_cert(t->ssl, s->intermediate->x509) != 1)) {
		ERR_clear_error();
		tls_free(t);
		return err_set(e, EINVAL, "the key is not the certificate's, or one of them cannot be used");
	}
	*ret = t;
	return 0;
}
