#include "net/tls_roots.h"

#include <openssl/x509_vfy.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/tls_kit.h"

static X509_STORE *get(struct tls_roots *r, const struct kit *k, int nth)
{
	struct buf pem BUF_AUTO;
	X509_STORE *ret = NULL;
	uint8_t id[SHA256_LEN];

	buf_init(&pem, 10000);
	(void)buf_fmt(&pem, "bundle %d\n", nth);
	kit_pem(&k->root, &pem);
	must(tls_roots_get(r, buf_view(&pem), &ret, id, NULL) == 0);
	return ret;
}

TEST(a_bundle_is_kept_until_others_were_used_since)
{
	struct kit k KIT_AUTO;
	struct tls_roots *r = tls_roots_new((struct bytes){ 0 });
	X509_STORE *first, *second;

	kit_init(&k);
	first = get(r, &k, 0);
	second = get(r, &k, 1);
	must(first != second && X509_STORE_up_ref(second) == 1); /* so that its place in memory is not given again */
	for (int i = 2; i < TLS_ROOTS_CACHED; i++)
		(void)get(r, &k, i);
	CHECK(get(r, &k, 0) == first);
	(void)get(r, &k, TLS_ROOTS_CACHED); /* in the place of the second */
	CHECK(get(r, &k, 0) == first);
	CHECK(get(r, &k, 1) != second);
	X509_STORE_free(second);
	tls_roots_free(r);
}

static int n_parsed(X509_STORE *s)
{
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(s));
}

TEST(only_what_a_chain_asks_for_is_parsed)
{
	struct kit k KIT_AUTO;
	struct tls_roots *r;
	X509_STORE *s = NULL;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_OBJECT *found = X509_OBJECT_new();
	uint8_t id[SHA256_LEN];

	kit_init(&k);
	kit_pem(&k.intermediate, &k.pem);
	kit_pem(&k.leaf, &k.pem);
	r = tls_roots_new(buf_view(&k.pem));
	must(r && ctx && found && tls_roots_get(r, (struct bytes){ 0 }, &s, id, NULL) == 0);
	must(X509_STORE_CTX_init(ctx, s, NULL, NULL) == 1);
	CHECK_INT(n_parsed(s), 0);
	CHECK_INT(X509_STORE_CTX_get_by_subject(ctx, X509_LU_X509, X509_get_subject_name(k.root.x509), found), 1);
	CHECK(X509_cmp(X509_OBJECT_get0_X509(found), k.root.x509) == 0);
	CHECK_INT(n_parsed(s), 1);
	X509_OBJECT_free(found);
	X509_STORE_CTX_free(ctx);
	tls_roots_free(r);
}
