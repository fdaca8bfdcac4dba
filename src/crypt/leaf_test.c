#include "crypt/leaf.h"

#include <errno.h>

#include "base/tap.h"
#include "crypt/ca_kit.h"

static bool everything(void *ctx, struct bytes name)
{
	(void)ctx;
	(void)name;
	return true;
}

/* A minter for these names, and the authority above it. `until_days`: of the intermediate. */
static struct leaf_minter *minter(struct kit *k, const struct bytes *names, size_t n, leaf_listed_fn *listed, void *ctx)
{
	struct leaf_minter *m;
	struct err e = { 0 };
	BUF_AUTO struct buf der;

	buf_init(&der, CA_INTERMEDIATE_MAX);
	kit_init(k);
	must(kit_issue(k, names, n, &der, &e) == 0);
	m = leaf_minter_new(k->key, listed, ctx);
	k->key = NULL;
	must(m && leaf_minter_add(m, buf_view(&der), &e) == 0);
	return m;
}

TEST(a_leaf_minted_before_the_jail_works)
{
	CHECK(leaf_warm());
}

TEST(a_minted_leaf_verifies_for_its_name_and_no_other)
{
	const struct bytes names[] = { bytes_str("a.example"), bytes_str("**.wild.example") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 2, everything, NULL);
	const struct leaf *leaf = NULL;
	struct err e = { 0 };
	X509 *x;

	CHECK_INT(leaf_get(m, bytes_str("a.example"), KIT_NOW_MS, &leaf, &e), 0);
	x = kit_x509(leaf->der);
	CHECK_INT(kit_verify(k.root->der, leaf->issuer->handle, x, "a.example", KIT_NOW_MS), X509_V_OK);
	CHECK_INT(kit_verify(k.root->der, leaf->issuer->handle, x, "b.example", KIT_NOW_MS), X509_V_ERR_HOSTNAME_MISMATCH);
	X509_free(x);
}
