#include "crypt/cert.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/tap.h"
#include "crypt/ca_kit.h"

TEST(a_host_name_in_a_certificate_is_canonical)
{
	static const char *const good[] = { "a", "a.example", "xn--bcher-kva.example", "_dmarc.a-b.example", "1.2.3.4a", "0x7f.a", "a.0x7f" };
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "A.example", "*.example", "a b", "a/b", "1.2.3.4", "a.1",
					   "a,b", "a:443", "b\xc3\xbc" "cher.example", "[::1]" };
	char longest[CERT_DNS_MAX + 2];
	char label[65];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(cert_dns_ok(bytes_str(good[i])) || !printf("# %s\n", good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!cert_dns_ok(bytes_str(bad[i])) || !printf("# %s\n", bad[i]));
	CHECK(!cert_dns_ok(bytes_of("a\0b", 3)));
	memset(label, 'a', sizeof(label));
	CHECK(cert_dns_ok(bytes_of(label, 63)) && !cert_dns_ok(bytes_of(label, 64)));
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '.' : 'a';
	CHECK(cert_dns_ok(bytes_of(longest, CERT_DNS_MAX)) && !cert_dns_ok(bytes_of(longest, CERT_DNS_MAX + 2)));
}

TEST(a_certificate_read_back_says_what_was_written)
{
	KIT_AUTO struct kit k = { 0 };
	uint8_t public_key[KEY_PUBLIC], key_id[CERT_KEY_ID];
	X509 *x;

	kit_init(&k);
	key_public(k.root_key, public_key);
	cert_key_id(public_key, key_id);
	CHECK(memcmp(k.root->public_key, public_key, KEY_PUBLIC) == 0 && memcmp(k.root->key_id, key_id, CERT_KEY_ID) == 0);
	CHECK_INT(k.root->not_before_ms, KIT_NOW_MS - KIT_DAY_MS);
	CHECK_INT(k.root->not_after_ms, KIT_NOW_MS + CA_ROOT_DAYS * KIT_DAY_MS);
	CHECK_INT(k.root->n_subtrees, 0);
	x = kit_x509(k.root->der);
	CHECK_INT(X509_get_version(x), X509_VERSION_3);
	CHECK_INT(X509_verify(x, X509_get0_pubkey(x)), 1);
	X509_free(x);
}

TEST(serial_numbers_are_random_positive_and_of_full_length)
{
	uint8_t seen[64][16];

	for (size_t i = 0; i < 64; i++) {
		KIT_AUTO struct kit k = { 0 };
		const ASN1_INTEGER *serial;
		X509 *x;

		kit_init(&k);
		x = kit_x509(k.root->der);
		serial = X509_get0_serialNumber(x);
		CHECK(ASN1_STRING_type(serial) == V_ASN1_INTEGER && ASN1_STRING_length(serial) == 16);
		memcpy(seen[i], ASN1_STRING_get0_data(serial), 16);
		for (size_t j = 0; j < i; j++)
			CHECK(memcmp(seen[i], seen[j], 16) != 0);
		X509_free(x);
	}
}

static bool refused(struct bytes der)
{
	struct cert *c = (struct cert *)(uintptr_t)1;
	struct err e = { 0 };

	return cert_open(&c, der, &e) == -EBADMSG && c == (struct cert *)(uintptr_t)1 && e.text[0] && ERR_peek_error() == 0;
}

/* An authority that libcrypto makes, with a key of another kind and an identifier of our length. */
static struct bytes other_kind(EVP_PKEY *key, uint8_t **ret)
{
	X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	X509_EXTENSION *id = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_key_identifier, "000102030405060708090a0b0c0d0e0f10111213");
	X509 *x = X509_new();
	int len;

	must(key && ca && id && x && X509_set_version(x, X509_VERSION_3) && X509_gmtime_adj(X509_getm_notBefore(x), 0) &&
	     X509_gmtime_adj(X509_getm_notAfter(x), 1000) && X509_set_pubkey(x, key) && X509_add_ext(x, ca, -1) &&
	     X509_add_ext(x, id, -1) && X509_sign(x, key, EVP_sha256()));
	len = i2d_X509(x, ret);
	X509_free(x);
	X509_EXTENSION_free(ca);
	X509_EXTENSION_free(id);
	EVP_PKEY_free(key);
	return bytes_of(*ret, (size_t)len);
}

TEST(only_an_authority_with_a_p256_key_is_read)
{
	uint8_t *der = NULL;
	struct cert *c = NULL;

	CHECK(cert_open(&c, other_kind(EVP_EC_gen("P-256"), &der), NULL) == 0); /* so it is the key that the others lack */
	cert_free(c);
	OPENSSL_free(der);
	der = NULL;
	CHECK(refused(other_kind(EVP_RSA_gen(2048), &der)));
	OPENSSL_free(der);
	der = NULL;
	CHECK(refused(other_kind(EVP_EC_gen("P-384"), &der)));
	OPENSSL_free(der);
	der = NULL;
	CHECK(refused(other_kind(EVP_EC_gen("secp256k1"), &der))); /* points of the same length */
	OPENSSL_free(der);
}

TEST(only_one_whole_certificate_of_an_authority_is_read)
{
	static const uint8_t authority[] = { 0x30, 0x03, 0x01, 0x01, 0xff };
	KIT_AUTO struct kit k = { 0 };
	BUF_AUTO struct buf b, subject, extensions;
	struct cert_body body;
	struct cert *c = NULL;

	buf_init(&b, CERT_READ_MAX + 1);
	buf_init(&subject, 1000);
	buf_init(&extensions, 1000);
	kit_init(&k);
	for (size_t cut = 0; cut < k.root->der.len; cut++)
		CHECK(refused(bytes_of(k.root->der.p, cut)));
	CHECK(buf_bytes(&b, k.root->der) && buf_byte(&b, 0) && refused(buf_view(&b)));
	buf_reset(&b);
	while (b.len < CERT_READ_MAX + 1)
		CHECK(buf_byte(&b, 0x30));
	CHECK(refused(buf_view(&b)));
	/* no authority */
	buf_reset(&b);
	must(cert_put_key_ids(&extensions, k.root->key_id, k.public_key));
	body = (struct cert_body){ .issuer = k.root->subject, .subject = k.root->subject, .public_key = k.public_key,
				   .not_after_ms = KIT_NOW_MS, .extensions = buf_view(&extensions) };
	CHECK(cert_put(&b, k.root_key, &body) && refused(buf_view(&b)));
	/* the same as one, and then with a subject that no leaf has room for */
	buf_reset(&b);
	must(cert_put_extension(&extensions, bytes_str("\x55\x1d\x13"), true, bytes_of(authority, sizeof(authority))));
	body.extensions = buf_view(&extensions);
	CHECK(cert_put(&b, k.root_key, &body) && cert_open(&c, buf_view(&b), NULL) == 0);
	cert_free(c);
	buf_reset(&b);
	must(buf_add(&subject, "\x30\x82\x01\x04", 4)); /* of four parts, 65 bytes each */
	for (int i = 0; i < 4; i++) {
		must(buf_add(&subject, "\x31\x3f\x30\x3d\x06\x03\x55\x04\x03\x0c\x36", 11));
		for (int n = 0; n < 54; n++)
			must(buf_byte(&subject, 'a'));
	}
	body.subject = buf_view(&subject);
	CHECK(subject.len == 264 && cert_put(&b, k.root_key, &body) && refused(buf_view(&b)));
}

TEST(a_certificate_that_does_not_fit_leaves_what_stood_before)
{
	KIT_AUTO struct kit k = { 0 };
	struct cert_body body = { .public_key = k.public_key, .not_after_ms = KIT_NOW_MS };

	kit_init(&k);
	body.issuer = k.root->subject;
	for (size_t max = 3; max < 300; max++) {
		BUF_AUTO struct buf b;

		buf_init(&b, max);
		CHECK(buf_str(&b, "xyz") && !cert_put(&b, k.root_key, &body) && b.failed && b.len == 3);
	}
}

TEST(the_text_form_is_read_by_libcrypto)
{
	KIT_AUTO struct kit k = { 0 };
	BUF_AUTO struct buf pem;
	X509 *x, *same;
	BIO *bio;

	kit_init(&k);
	buf_init(&pem, 4096);
	CHECK(cert_put_pem(&pem, k.root->der));
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	same = kit_x509(k.root->der);
	CHECK(x && X509_cmp(x, same) == 0);
	for (size_t at = 0, line = 0; at < pem.len; at++, line++) {
		if (pem.p[at] == '\n')
			line = (size_t)-1;
		CHECK(line == (size_t)-1 || line < 64);
	}
	X509_free(same);
	X509_free(x);
	BIO_free(bio);
}

TEST(an_over_long_common_name_is_cut_at_a_character)
{
	BUF_AUTO struct buf b;
	char text[80];

	buf_init(&b, 256);
	memset(text, 'a', sizeof(text));
	memcpy(text + 62, "\xe2\x82\xac", 3);
	CHECK(cert_put_name(&b, bytes_of(text, 80)) && b.len == 13 + 62 && bytes_ends(buf_view(&b), bytes_str("aaa")));
	buf_reset(&b);
	memset(text, 'b', sizeof(text));
	CHECK(cert_put_name(&b, bytes_of(text, 64)) && b.len == 13 + 64);
	buf_reset(&b);
	CHECK(cert_put_name(&b, bytes_of(text, 65)) && b.len == 13 + 64);
}
