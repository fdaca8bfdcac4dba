/* Private to net/tls*: what a stream and its context are made of. */
#ifndef SAW_NET_TLS_STREAM_H
#define SAW_NET_TLS_STREAM_H

#include <openssl/ssl.h>

#include "net/tls.h"
#include "net/tls_roots.h"
#include "net/tls_session.h"

struct tls_ctx {
	BIO_METHOD *bio;
	SSL_CTX *server; /* both made when the first stream needs them */
	SSL_CTX *client;
	struct tls_roots *roots;
	struct tls_sessions *sessions;
};

struct tls_cert {
	X509 *x509;
};

struct tls {
	struct tls_ctx *ctx;
	SSL *ssl;
	int fd;
	int socket_errno; /* of this call's last system call; 0: none failed */
	size_t budget; /* bytes that this call may still take from the socket */
	bool more; /* the last read from the socket was a full one */
	bool dry; /* libssl asked the socket for more and there was none: no record that it holds is whole */
	bool open; /* handshake finished */
	bool said_close;
	bool ended; /* tls_read() has `end` as its answer from now on */
	enum tls_answer end;
	enum tls_fault fault;
	const char *detail;
	unsigned alpn; /* set allowed */
	unsigned n_quiet; /* handshake records since the last data */
	bool was_quiet; /* this call has met one */
	bool renegotiates;
	size_t owed; /* bytes that the next write must at least hold */
	uint8_t *prefix; /* NULL: given to libssl */
	size_t prefix_len;
	size_t prefix_at;
	char *name;
	struct tls_session_key key; /* client */
	int64_t verified_at; /* client: when the certificate of this session was verified, seconds */
};

/* The socket with the prefix before it, as libssl wants it. NULL when out of memory. */
BIO_METHOD *tls_bio_method(void);
bool tls_bio_attach(struct tls *t);

/* What both sides' SSL_CTX have in common. NULL when out of memory. */
SSL_CTX *tls_ssl_ctx(const SSL_METHOD *method);
/* A stream on `ssl_ctx` without a side yet. NULL when out of memory. */
struct tls *tls_stream_new(struct tls_ctx *c, SSL_CTX *ssl_ctx, int fd, const char *name, struct bytes prefix);

static inline struct tls *tls_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

int64_t tls_now_s(void);

/* Fills t->fault and t->detail after a failed call, from libssl's error queue. */
void tls_fault_find(struct tls *t);

/* "h2" and "http/1.1". */
enum tls_alpn tls_alpn_of(struct bytes protocol);

#endif
