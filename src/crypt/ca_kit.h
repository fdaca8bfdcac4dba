/* For tests and fuzz targets of crypt: a workspace's authority, and what an ordinary verifier says of a chain. */
#ifndef SAW_CRYPT_CA_KIT_H
#define SAW_CRYPT_CA_KIT_H

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/must.h"
#include "crypt/ca.h"

/* 2026-11-24T17:00:00Z */
#define KIT_NOW_MS 1795539600000ULL
#define KIT_DAY_MS (24ULL * 3600 * 1000)

struct kit {
	struct key *root_key;
	struct key *key; /* of intermediates */
	struct cert *root;
	uint8_t public_key[KEY_PUBLIC];
};

static inline void kit_init(struct kit *k)
{
	struct err e = { 0 };
	BUF_AUTO struct buf der;

	buf_init(&der, CA_ROOT_MAX);
	k->root_key = key_generate();
	k->key = key_generate();
	must(k->root_key && k->key);
	key_public(k->key, k->public_key);
	must(ca_root(k->root_key, "dev", "ws-0123456789ab", KIT_NOW_MS, CA_ROOT_DAYS, &der, &e) == 0);
	must(cert_open(&k->root, buf_view(&der), &e) == 0);
}

static inline void kit_deinit(struct kit *k)
{
	cert_free(k->root);
	key_free(k->key);
	key_free(k->root_key);
	*k = (struct kit){ 0 };
}
#define KIT_AUTO __attribute__((cleanup(kit_deinit)))

static inline int kit_issue(const struct kit *k, const struct bytes *names, size_t n, struct buf *out, struct err *e)
{
	struct ca_intermediate ask = { .id = "ws-0123456789ab", .public_key = k->public_key, .names = names, .n_names = n,
				       .now_ms = KIT_NOW_MS, .days = CA_INTERMEDIATE_DAYS };

	return ca_intermediate(k->root_key, k->root, &ask, out, e);
}

static inline X509 *kit_x509(struct bytes der)
{
	const unsigned char *at = der.p;
	X509 *x = d2i_X509(NULL, &at, (long)der.len);

	must(x && at == der.p + der.len);
	return x;
}

/* X509_V_OK or the fault of `leaf` for `host` (NULL: any) under `root`, with `middle` and `below` (may be NULL) sent along. */
static inline int kit_verify_long(struct bytes root, X509 *middle, X509 *below, X509 *leaf, const char *host, uint64_t now_ms)
{
	X509 *anchor = kit_x509(root);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *sent = sk_X509_new_null();
	int fault;

	must(anchor && store && ctx && sent && X509_STORE_add_cert(store, anchor) == 1);
	if (middle)
		sk_X509_push(sent, middle);
	if (below)
		sk_X509_push(sent, below);
	must(X509_STORE_CTX_init(ctx, store, leaf, sent) == 1);
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)(now_ms / 1000));
	must(X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(ctx), X509_PURPOSE_SSL_SERVER) == 1);
	if (host)
		must(X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(ctx), host, 0) == 1);
	fault = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(anchor);
	sk_X509_free(sent);
	ERR_clear_error();
	return fault;
}

static inline int kit_verify(struct bytes root, X509 *middle, X509 *leaf, const char *host, uint64_t now_ms)
{
	return kit_verify_long(root, middle, NULL, leaf, host, now_ms);
}

#endif
