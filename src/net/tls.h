/* A TLS stream over a connected socket, for an event loop: server towards guests, client towards hosts. libssl's only door. */
#ifndef SAW_NET_TLS_H
#define SAW_NET_TLS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

enum {
	TLS_ROOTS_CACHED = 8, /* parsed `ca` bundles kept; the longest unused one goes first */
	TLS_CA_MAX = 64 * 1024, /* bytes of one `ca` bundle */
	TLS_SESSIONS_MAX = 64, /* sessions of hosts kept for resumption */
	TLS_SESSIONS_PER_HOST = 2,
	TLS_SESSION_AGE_MAX_S = 3600, /* of a host's session, and of a ticket given to a guest */
	TLS_QUIET_RECORDS_MAX = 32, /* handshake records in a row, without data between them, that a peer may send afterwards */
	TLS_READ_BURST = 128 * 1024, /* bytes that one call takes from the socket at most: other flows have their turn too */
	TLS_KEYS_MAX = 64, /* bytes of guarded memory (crypt/secure_heap.h) that a session holds: its ephemeral key, for as long as it lasts */
};

/* ALPN protocols (RFC 7301), for sets and for the one that was chosen. */
enum tls_alpn {
	TLS_ALPN_NONE = 0,
	TLS_ALPN_H2 = 1,
	TLS_ALPN_HTTP1 = 2,
};

enum tls_answer {
	TLS_DONE,
	TLS_WANT_READ, /* call again when the socket is readable (level-triggered) */
	TLS_WANT_WRITE, /* call again when the socket is writable */
	TLS_EOF, /* the peer said close_notify: its data is complete */
	TLS_TRUNCATED, /* the connection ended without close_notify: what came may be cut by anybody on the way */
	TLS_FAILED, /* tls_fault() says why; the stream is of no further use */
};

enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_WRONG_NAME, /* the host's certificate is for another name */
	TLS_FAULT_EXPIRED,
	TLS_FAULT_NOT_YET_VALID,
	TLS_FAULT_UNKNOWN_ISSUER,
	TLS_FAULT_SELF_SIGNED, /* the certificate itself, or a root in its chain that is not among ours */
	TLS_FAULT_BAD_CERTIFICATE, /* any other: signature, purpose, constraints, a weak key, too long a chain */
	TLS_FAULT_SNI, /* the guest's hello names nobody, or another than this flow's name */
	TLS_FAULT_ALPN, /* no protocol in common */
	TLS_FAULT_VERSION, /* no version, cipher or group in common */
	TLS_FAULT_ALERT, /* the peer refused: tls_detail() has its alert; a guest that does not trust our CA ends here */
	TLS_FAULT_PROTOCOL, /* not TLS, or against its rules; renegotiation; too many quiet records; a choice that was not offered */
	TLS_FAULT_CLOSED, /* the connection ended in the handshake */
	TLS_FAULT_SOCKET,
	TLS_FAULT_INTERNAL, /* out of memory */
};

/* A short phrase: "the certificate has expired". */
const char *tls_fault_text(enum tls_fault f);

/* What streams share: settings, roots, sessions. One for each process; not for threads. */
struct tls_ctx;

/* Before the jail: afterwards no file is opened. `system_roots` is PEM, borrowed until the end and parsed when the first stream needs
 * it; empty: only streams with a `ca` can be made. -ENOMEM. */
int tls_ctx_new(struct bytes system_roots, struct tls_ctx **ret, struct err *e);
/* After its last stream. Takes NULL. */
struct tls_ctx *tls_ctx_free(struct tls_ctx *c);

/* A parsed certificate, so that a name's leaf and its intermediate are parsed once and shared by all their streams. */
struct tls_cert;

/* -EINVAL when the DER is no certificate or has bytes behind it. */
int tls_cert_new(struct bytes der, struct tls_cert **ret, struct err *e);
struct x509_st; /* X509 of libcrypto; crypt/leaf.h and crypt/cert.h give some */
/* The same from a parsed one, of which it takes a reference: parsing costs most of a millisecond. -ENOMEM. */
int tls_cert_of(struct x509_st *handle, struct tls_cert **ret, struct err *e);
/* Streams that use it keep what they need. Takes NULL. */
struct tls_cert *tls_cert_free(struct tls_cert *c);

struct evp_pkey_st; /* EVP_PKEY of libcrypto; crypt/key.h gives one */

struct tls_server_side {
	const char *name; /* the flow's name, canonical: SNI must equal it, and its tickets open sessions of no other name */
	struct bytes prefix; /* what was read from the socket already, from its first byte */
	const struct tls_cert *leaf;
	const struct tls_cert *intermediate; /* NULL: none is sent */
	struct evp_pkey_st *key; /* the leaf's */
	unsigned alpn; /* set of tls_alpn; a client that offers none of them is refused, one that does not offer ALPN is not */
};

struct tls_client_side {
	const char *name; /* canonical: SNI, and the certificate must be for it */
	unsigned port; /* sessions are kept apart by it */
	unsigned alpn; /* set of tls_alpn to offer */
	struct bytes scope; /* sessions are kept apart by it: what the connection will be used for */
	struct bytes ca; /* PEM: these certificates are trusted, and the system's are not. Empty: the system's */
};

/* One TLS stream. `fd` is a connected stream socket and stays the caller's: it closes it after tls_free(). No call ever blocks. */
struct tls;

/* Both copy or share all that they are given. -ENOMEM; -EINVAL: `ca` or the system's roots hold no certificate, the key is not the leaf's. */
int tls_server_new(struct tls_ctx *c, int fd, const struct tls_server_side *s, struct tls **ret, struct err *e);
int tls_client_new(struct tls_ctx *c, int fd, const struct tls_client_side *s, struct tls **ret, struct err *e);
/* Sends nothing. Takes NULL. */
struct tls *tls_free(struct tls *t);

/* TLS_DONE, TLS_WANT_*, TLS_FAILED. A client's TLS_DONE means that the host is verified. Data may have come with the last message of
 * the handshake: ask tls_pending() before waiting for the socket. */
enum tls_answer tls_handshake(struct tls *t);
/* Of a finished handshake; TLS_ALPN_NONE when the peer does not speak ALPN. */
enum tls_alpn tls_alpn(const struct tls *t);
/* Whether the session was resumed. */
bool tls_resumed(const struct tls *t);

/* TLS_DONE: *ret_n >= 1 bytes stand in `p`; fewer than `max` mean that the socket had no more just now, unless tls_pending(). Other
 * answers come with *ret_n == 0, and never before all data that preceded them was given. */
enum tls_answer tls_read(struct tls *t, void *p, size_t max, size_t *ret_n);
/* Whether tls_read() has something to say without the socket becoming readable. */
bool tls_pending(const struct tls *t);
/* TLS_DONE: *ret_n >= 1 bytes were taken, perhaps not all. TLS_WANT_*: none. What was not taken must come again at the start of the next
 * call, wherever it stands in memory then, and more may follow it: the beginning may be on its way already. `data` is not empty.
 * After TLS_FAILED, tls_read() may still give what the peer had sent. */
enum tls_answer tls_write(struct tls *t, struct bytes data, size_t *ret_n);
/* Says close_notify. TLS_DONE: it is out (or cannot be sent any more); reading may go on. */
enum tls_answer tls_shutdown(struct tls *t);

enum tls_fault tls_fault(const struct tls *t);
/* The library's own words for the fault, or "": a text that lives for ever. */
const char *tls_detail(const struct tls *t);

#endif
