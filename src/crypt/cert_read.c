/* Reading is left to libcrypto: it happens once for each issuer, and what it takes is what the guest's verifiers take. */
#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "crypt/cert.h"

static bool read_time(const ASN1_TIME *t, uint64_t *ret_ms)
{
	struct tm tm;
	time_t at;

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	at = timegm(&tm);
	if (at < 0)
		return false;
	*ret_ms = (uint64_t)at * 1000;
	return true;
}

static bool read_key(X509 *x, struct cert *c)
{
	EVP_PKEY *pkey = X509_get0_pubkey(x); /* borrowed */
	char group[16];
	size_t len = 0;

	if (!pkey || EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), &len) != 1 ||
	    strcmp(group, "prime256v1") != 0 ||
	    EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, c->public_key, KEY_PUBLIC, &len) != 1 ||
	    len != KEY_PUBLIC || c->public_key[0] != 0x04)
		return false;
	return true;
}

static bool read_key_id(X509 *x, struct cert *c)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(x);

	if (!id || ASN1_STRING_length(id) != CERT_KEY_ID)
		return false;
	memcpy(c->key_id, ASN1_STRING_get0_data(id), CERT_KEY_ID);
	return true;
}

/* A copy: libcrypto's own may go when the certificate is parsed again for a check of its extensions. */
static bool copy(const void *p, int len, struct bytes *ret)
{
	uint8_t *at = len > 0 ? malloc((size_t)len) : NULL;

	if (!at)
		return false;
	memcpy(at, p, (size_t)len);
	*ret = bytes_of(at, (size_t)len);
	return true;
}

static bool read_subject(X509 *x, struct cert *c)
{
	const unsigned char *der = NULL;
	size_t len = 0;

	return X509_NAME_get0_der(X509_get_subject_name(x), &der, &len) == 1 && len <= CERT_SUBJECT_MAX &&
	       copy(der, (int)len, &c->subject);
}

static bool read_subtrees(X509 *x, struct cert *c)
{
	int critical = 0;
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(x, NID_name_constraints, &critical, NULL);
	int n = nc ? sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) : 0;
	bool ok = nc || critical == -1; /* -1: there is none; else it is broken or stands there twice */

	if (n > 0) {
		c->subtrees = calloc((size_t)n, sizeof(c->subtrees[0]));
		ok = c->subtrees != NULL;
	}
	for (int i = 0; ok && i < n; i++) {
		const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, i)->base;

		if (base->type != GEN_DNS)
			continue;
		ok = copy(ASN1_STRING_get0_data(base->d.dNSName), ASN1_STRING_length(base->d.dNSName), &c->subtrees[c->n_subtrees]);
		c->n_subtrees += ok;
	}
	NAME_CONSTRAINTS_free(nc);
	return ok;
}

static bool read_all(struct cert *c, struct bytes der)
{
	const unsigned char *at = der.p;
	X509 *x;

	if (der.len == 0 || der.len > CERT_READ_MAX || !copy(der.p, (int)der.len, &c->der))
		return false;
	x = c->handle = d2i_X509(NULL, &at, (long)der.len);
	return x && at == der.p + der.len && X509_check_ca(x) == 1 && read_time(X509_get0_notBefore(x), &c->not_before_ms) &&
	       read_time(X509_get0_notAfter(x), &c->not_after_ms) && read_key(x, c) && read_key_id(x, c) &&
	       read_subject(x, c) && read_subtrees(x, c);
}

int cert_open(struct cert **ret, struct bytes der, struct err *e)
{
	struct cert *c = calloc(1, sizeof(*c));
	bool ok;

	if (!c)
		return err_set(e, ENOMEM, "out of memory");
	ERR_set_mark();
	ok = read_all(c, der);
	ERR_pop_to_mark();
	if (!ok) {
		cert_free(c);
		return err_set(e, EBADMSG, "not a CA certificate of ours");
	}
	*ret = c;
	return 0;
}

struct cert *cert_free(struct cert *c)
{
	if (!c)
		return NULL;
	X509_free(c->handle);
	for (size_t i = 0; i < c->n_subtrees; i++)
		free((void *)(uintptr_t)c->subtrees[i].p);
	free(c->subtrees);
	free((void *)(uintptr_t)c->subject.p);
	free((void *)(uintptr_t)c->der.p);
	free(c);
	return NULL;
}

void cert_freep(struct cert **c)
{
	*c = cert_free(*c);
}
