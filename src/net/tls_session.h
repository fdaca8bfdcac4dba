/* Private to net/tls*: sessions of hosts, kept for resumption. */
#ifndef SAW_NET_TLS_SESSION_H
#define SAW_NET_TLS_SESSION_H

#include <openssl/ssl.h>

#include "crypt/sha256.h"

/* Whose session it is: a digest of name, port, scope and roots. One that differs in any of them is another's. */
struct tls_session_key {
	uint8_t digest[SHA256_LEN];
};

struct tls_session_key tls_session_key_of(const char *name, unsigned port, struct bytes scope, const uint8_t roots_id[SHA256_LEN]);

struct tls_sessions;
struct tls_sessions *tls_sessions_new(void);
struct tls_sessions *tls_sessions_free(struct tls_sessions *s);

/* Takes `session`. `verified_at`: when its certificate was last verified in full, which resumption does not do again. */
void tls_sessions_put(struct tls_sessions *s, const struct tls_session_key *key, SSL_SESSION *session, int64_t verified_at);
/* Gives the newest of this key, or NULL. One of TLS 1.3 is given once only (RFC 8446, C.4). One whose certificate has expired, or was
 * verified over TLS_SESSION_AGE_MAX_S before `now`, is dropped. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *s, const struct tls_session_key *key, int64_t now, int64_t *ret_verified_at);

#endif
