#include "crypt/leaf.h"

#include <errno.h>

#include "base/tap.h"
#include "crypt/ca_kit.h"

#define LIFE_MS (LEAF_DAYS * KIT_DAY_MS)

/* Lists what stands in `ctx` (a name, or NULL for everything) and counts. */
static const char *only;
static size_t asked;

static bool listed(void *ctx, struct bytes name)
{
	asked += ctx == &asked;
	return !only || bytes_is(name, only);
}

static struct leaf_minter *minter(struct kit *k, const struct bytes *names, size_t n)
{
	struct leaf_minter *m;
	struct err e = { 0 };
	BUF_AUTO struct buf der;

	only = NULL;
	asked = 0;
	buf_init(&der, CA_INTERMEDIATE_MAX);
	kit_init(k);
	must(kit_issue(k, names, n, &der, &e) == 0);
	m = leaf_minter_new(k->key, listed, &asked);
	k->key = NULL;
	must(m && leaf_minter_add(m, buf_view(&der), &e) == 0);
	return m;
}

static int get(struct leaf_minter *m, const char *name, uint64_t now_ms, const struct leaf **ret)
{
	struct err e = { 0 };
	int r = leaf_get(m, bytes_str(name), now_ms, ret, &e);

	CHECK(r == 0 || e.text[0]);
	CHECK(ERR_peek_error() == 0);
	return r;
}

static int verify(const struct kit *k, const struct leaf *leaf, const char *host, uint64_t now_ms)
{
	X509 *x = kit_x509(leaf->der);
	int fault = kit_verify(k->root->der, leaf->issuer->handle, x, host, now_ms);

	X509_free(x);
	return fault;
}

TEST(a_leaf_minted_before_the_jail_works)
{
	CHECK(leaf_warm());
}

TEST(a_minted_leaf_verifies_for_its_name_and_no_other)
{
	const struct bytes names[] = { bytes_str("a.example"), bytes_str("**.wild.example") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 2);
	const struct leaf *leaf = NULL;

	CHECK_INT(get(m, "a.example", KIT_NOW_MS, &leaf), 0);
	CHECK_INT(verify(&k, leaf, "a.example", KIT_NOW_MS), X509_V_OK);
	CHECK_INT(verify(&k, leaf, "b.example", KIT_NOW_MS), X509_V_ERR_HOSTNAME_MISMATCH);
	CHECK_INT(verify(&k, leaf, "x.a.example", KIT_NOW_MS), X509_V_ERR_HOSTNAME_MISMATCH);
	CHECK_INT(get(m, "x.y.wild.example", KIT_NOW_MS, &leaf), 0);
	CHECK_INT(verify(&k, leaf, "x.y.wild.example", KIT_NOW_MS), X509_V_OK);
	CHECK_INT(verify(&k, leaf, "z.y.wild.example", KIT_NOW_MS), X509_V_ERR_HOSTNAME_MISMATCH);
}

TEST(a_leaf_has_no_subject_one_critical_name_and_may_only_serve)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	const struct leaf *leaf = NULL;
	uint8_t public_key[KEY_PUBLIC];
	ASN1_BIT_STRING *point;
	GENERAL_NAMES *san;
	int critical = 0;
	X509 *x;

	CHECK_INT(get(m, "a.example", KIT_NOW_MS, &leaf), 0);
	x = kit_x509(leaf->der);
	CHECK_INT(X509_NAME_entry_count(X509_get_subject_name(x)), 0);
	san = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	CHECK(san && critical == 1 && sk_GENERAL_NAME_num(san) == 1);
	CHECK(X509_check_ca(x) == 0 && X509_get_key_usage(x) == KU_DIGITAL_SIGNATURE && X509_get_extended_key_usage(x) == XKU_SSL_SERVER);
	CHECK(X509_check_issued(leaf->issuer->handle, x) == X509_V_OK);
	CHECK_INT(ASN1_STRING_length(X509_get0_serialNumber(x)), 16);
	key_public(leaf_minter_key(m), public_key);
	point = X509_get0_pubkey_bitstr(x);
	CHECK(point && ASN1_STRING_length(point) == KEY_PUBLIC && memcmp(ASN1_STRING_get0_data(point), public_key, KEY_PUBLIC) == 0);
	GENERAL_NAMES_free(san);
	X509_free(x);
}

TEST(the_handle_is_the_same_certificate_and_fits_the_key)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	const struct leaf *leaf = NULL;
	X509 *kept;
	uint8_t *der = NULL;
	int len;

	CHECK_INT(get(m, "a.example", KIT_NOW_MS, &leaf), 0);
	len = i2d_X509(leaf->handle, &der);
	CHECK(len > 0 && bytes_eq(bytes_of(der, (size_t)len), leaf->der));
	CHECK_INT(X509_check_private_key(leaf->handle, key_handle(leaf_minter_key(m))), 1);
	CHECK_INT(X509_check_host(leaf->handle, "a.example", 0, 0, NULL), 1);
	/* one that a session still holds outlives its minter */
	kept = leaf->handle;
	X509_up_ref(kept);
	m = leaf_minter_free(m);
	OPENSSL_free(der);
	der = NULL;
	CHECK(i2d_X509(kept, &der) == len && X509_get0_pubkey(kept));
	OPENSSL_free(der);
	X509_free(kept);
}

TEST(only_what_the_policy_lists_is_minted_also_below_a_listed_name_and_from_the_cache)
{
	const struct bytes names[] = { bytes_str("a.example"), bytes_str("*.wild.example") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 2);
	const struct leaf *leaf = NULL;
	struct err e = { 0 };
	BUF_AUTO struct buf der;

	buf_init(&der, LEAF_MAX);
	only = "a.example";
	CHECK_INT(get(m, "x.a.example", KIT_NOW_MS, &leaf), -EACCES); /* its issuer might */
	CHECK_INT(leaf_mint(m, bytes_str("x.a.example"), KIT_NOW_MS, &der, &e), -EACCES);
	CHECK(!leaf && der.len == 0 && asked == 2);
	CHECK_INT(get(m, "a.example", KIT_NOW_MS, &leaf), 0);
	only = "x.wild.example";
	CHECK_INT(get(m, "a.example", KIT_NOW_MS, &leaf), -EACCES); /* cached, but gone from the policy */
	CHECK_INT(get(m, "x.wild.example", KIT_NOW_MS, &leaf), 0);
}

TEST(a_listed_name_without_an_issuer_is_told_from_an_unlisted_one)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	const struct leaf *leaf = NULL;

	CHECK_INT(get(m, "b.example", KIT_NOW_MS, &leaf), -ENOENT);
	CHECK_INT(get(m, "example", KIT_NOW_MS, &leaf), -ENOENT);
	CHECK_INT(get(m, "xa.example", KIT_NOW_MS, &leaf), -ENOENT);
	CHECK_INT(get(m, "A.example", KIT_NOW_MS, &leaf), -EINVAL);
	CHECK_INT(get(m, "*.a.example", KIT_NOW_MS, &leaf), -EINVAL);
	CHECK_INT(get(m, "", KIT_NOW_MS, &leaf), -EINVAL);
	CHECK(!leaf);
}

TEST(of_many_intermediates_the_one_that_permits_the_name_signs)
{
	KIT_AUTO struct kit k = { 0 };
	const struct bytes first[] = { bytes_str("m.example"), bytes_str("z.example"), bytes_str("**.b.example") };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, first, 3);
	const struct bytes second[] = { bytes_str("a.example"), bytes_str("x.b.example") };
	KIT_AUTO struct kit other = { 0 };
	const struct leaf *leaf = NULL;
	const struct cert *issuer;
	struct err e = { 0 };
	BUF_AUTO struct buf der;

	buf_init(&der, CA_INTERMEDIATE_MAX);
	/* of another key: refused; of the same: taken */
	kit_init(&other);
	CHECK(kit_issue(&other, second, 2, &der, &e) == 0);
	CHECK_INT(leaf_minter_add(m, buf_view(&der), &e), -EKEYREJECTED);
	CHECK_INT(leaf_minter_add(m, k.root->der, &e), -EKEYREJECTED);
	CHECK_INT(leaf_minter_add(m, bytes_str("nonsense"), &e), -EBADMSG);
	CHECK_INT(get(m, "z.example", KIT_NOW_MS, &leaf), 0);
	issuer = leaf->issuer;
	memcpy(k.public_key, issuer->public_key, KEY_PUBLIC);
	buf_reset(&der);
	CHECK(kit_issue(&k, second, 2, &der, &e) == 0 && leaf_minter_add(m, buf_view(&der), &e) == 0);
	CHECK(get(m, "a.example", KIT_NOW_MS, &leaf) == 0 && leaf->issuer != issuer);
	CHECK_INT(verify(&k, leaf, "a.example", KIT_NOW_MS), X509_V_OK);
	CHECK(get(m, "x.b.example", KIT_NOW_MS, &leaf) == 0 && leaf->issuer != issuer); /* the longest subtree */
	CHECK(get(m, "y.b.example", KIT_NOW_MS, &leaf) == 0 && leaf->issuer == issuer);
	CHECK_INT(verify(&k, leaf, "y.b.example", KIT_NOW_MS), X509_V_OK);
	CHECK(get(m, "m.example", KIT_NOW_MS, &leaf) == 0 && leaf->issuer == issuer);
}

TEST(an_issuer_that_permits_no_names_is_none)
{
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = NULL;
	const struct leaf *leaf = NULL;
	struct err e = { 0 };

	kit_init(&k);
	only = NULL;
	m = leaf_minter_new(k.root_key, listed, NULL);
	k.root_key = NULL;
	CHECK_INT(leaf_minter_add(m, k.root->der, &e), -EBADMSG); /* unconstrained: it could sign for everybody */
	CHECK_INT(leaf_get(m, bytes_str("a.example"), KIT_NOW_MS, &leaf, &e), -ENOENT);
}

TEST(a_leaf_of_another_workspace_is_worth_nothing_here)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 }, other = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	const struct leaf *leaf = NULL;

	kit_init(&other);
	CHECK_INT(get(m, "a.example", KIT_NOW_MS, &leaf), 0);
	CHECK(verify(&other, leaf, "a.example", KIT_NOW_MS) != X509_V_OK);
}

TEST(a_leaf_begins_a_day_back_and_lives_a_week_but_never_longer_than_its_issuer)
{
	const struct bytes names[] = { bytes_str("a.example") };
	const uint64_t end = KIT_NOW_MS + CA_INTERMEDIATE_DAYS * KIT_DAY_MS;
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	const struct leaf *leaf = NULL;
	X509 *x;

	CHECK_INT(get(m, "a.example", KIT_NOW_MS + 999, &leaf), 0);
	CHECK_INT(leaf->not_after_ms, KIT_NOW_MS + LIFE_MS);
	x = kit_x509(leaf->der);
	CHECK_INT(ASN1_TIME_cmp_time_t(X509_get0_notBefore(x), (time_t)((KIT_NOW_MS - KIT_DAY_MS) / 1000)), 0);
	CHECK_INT(ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), (time_t)((KIT_NOW_MS + LIFE_MS) / 1000)), 0);
	X509_free(x);
	/* a guest that was suspended: its clock is late by most of a day */
	CHECK_INT(verify(&k, leaf, "a.example", KIT_NOW_MS - KIT_DAY_MS + 1000), X509_V_OK);
	CHECK_INT(get(m, "a.example", end - KIT_DAY_MS, &leaf), 0);
	CHECK_INT(leaf->not_after_ms, end);
	CHECK_INT(verify(&k, leaf, "a.example", end - 1000), X509_V_OK);
	CHECK_INT(get(m, "a.example", end, &leaf), -EKEYEXPIRED);
	CHECK_INT(get(m, "a.example", KIT_NOW_MS - 3 * KIT_DAY_MS, &leaf), -EKEYEXPIRED);
	CHECK_INT(get(m, "a.example", UINT64_MAX, &leaf), -EKEYEXPIRED);
}

TEST(a_leaf_is_kept_until_half_of_its_life_is_over)
{
	const struct bytes names[] = { bytes_str("a.example") };
	const uint64_t end = KIT_NOW_MS + CA_INTERMEDIATE_DAYS * KIT_DAY_MS;
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	const struct leaf *leaf = NULL;
	const X509 *first;

	CHECK_INT(get(m, "a.example", KIT_NOW_MS, &leaf), 0);
	first = leaf->handle;
	CHECK(get(m, "a.example", KIT_NOW_MS + LIFE_MS / 2 - 1, &leaf) == 0 && leaf->handle == first);
	CHECK(get(m, "a.example", KIT_NOW_MS - KIT_DAY_MS + 1, &leaf) == 0 && leaf->handle == first); /* the clock was set back a little */
	CHECK(get(m, "a.example", KIT_NOW_MS + LIFE_MS / 2, &leaf) == 0 && leaf->not_after_ms == KIT_NOW_MS + LIFE_MS / 2 + LIFE_MS);
	/* the clock was set back so far that the leaf is of the future */
	CHECK(get(m, "a.example", KIT_NOW_MS - KIT_DAY_MS, &leaf) == 0 && leaf->not_after_ms == KIT_NOW_MS - KIT_DAY_MS + LIFE_MS);
	/* at the issuer's end a fresh one would not live longer: it is not minted again and again */
	CHECK_INT(get(m, "a.example", end - KIT_DAY_MS, &leaf), 0);
	first = leaf->handle;
	CHECK(get(m, "a.example", end - 1, &leaf) == 0 && leaf->handle == first);
}

TEST(the_cache_is_bounded_and_the_longest_unused_name_goes_first)
{
	const struct bytes names[] = { bytes_str("**.wild.example") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	const struct leaf *leaf = NULL;
	X509 *first, *second;

	CHECK_INT(get(m, "first.wild.example", KIT_NOW_MS, &leaf), 0);
	first = leaf->handle;
	CHECK_INT(get(m, "second.wild.example", KIT_NOW_MS, &leaf), 0);
	second = leaf->handle;
	X509_up_ref(first);
	X509_up_ref(second); /* so that no new one gets their address */
	for (int i = 2; i < LEAF_CACHE; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "n%d.wild.example", i);
		CHECK_INT(get(m, name, KIT_NOW_MS, &leaf), 0);
	}
	CHECK(get(m, "first.wild.example", KIT_NOW_MS, &leaf) == 0 && leaf->handle == first);
	CHECK_INT(get(m, "one-more.wild.example", KIT_NOW_MS, &leaf), 0);
	CHECK(get(m, "first.wild.example", KIT_NOW_MS, &leaf) == 0 && leaf->handle == first);
	CHECK(get(m, "second.wild.example", KIT_NOW_MS, &leaf) == 0 && leaf->handle != second);
	X509_free(first);
	X509_free(second);
}

TEST(names_of_every_length_are_minted)
{
	const struct bytes names[] = { bytes_str("b") };
	KIT_AUTO struct kit k = { 0 };
	LEAF_MINTER_AUTO struct leaf_minter *m = minter(&k, names, 1);
	char name[CERT_DNS_MAX + 1] = { 0 };

	for (size_t len = 3; len <= CERT_DNS_MAX; len++) {
		struct err e = { 0 };
		GENERAL_NAMES *san;
		BUF_AUTO struct buf der;
		const ASN1_IA5STRING *got;
		X509 *x;

		memset(name, 'a', len);
		for (size_t at = 1; at < len - 3; at += 60)
			name[at] = '.';
		memcpy(name + len - 2, ".b", 3);
		buf_init(&der, LEAF_MAX);
		if (!CHECK(leaf_mint(m, bytes_of(name, len), KIT_NOW_MS, &der, &e) == 0))
			continue;
		x = kit_x509(buf_view(&der));
		san = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
		got = sk_GENERAL_NAME_value(san, 0)->d.dNSName;
		CHECK(bytes_eq(bytes_of(ASN1_STRING_get0_data(got), (size_t)ASN1_STRING_length(got)), bytes_of(name, len)));
		GENERAL_NAMES_free(san);
		X509_free(x);
	}
}
