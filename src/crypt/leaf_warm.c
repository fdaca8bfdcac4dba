#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypt/ca.h"
#include "crypt/leaf.h"
#include "crypt/leaf_handle.h"

static const char name[] = "warm.invalid";
static const uint64_t now_ms = 1767225600000; /* any */

static bool listed(void *ctx, struct bytes asked)
{
	(void)ctx;
	return bytes_is(asked, name);
}

static bool issue(const struct key *root_key, const struct key *key, struct buf *out)
{
	uint8_t public_key[KEY_PUBLIC];
	const struct bytes names[] = { bytes_str(name) };
	struct ca_intermediate ask = { .id = "warm", .public_key = public_key, .names = names, .n_names = 1, .now_ms = now_ms,
				       .days = 1 };
	CERT_AUTO struct cert *root = NULL;
	BUF_AUTO struct buf der;

	buf_init(&der, CA_ROOT_MAX);
	key_public(key, public_key);
	return ca_root(root_key, "warm", "warm", now_ms, 1, &der, NULL) == 0 && cert_open(&root, buf_view(&der), NULL) == 0 &&
	       ca_intermediate(root_key, root, &ask, out, NULL) == 0;
}

static bool signed_by_issuer(const struct leaf *leaf)
{
	X509 *x = leaf_handle_new(leaf->der, NULL);
	bool ok = x && X509_verify(x, X509_get0_pubkey(leaf->issuer->handle)) == 1;

	leaf_handle_free(x);
	ERR_clear_error();
	return ok;
}

bool leaf_warm(void)
{
	KEY_AUTO struct key *root_key = key_generate();
	struct key *key = key_generate();
	LEAF_MINTER_AUTO struct leaf_minter *m = NULL;
	const struct leaf *leaf;
	BUF_AUTO struct buf der;

	buf_init(&der, CA_INTERMEDIATE_MAX);
	if (!root_key || !key || !issue(root_key, key, &der)) {
		key_free(key);
		return false;
	}
	m = leaf_minter_new(key, listed, NULL);
	return m && leaf_minter_add(m, buf_view(&der), NULL) == 0 &&
	       leaf_get(m, bytes_str(name), now_ms, &leaf, NULL) == 0 && signed_by_issuer(leaf);
}
