#include "net/tls_kit.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/must.h"
#include "os/fd.h"

enum { DAY_S = 86400, PEM_MAX = 1024 * 1024, TURNS_MAX = 64 };

static void extend(X509 *x, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

struct kit_cert kit_cert(const struct kit_ask *a)
{
	static long serial = 1000;
	struct kit_cert c = { .x509 = X509_new(),
			      .key = a->rsa_bits ? EVP_RSA_gen(a->rsa_bits) : EVP_EC_gen("P-256") };
	X509_NAME *name = X509_NAME_new();
	const X509 *issuer = a->issuer ? a->issuer->x509 : c.x509;
	bool usual = !a->from_days && !a->to_days;

	must(c.x509 && c.key && name && X509_set_version(c.x509, 2) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++) == 1);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)a->subject, -1, -1, 0) == 1);
	must(X509_set_subject_name(c.x509, name) == 1 && X509_set_pubkey(c.x509, c.key) == 1);
	must(X509_set_issuer_name(c.x509, X509_get_subject_name(issuer)) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(c.x509), (long)(usual ? -1 : a->from_days) * DAY_S));
	must(X509_gmtime_adj(X509_getm_notAfter(c.x509), (long)(usual ? 10 : a->to_days) * DAY_S));
	extend(c.x509, issuer, NID_basic_constraints, a->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	extend(c.x509, issuer, NID_subject_key_identifier, "hash");
	extend(c.x509, issuer, NID_authority_key_identifier, a->issuer ? "keyid" : NULL);
	extend(c.x509, issuer, NID_subject_alt_name, a->names);
	extend(c.x509, issuer, NID_ext_key_usage, a->usage);
	extend(c.x509, issuer, NID_name_constraints, a->constraints);
	must(X509_sign(c.x509, a->issuer ? a->issuer->key : c.key, EVP_sha256()) > 0);
	X509_NAME_free(name);
	return c;
}

void kit_cert_deinit(struct kit_cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	*c = (struct kit_cert){ 0 };
}

void kit_pem(const struct kit_cert *c, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	long len;

	must(b && PEM_write_bio_X509(b, c->x509) == 1);
	len = BIO_get_mem_data(b, &p);
	must(len > 0 && buf_add(out, p, (size_t)len));
	BIO_free(b);
}

struct tls_cert *kit_tls_cert(const struct kit_cert *c)
{
	uint8_t *der = NULL;
	int len = i2d_X509(c->x509, &der);
	struct tls_cert *ret = NULL;

	must(len > 0 && tls_cert_new(bytes_of(der, (size_t)len), &ret, NULL) == 0);
	OPENSSL_free(der);
	return ret;
}

void kit_reconnect(struct kit *k)
{
	int pair[2];

	(void)fd_close(k->guest_fd);
	(void)fd_close(k->host_fd);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	k->guest_fd = pair[0];
	k->host_fd = pair[1];
}

void kit_init(struct kit *k)
{
	*k = (struct kit){ .guest_fd = -1, .host_fd = -1 };
	k->root = kit_cert(&(struct kit_ask){ .subject = "root", .is_ca = true });
	k->intermediate = kit_cert(&(struct kit_ask){ .subject = "intermediate", .is_ca = true, .issuer = &k->root });
	k->leaf = kit_cert(&(struct kit_ask){ .subject = "leaf", .issuer = &k->intermediate, .names = "DNS:a.example" });
	k->tls_leaf = kit_tls_cert(&k->leaf);
	k->tls_intermediate = kit_tls_cert(&k->intermediate);
	buf_init(&k->pem, PEM_MAX);
	kit_pem(&k->root, &k->pem);
	must(tls_ctx_new(buf_view(&k->pem), &k->ctx, NULL) == 0);
	kit_reconnect(k);
}

void kit_deinit(struct kit *k)
{
	k->ctx = tls_ctx_free(k->ctx);
	k->tls_leaf = tls_cert_free(k->tls_leaf);
	k->tls_intermediate = tls_cert_free(k->tls_intermediate);
	kit_cert_deinit(&k->root);
	kit_cert_deinit(&k->intermediate);
	kit_cert_deinit(&k->leaf);
	buf_deinit(&k->pem);
	k->guest_fd = fd_close(k->guest_fd);
	k->host_fd = fd_close(k->host_fd);
}

void tls_freep(struct tls **t)
{
	*t = tls_free(*t);
}

struct tls *kit_server_with(struct kit *k, const struct kit_cert *leaf, unsigned alpn)
{
	struct tls_cert *cert = kit_tls_cert(leaf);
	struct tls_server_side s = {
		.name = "a.example", .leaf = cert, .intermediate = k->tls_intermediate, .key = leaf->key, .alpn = alpn
	};
	struct tls *t = NULL;

	(void)tls_server_new(k->ctx, k->host_fd, &s, &t, NULL);
	tls_cert_free(cert);
	return t;
}

struct tls *kit_server(struct kit *k, unsigned alpn)
{
	return kit_server_with(k, &k->leaf, alpn);
}

struct tls *kit_client(struct kit *k, unsigned alpn)
{
	struct tls_client_side s = { .name = "a.example", .port = 443, .alpn = alpn };
	struct tls *t = NULL;

	(void)tls_client_new(k->ctx, k->guest_fd, &s, &t, NULL);
	return t;
}

static enum tls_answer raw_step(SSL *s)
{
	int r = SSL_do_handshake(s);
	int e = r == 1 ? SSL_ERROR_NONE : SSL_get_error(s, r);

	ERR_clear_error();
	if (e == SSL_ERROR_NONE)
		return TLS_DONE;
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? TLS_WANT_READ : TLS_FAILED;
}

static bool waits(enum tls_answer a)
{
	return a == TLS_WANT_READ || a == TLS_WANT_WRITE;
}

/* Turns without news end it: a failed end sends an alert first, which the other must still read. */
static struct kit_answers shake(struct tls *client, SSL *raw_client, struct tls *server, SSL *raw_server)
{
	struct kit_answers a = { TLS_WANT_READ, TLS_WANT_READ };

	for (int i = 0; i < TURNS_MAX && (waits(a.client) || waits(a.server)); i++) {
		if (waits(a.client))
			a.client = client ? tls_handshake(client) : raw_step(raw_client);
		if (waits(a.server))
			a.server = server ? tls_handshake(server) : raw_step(raw_server);
	}
	return a;
}

struct kit_answers kit_shake(struct tls *client, struct tls *server)
{
	return shake(client, NULL, server, NULL);
}

struct kit_answers kit_shake_raw_client(SSL *client, struct tls *server)
{
	return shake(NULL, client, server, NULL);
}

struct kit_answers kit_shake_raw_server(struct tls *client, SSL *server)
{
	return shake(client, NULL, NULL, server);
}

SSL *kit_raw(int fd, const struct kit_cert *leaf, const struct kit_cert *chain, const char *name)
{
	SSL_CTX *x = SSL_CTX_new(leaf ? TLS_server_method() : TLS_client_method());
	SSL *s;

	must(x);
	SSL_CTX_set_security_level(x, 0);
	must(SSL_CTX_set_min_proto_version(x, TLS1_VERSION) == 1 && SSL_CTX_set_cipher_list(x, "ALL:@SECLEVEL=0") == 1);
	SSL_CTX_set_options(x, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	s = SSL_new(x);
	must(s && SSL_set_fd(s, fd) == 1);
	if (leaf) {
		must(SSL_use_certificate(s, leaf->x509) == 1 && SSL_use_PrivateKey(s, leaf->key) == 1);
		must(!chain || SSL_add1_chain_cert(s, chain->x509) == 1);
		SSL_set_accept_state(s);
	} else {
		must(!name || SSL_set_tlsext_host_name(s, name) == 1);
		SSL_set_connect_state(s);
	}
	return s;
}

void kit_raw_freep(SSL **s)
{
	SSL_CTX *x = *s ? SSL_get_SSL_CTX(*s) : NULL;

	SSL_free(*s);
	SSL_CTX_free(x);
	*s = NULL;
}
