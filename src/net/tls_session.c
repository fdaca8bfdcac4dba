#include "net/tls_session.h"

#include <stdlib.h>

#include "net/tls.h"

struct kept {
	struct tls_session_key key;
	SSL_SESSION *session; /* NULL: empty place */
	int64_t verified_at;
	uint64_t put_at;
};

struct tls_sessions {
	struct kept kept[TLS_SESSIONS_MAX];
	uint64_t n_put;
};

struct tls_session_key tls_session_key_of(const char *name, unsigned port, struct bytes scope, const uint8_t roots_id[SHA256_LEN])
{
	struct tls_session_key key = { 0 };
	uint8_t fixed[2 * SHA256_LEN + sizeof(port)];

	memcpy(fixed, roots_id, SHA256_LEN);
	sha256(scope, fixed + SHA256_LEN);
	memcpy(fixed + (size_t)2 * SHA256_LEN, &port, sizeof(port));
	sha256_2(bytes_of(fixed, sizeof(fixed)), bytes_str(name), key.digest);
	return key;
}

struct tls_sessions *tls_sessions_new(void)
{
	return calloc(1, sizeof(struct tls_sessions));
}

static void drop(struct kept *k)
{
	SSL_SESSION_free(k->session);
	k->session = NULL;
}

struct tls_sessions *tls_sessions_free(struct tls_sessions *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < TLS_SESSIONS_MAX; i++)
		drop(&s->kept[i]);
	free(s);
	return NULL;
}

static bool is_of(const struct kept *k, const struct tls_session_key *key)
{
	return k->session && memcmp(k->key.digest, key->digest, SHA256_LEN) == 0;
}

/* Where the next one goes: the oldest of a key that has its share, else an empty place, else the oldest of all. */
static struct kept *place(struct tls_sessions *s, const struct tls_session_key *key)
{
	struct kept *mine = NULL;
	struct kept *any = &s->kept[0];
	unsigned n = 0;

	for (size_t i = 0; i < TLS_SESSIONS_MAX; i++) {
		struct kept *k = &s->kept[i];

		if (is_of(k, key)) {
			n++;
			mine = !mine || k->put_at < mine->put_at ? k : mine;
		}
		if (any->session && (!k->session || k->put_at < any->put_at))
			any = k;
	}
	return n >= TLS_SESSIONS_PER_HOST ? mine : any;
}

void tls_sessions_put(struct tls_sessions *s, const struct tls_session_key *key, SSL_SESSION *session, int64_t verified_at)
{
	struct kept *k = place(s, key);

	drop(k);
	*k = (struct kept){ .key = *key, .session = session, .verified_at = verified_at, .put_at = ++s->n_put };
}

static bool fresh(const struct kept *k, int64_t now)
{
	const X509 *leaf = SSL_SESSION_get0_peer(k->session);

	return now >= k->verified_at && now - k->verified_at <= TLS_SESSION_AGE_MAX_S && SSL_SESSION_is_resumable(k->session) && leaf &&
	       X509_cmp_time(X509_get0_notAfter(leaf), &(time_t){ now }) > 0;
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *s, const struct tls_session_key *key, int64_t now, int64_t *ret_verified_at)
{
	struct kept *best = NULL;
	SSL_SESSION *session;

	for (size_t i = 0; i < TLS_SESSIONS_MAX; i++) {
		struct kept *k = &s->kept[i];

		if (is_of(k, key) && !fresh(k, now))
			drop(k);
		if (is_of(k, key) && (!best || k->put_at > best->put_at))
			best = k;
	}
	if (!best)
		return NULL;
	session = best->session;
	*ret_verified_at = best->verified_at;
	if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
		best->session = NULL;
	else
		(void)SSL_SESSION_up_ref(session);
	return session;
}
