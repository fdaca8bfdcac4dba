#include "crypt/ca.h"

#include <errno.h>

#include "base/der_out.h"
#include "base/tap.h"
#include "crypt/ca_kit.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool critical(const X509 *x, int nid)
{
	int at = X509_get_ext_by_NID(x, nid, -1);

	return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at)) && X509_get_ext_by_NID(x, nid, at) == -1;
}

static const char *common_name(const X509 *x)
{
	static char text[128];

	text[0] = '\0';
	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, sizeof(text));
	return text;
}

static bool from_to(const X509 *x, uint64_t from_ms, uint64_t to_ms)
{
	return ASN1_TIME_cmp_time_t(X509_get0_notBefore(x), (time_t)(from_ms / 1000)) == 0 &&
	       ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), (time_t)(to_ms / 1000)) == 0;
}

TEST(a_root_is_a_self_signed_authority_for_one_level_and_says_whose_it_is)
{
	KIT_AUTO struct kit k = { 0 };
	X509 *x;

	kit_init(&k);
	x = kit_x509(k.root->der);
	CHECK_STR(common_name(x), "saw workspace dev (ws-0123456789ab)");
	CHECK(X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0);
	CHECK(X509_check_ca(x) == 1 && X509_get_pathlen(x) == 1 && critical(x, NID_basic_constraints));
	CHECK(X509_get_key_usage(x) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN) && critical(x, NID_key_usage));
	CHECK(X509_get0_subject_key_id(x) && X509_get0_authority_key_id(x));
	CHECK(from_to(x, KIT_NOW_MS - KIT_DAY_MS, KIT_NOW_MS + 3650 * KIT_DAY_MS));
	CHECK_INT(X509_get_signature_nid(x), NID_ecdsa_with_SHA256);
	X509_free(x);
}

TEST(a_long_workspace_name_gives_way_to_the_id)
{
	KEY_AUTO struct key *key = key_generate();
	BUF_AUTO struct buf der;
	X509 *x;

	buf_init(&der, CA_ROOT_MAX);
	CHECK_INT(ca_root(key, "abcdefghijabcdefghijabcdefghijabcdefghij", "ws-0123456789ab", KIT_NOW_MS, 1, &der, NULL), 0);
	x = kit_x509(buf_view(&der));
	CHECK_STR(common_name(x), "saw workspace abcdefghijabcdefghijabcdefghijab (ws-0123456789ab)");
	CHECK(from_to(x, KIT_NOW_MS - KIT_DAY_MS, KIT_NOW_MS + KIT_DAY_MS));
	X509_free(x);
}

TEST(a_root_lives_a_whole_number_of_days_within_bounds)
{
	KEY_AUTO struct key *key = key_generate();
	BUF_AUTO struct buf der;
	struct err e = { 0 };

	buf_init(&der, CA_ROOT_MAX);
	CHECK_INT(ca_root(key, "a", "b", KIT_NOW_MS, 0, &der, &e), -EINVAL);
	CHECK_INT(ca_root(key, "a", "b", KIT_NOW_MS, CA_DAYS_MAX + 1, &der, &e), -EINVAL);
	CHECK_INT(ca_root(key, "a", "b", UINT64_MAX, 1, &der, &e), -EINVAL);
	CHECK(der.len == 0 && e.text[0]);
	CHECK_INT(ca_root(key, "a", "b", 0, CA_DAYS_MAX, &der, &e), 0);
}

/* A certificate that somebody who stole the intermediate's key might sign, with one alternative name. */
static X509 *stolen(const struct kit *k, const struct cert *middle, unsigned kind, struct bytes name, const char *common)
{
	BUF_AUTO struct buf san, extensions, subject, der;
	struct cert_body body = { .issuer = middle->subject, .public_key = k->public_key, .not_before_ms = KIT_NOW_MS - KIT_DAY_MS,
				  .not_after_ms = KIT_NOW_MS + KIT_DAY_MS };
	size_t mark;

	buf_init(&san, 1000);
	buf_init(&extensions, 1000);
	buf_init(&subject, 1000);
	buf_init(&der, 4000);
	mark = der_out_open(&san, DER_SEQUENCE);
	must(der_out_put(&san, DER_CONTEXT | kind, name) && der_out_close(&san, mark));
	must(cert_put_key_ids(&extensions, middle->key_id, k->public_key));
	must(kind == 0 || cert_put_extension(&extensions, bytes_str("\x55\x1d\x11"), true, buf_view(&san)));
	must(!common || cert_put_name(&subject, bytes_str(common)));
	body.subject = buf_view(&subject);
	body.extensions = buf_view(&extensions);
	must(cert_put(&der, k->key, &body));
	return kit_x509(buf_view(&der));
}

static int verdict(const struct kit *k, const struct cert *middle, unsigned kind, struct bytes name, const char *common)
{
	X509 *x = stolen(k, middle, kind, name, common);
	int fault = kit_verify(k->root->der, middle->handle, x, NULL, KIT_NOW_MS);

	X509_free(x);
	return fault;
}

static struct cert *middle_of(const struct kit *k, const struct bytes *names, size_t n)
{
	struct err e = { 0 };
	struct cert *middle = NULL;
	BUF_AUTO struct buf der;

	buf_init(&der, CA_INTERMEDIATE_MAX);
	must(kit_issue(k, names, n, &der, &e) == 0 && cert_open(&middle, buf_view(&der), &e) == 0);
	return middle;
}

TEST(an_intermediate_is_an_authority_for_servers_only_and_for_none_below)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 };
	CERT_AUTO struct cert *middle = NULL;
	X509 *x;

	kit_init(&k);
	middle = middle_of(&k, names, 1);
	x = kit_x509(middle->der);
	CHECK(X509_check_ca(x) == 1 && X509_get_pathlen(x) == 0 && critical(x, NID_basic_constraints));
	CHECK(X509_get_key_usage(x) == KU_KEY_CERT_SIGN && critical(x, NID_key_usage));
	CHECK(X509_get_extended_key_usage(x) == XKU_SSL_SERVER && critical(x, NID_name_constraints));
	CHECK(from_to(x, KIT_NOW_MS - KIT_DAY_MS, KIT_NOW_MS + 30 * KIT_DAY_MS));
	CHECK(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(x), X509_get0_subject_key_id(k.root->handle)) == 0);
	CHECK_INT(X509_verify(x, X509_get0_pubkey(k.root->handle)), 1);
	X509_free(x);
}

TEST(an_authority_below_an_intermediate_is_not_believed)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 }, thief = { 0 };
	CERT_AUTO struct cert *middle = NULL;
	CERT_AUTO struct cert *below = NULL;
	struct ca_intermediate ask = { .id = "x", .public_key = thief.public_key, .names = names, .n_names = 1, .now_ms = KIT_NOW_MS, .days = 1 };
	BUF_AUTO struct buf der;
	struct err e = { 0 };
	X509 *x;

	kit_init(&k);
	kit_init(&thief);
	buf_init(&der, CA_INTERMEDIATE_MAX);
	middle = middle_of(&k, names, 1);
	CHECK(ca_intermediate(k.key, middle, &ask, &der, &e) == 0 && cert_open(&below, buf_view(&der), &e) == 0);
	x = stolen(&thief, below, 2, names[0], NULL);
	CHECK_INT(kit_verify_long(k.root->der, middle->handle, below->handle, x, NULL, KIT_NOW_MS), X509_V_ERR_PATH_LENGTH_EXCEEDED);
	X509_free(x);
}

TEST(a_stolen_intermediate_is_worth_its_names_only)
{
	const struct bytes names[] = { bytes_str("a.example"), bytes_str("*.wild.example"), bytes_str("**.deep.example") };
	KIT_AUTO struct kit k = { 0 };
	CERT_AUTO struct cert *middle = NULL;
	enum { NONE = 0, MAIL = 1, DNS = 2, URI = 6, ADDRESS = 7 };

	kit_init(&k);
	middle = middle_of(&k, names, 3);
#define SAN(kind, text) verdict(&k, middle, (kind), bytes_str(text), NULL)
	CHECK_INT(SAN(DNS, "a.example"), X509_V_OK);
	CHECK_INT(SAN(DNS, "x.a.example"), X509_V_OK); /* as the contract says */
	CHECK_INT(SAN(DNS, "x.wild.example"), X509_V_OK);
	CHECK_INT(SAN(DNS, "x.y.deep.example"), X509_V_OK);
	CHECK_INT(SAN(DNS, "b.example"), X509_V_ERR_PERMITTED_VIOLATION);
	CHECK_INT(SAN(DNS, "example"), X509_V_ERR_PERMITTED_VIOLATION);
	CHECK_INT(SAN(DNS, "xa.example"), X509_V_ERR_PERMITTED_VIOLATION);
	CHECK_INT(SAN(DNS, "a.example.evil.test"), X509_V_ERR_PERMITTED_VIOLATION);
	CHECK_INT(SAN(MAIL, "me@a.example"), X509_V_ERR_PERMITTED_VIOLATION);
	CHECK_INT(SAN(URI, "https://a.example/"), X509_V_ERR_PERMITTED_VIOLATION);
	CHECK_INT(SAN(ADDRESS, "\x0a\x01\x02\x03"), X509_V_ERR_EXCLUDED_VIOLATION);
	CHECK_INT(SAN(ADDRESS, "0123456789abcdef"), X509_V_ERR_EXCLUDED_VIOLATION);
	/* a name in the subject, as old clients take it */
	CHECK_INT(verdict(&k, middle, NONE, bytes_str(""), "b.example"), X509_V_ERR_PERMITTED_VIOLATION);
#undef SAN
}

TEST(what_a_subtree_is_stands_once_however_many_patterns_name_it)
{
	const struct bytes names[] = { bytes_str("*.a.example"), bytes_str("a.example"), bytes_str("**.a.example"), bytes_str("b.example") };
	KIT_AUTO struct kit k = { 0 };
	CERT_AUTO struct cert *middle = NULL;

	kit_init(&k);
	middle = middle_of(&k, names, 4);
	CHECK_INT(middle->n_subtrees, 2);
	CHECK(bytes_is(middle->subtrees[0], "a.example") && bytes_is(middle->subtrees[1], "b.example"));
}

TEST(sixty_four_of_the_longest_names_fit)
{
	char text[CA_NAMES_MAX][CERT_DNS_MAX];
	struct bytes names[CA_NAMES_MAX + 1];
	KIT_AUTO struct kit k = { 0 };
	CERT_AUTO struct cert *middle = NULL;
	struct err e = { 0 };
	BUF_AUTO struct buf der;

	kit_init(&k);
	for (size_t i = 0; i < CA_NAMES_MAX; i++) {
		for (size_t at = 0; at < CERT_DNS_MAX; at++)
			text[i][at] = at % 50 == 49 ? '.' : 'a';
		text[i][0] = (char)('a' + i / 26);
		text[i][1] = (char)('a' + i % 26);
		names[i] = bytes_of(text[i], CERT_DNS_MAX);
	}
	middle = middle_of(&k, names, CA_NAMES_MAX);
	CHECK_INT(middle->n_subtrees, CA_NAMES_MAX);
	CHECK(middle->der.len <= CA_INTERMEDIATE_MAX && middle->der.len <= CERT_READ_MAX);
	CHECK_INT(verdict(&k, middle, 2, names[63], NULL), X509_V_OK);
	buf_init(&der, CA_INTERMEDIATE_MAX);
	names[CA_NAMES_MAX] = bytes_str("b.example");
	CHECK_INT(kit_issue(&k, names, CA_NAMES_MAX + 1, &der, &e), -EINVAL);
	CHECK_INT(kit_issue(&k, names, 0, &der, &e), -EINVAL);
	CHECK(der.len == 0);
}

TEST(what_is_no_host_pattern_is_not_certified)
{
	static const char *const bad[] = { "", "*", "**", "*.", "**.", "a.*", "***.a.example", "*a.example", "A.example", "10.0.0.1", "*.*.example",
					   "a.example.", ".a.example", "a example" };
	KIT_AUTO struct kit k = { 0 };
	BUF_AUTO struct buf der;

	kit_init(&k);
	buf_init(&der, CA_INTERMEDIATE_MAX);
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct bytes names[] = { bytes_str("a.example"), bytes_str(bad[i]) };
		struct err e = { 0 };

		CHECK_INT(kit_issue(&k, names, 2, &der, &e), -EINVAL);
		CHECK(der.len == 0 && e.text[0]);
	}
}

TEST(an_intermediate_needs_its_own_root_a_point_and_a_time_within_the_roots)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 }, other = { 0 };
	uint8_t nowhere[KEY_PUBLIC] = { 4 };
	struct ca_intermediate ask = { .id = "ws-0123456789ab", .names = names, .n_names = 1, .now_ms = KIT_NOW_MS, .days = 30 };
	struct ca_intermediate bad;
	CERT_AUTO struct cert *middle = NULL;
	struct err e = { 0 };
	BUF_AUTO struct buf der;

	kit_init(&k);
	kit_init(&other);
	ask.public_key = k.public_key;
	buf_init(&der, CA_INTERMEDIATE_MAX);
	CHECK_INT(ca_intermediate(k.root_key, other.root, &ask, &der, &e), -EKEYREJECTED);
	bad = ask;
	bad.public_key = nowhere;
	CHECK_INT(ca_intermediate(k.root_key, k.root, &bad, &der, &e), -EINVAL);
	bad = ask;
	bad.days = 0;
	CHECK_INT(ca_intermediate(k.root_key, k.root, &bad, &der, &e), -EINVAL);
	bad = ask;
	bad.now_ms = KIT_NOW_MS + CA_ROOT_DAYS * KIT_DAY_MS;
	CHECK_INT(ca_intermediate(k.root_key, k.root, &bad, &der, &e), -EKEYEXPIRED);
	bad.now_ms = KIT_NOW_MS - 3 * KIT_DAY_MS;
	CHECK_INT(ca_intermediate(k.root_key, k.root, &bad, &der, &e), -EKEYEXPIRED);
	CHECK(der.len == 0);
	bad.now_ms = KIT_NOW_MS + (CA_ROOT_DAYS - 1) * KIT_DAY_MS;
	CHECK_INT(ca_intermediate(k.root_key, k.root, &bad, &der, &e), 0);
	CHECK(cert_open(&middle, buf_view(&der), &e) == 0 && middle->not_after_ms == k.root->not_after_ms);
}

TEST(each_intermediate_has_a_subject_of_its_own)
{
	const struct bytes names[] = { bytes_str("a.example") };
	KIT_AUTO struct kit k = { 0 };
	CERT_AUTO struct cert *one = NULL;
	CERT_AUTO struct cert *two = NULL;

	kit_init(&k);
	one = middle_of(&k, names, 1);
	two = middle_of(&k, names, 1);
	CHECK(!bytes_eq(one->subject, two->subject));
	CHECK(strstr(common_name(one->handle), " of ws-0123456789ab") != NULL);
}
