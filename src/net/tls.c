#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <time.h>

#include "net/tls_stream.h"

/* Everything that could open a file happens here, before the jail: libssl reads no configuration, and the C library reads the time
 * zone when gmtime_r() is first called, which the check of a certificate's dates does. */
static bool open_files_now(void)
{
	const uint64_t how = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS |
			     OPENSSL_INIT_LOAD_CRYPTO_STRINGS;
	struct tm tm;
	time_t epoch = 0;

	return OPENSSL_init_ssl(how, NULL) == 1 && gmtime_r(&epoch, &tm) == &tm;
}

int tls_ctx_new(struct bytes system_roots, struct tls_ctx **ret, struct err *e)
{
	struct tls_ctx *c = calloc(1, sizeof(*c));

	if (!c || !open_files_now()) {
		free(c);
		return err_set(e, ENOMEM, "start TLS: out of memory");
	}
	c->bio = tls_bio_method();
	c->roots = tls_roots_new(system_roots);
	c->sessions = tls_sessions_new();
	if (!c->bio || !c->roots || !c->sessions) {
		tls_ctx_free(c);
		return err_set(e, ENOMEM, "start TLS: out of memory");
	}
	*ret = c;
	return 0;
}

struct tls_ctx *tls_ctx_free(struct tls_ctx *c)
{
	if (!c)
		return NULL;
	SSL_CTX_free(c->server);
	SSL_CTX_free(c->client);
	tls_sessions_free(c->sessions);
	tls_roots_free(c->roots);
	BIO_meth_free(c->bio);
	free(c);
	return NULL;
}

int tls_cert_new(struct bytes der, struct tls_cert **ret, struct err *e)
{
	struct tls_cert *c = calloc(1, sizeof(*c));
	const uint8_t *p = der.p;

	if (!c)
		return err_set(e, ENOMEM, "out of memory for a certificate");
	c->x509 = der.len <= LONG_MAX ? d2i_X509(NULL, &p, (long)der.len) : NULL;
	ERR_clear_error();
	if (!c->x509 || p != der.p + der.len) {
		tls_cert_free(c);
		return err_set(e, EINVAL, "the certificate cannot be read");
	}
	*ret = c;
	return 0;
}

int tls_cert_of(struct x509_st *handle, struct tls_cert **ret, struct err *e)
{
	struct tls_cert *c = calloc(1, sizeof(*c));

	if (!c || X509_up_ref(handle) != 1) {
		free(c);
		return err_set(e, ENOMEM, "out of memory for a certificate");
	}
	c->x509 = handle;
	*ret = c;
	return 0;
}

struct tls_cert *tls_cert_free(struct tls_cert *c)
{
	if (!c)
		return NULL;
	X509_free(c->x509);
	free(c);
	return NULL;
}

enum tls_alpn tls_alpn_of(struct bytes protocol)
{
	if (bytes_is(protocol, "h2"))
		return TLS_ALPN_H2;
	return bytes_is(protocol, "http/1.1") ? TLS_ALPN_HTTP1 : TLS_ALPN_NONE;
}

/* Sees every record and handshake message. Once the handshake is over, TLS 1.2 has no business with handshake records (in clear by
 * their outer type), and TLS 1.3 only with a few (its inner type). */
static void on_message(int written, int version, int type, const void *p, size_t len, SSL *ssl, void *arg)
{
	bool record = type == SSL3_RT_HEADER || type == SSL3_RT_INNER_CONTENT_TYPE;
	const uint8_t *b = p;
	struct tls *t;

	(void)version;
	(void)arg;
	if (written || !record || !len || b[0] != SSL3_RT_HANDSHAKE) /* nearly all: data */
		return;
	t = tls_of(ssl);
	if (!t || !t->open)
		return;
	if (type == SSL3_RT_HEADER && SSL_version(ssl) < TLS1_3_VERSION)
		t->renegotiates = true;
	if (type == SSL3_RT_INNER_CONTENT_TYPE) {
		t->n_quiet++;
		t->was_quiet = true;
	}
}

static bool set_up(SSL_CTX *x)
{
	static const char tls12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
				    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
	static const char tls13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

	SSL_CTX_set_security_level(x, 2);
	(void)SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(x, 1);
	SSL_CTX_set_msg_callback(x, on_message);
	return SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION) == 1 && SSL_CTX_set_max_proto_version(x, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(x, tls12) == 1 && SSL_CTX_set_ciphersuites(x, tls13) == 1 &&
	       SSL_CTX_set1_groups_list(x, "X25519:P-256:P-384") == 1;
}

SSL_CTX *tls_ssl_ctx(const SSL_METHOD *method)
{
	SSL_CTX *x = SSL_CTX_new(method);

	if (x && set_up(x))
		return x;
	SSL_CTX_free(x);
	ERR_clear_error();
	return NULL;
}
