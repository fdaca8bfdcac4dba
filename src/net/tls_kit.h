/* For tests of net/tls*: certificates of every kind, and two ends of a socket. */
#ifndef SAW_NET_TLS_KIT_H
#define SAW_NET_TLS_KIT_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "net/tls.h"

struct kit_cert {
	X509 *x509;
	EVP_PKEY *key;
};

struct kit_ask {
	const char *subject; /* common name */
	const char *names; /* subjectAltName as OpenSSL writes it ("DNS:a,DNS:b"), or NULL */
	const struct kit_cert *issuer; /* NULL: itself */
	bool is_ca;
	int from_days; /* from now; both 0: yesterday to ten days on */
	int to_days;
	unsigned rsa_bits; /* 0: P-256 */
	const char *usage; /* extendedKeyUsage, or NULL */
	const char *constraints; /* nameConstraints, or NULL */
};

/* must() succeed. */
struct kit_cert kit_cert(const struct kit_ask *a);
void kit_cert_deinit(struct kit_cert *c);
#define KIT_CERT_AUTO __attribute__((cleanup(kit_cert_deinit)))

/* Appends. */
void kit_pem(const struct kit_cert *c, struct buf *out);
struct tls_cert *kit_tls_cert(const struct kit_cert *c);

/* What most tests begin with: a root, an intermediate, a leaf for a.example, a context that trusts the root, and a socket pair. */
struct kit {
	struct kit_cert root, intermediate, leaf;
	struct tls_cert *tls_leaf, *tls_intermediate;
	struct buf pem;
	struct tls_ctx *ctx;
	int guest_fd, host_fd; /* client's end, server's end */
};

void kit_init(struct kit *k);
void kit_deinit(struct kit *k);
#define KIT_AUTO __attribute__((cleanup(kit_deinit)))
/* New socket pair in place of the old. */
void kit_reconnect(struct kit *k);

void tls_freep(struct tls **t);
#define TLS_AUTO __attribute__((cleanup(tls_freep)))

/* A server for a.example on the host's end and a client for it on the guest's; NULL where it cannot be made. `alpn` for both. */
struct tls *kit_server(struct kit *k, unsigned alpn);
struct tls *kit_client(struct kit *k, unsigned alpn);
struct tls *kit_server_with(struct kit *k, const struct kit_cert *leaf, unsigned alpn);

/* Drives both until neither can go on without the other, and at most one of them is waiting. */
struct kit_answers {
	enum tls_answer client, server;
};
struct kit_answers kit_shake(struct tls *client, struct tls *server);
/* The same for one of ours and one of libssl's. The raw one's answer is TLS_DONE, TLS_WANT_READ or TLS_FAILED. */
struct kit_answers kit_shake_raw_client(SSL *client, struct tls *server);
struct kit_answers kit_shake_raw_server(struct tls *client, SSL *server);

/* Raw ends as a stranger would set them up: no verification, all versions and ciphers. `leaf` NULL: a client. Gives. */
SSL *kit_raw(int fd, const struct kit_cert *leaf, const struct kit_cert *chain, const char *name);
/* Frees the SSL and its SSL_CTX. */
void kit_raw_freep(SSL **s);
#define KIT_RAW_AUTO __attribute__((cleanup(kit_raw_freep)))

#endif
