/* libcrypto 3.0 takes most of a millisecond to parse one certificate, nearly all of it for the public key, and a system has some 150
 * of them: a tenth of a second in which no other flow moves, for the two or three that are ever used. So a bundle is only indexed here
 * (where each block stands, and the hash of its subject), and libcrypto asks for a subject when it builds a chain, as it does with a
 * folder of hashed certificates. */
#include "net/tls_bundle.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct place {
	unsigned long subject; /* X509_NAME_hash_ex() */
	size_t at; /* of the PEM block */
	bool parsed; /* the store has it, or it cannot be used */
};

struct bundle {
	struct bytes pem;
	uint8_t *own; /* what `pem` shows, where it is a copy */
	struct place *places;
	size_t n_places;
};

static void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	free(b->own);
	free(b->places);
	free(b);
}

static BIO *reader(struct bytes pem)
{
	return pem.len && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
}

/* Steps into, or over, the element at *p, which must be of this kind. */
static bool element(struct bytes *b, int want_tag, int want_class, bool into)
{
	const unsigned char *p = b->p;
	long len = 0;
	int tag = 0;
	int class = 0;
	int r = b->len <= LONG_MAX ? ASN1_get_object(&p, &len, &tag, &class, (long)b->len) : 0x80;

	if ((r & 0x80) || (r & 1) || tag != want_tag || class != want_class)
		return false;
	*b = into ? bytes_of(p, (size_t)len) : bytes_skip(*b, (size_t)(p - b->p) + (size_t)len);
	return true;
}

static bool sequence(struct bytes *b, bool into)
{
	return element(b, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, into);
}

/* The subject's hash, found without a look at anything else of the certificate (RFC 5280, 4.1). */
static bool hash_subject(struct bytes der, unsigned long *ret)
{
	struct bytes at = der;
	const unsigned char *p;
	X509_NAME *name;
	int ok = 0;

	if (!sequence(&at, true) || !sequence(&at, true))
		return false;
	(void)element(&at, 0, V_ASN1_CONTEXT_SPECIFIC, false); /* version */
	if (!element(&at, V_ASN1_INTEGER, V_ASN1_UNIVERSAL, false) || !sequence(&at, false) || !sequence(&at, false) ||
	    !sequence(&at, false))
		return false;
	p = at.p;
	name = d2i_X509_NAME(NULL, &p, (long)at.len);
	*ret = name ? X509_NAME_hash_ex(name, NULL, NULL, &ok) : 0;
	X509_NAME_free(name);
	return ok == 1;
}

static bool is_certificate(const char *label)
{
	return strcmp(label, PEM_STRING_X509) == 0 || strcmp(label, PEM_STRING_X509_OLD) == 0 ||
	       strcmp(label, PEM_STRING_X509_TRUSTED) == 0;
}

static bool add_place(struct bundle *b, struct place p)
{
	struct place *more = b->n_places < TLS_BUNDLE_CERTS_MAX && (b->n_places & (b->n_places - 1)) == 0 ?
				     realloc(b->places, (b->n_places ? 2 * b->n_places : 1) * sizeof(*more)) :
				     b->places;

	if (!more || b->n_places == TLS_BUNDLE_CERTS_MAX)
		return false;
	b->places = more;
	b->places[b->n_places++] = p;
	return true;
}

/* 1: indexed; 0: no certificate; negative: an error. */
static int take_block(struct bundle *b, size_t at, const char *label, struct bytes der, struct err *e)
{
	struct place p = { .at = at };

	if (!is_certificate(label) || !hash_subject(der, &p.subject))
		return 0;
	return add_place(b, p) ? 1 : err_set(e, ENOMEM, "too many certificates in the bundle");
}

static int index_all(struct bundle *b, bool strict, struct err *e)
{
	BIO *in = reader(b->pem);
	int r = 0;

	if (!in)
		return b->pem.len ? err_set(e, ENOMEM, "out of memory for certificates") : 0;
	while (r >= 0) {
		size_t at = b->pem.len - (size_t)BIO_pending(in);
		char *label = NULL;
		char *head = NULL;
		unsigned char *der = NULL;
		long len = 0;
		bool read;

		ERR_clear_error();
		read = PEM_read_bio(in, &label, &head, &der, &len) == 1;
		if (!read && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
			break;
		r = read ? take_block(b, at, label, bytes_of(der, (size_t)len), e) : 0;
		if (r == 0 && strict)
			r = err_set(e, EINVAL, "block %zu of the bundle is no certificate that can be read", b->n_places + 1);
		OPENSSL_free(label);
		OPENSSL_free(head);
		OPENSSL_free(der);
	}
	ERR_clear_error();
	BIO_free(in);
	return r < 0 ? r : 0;
}

static void parse_into(X509_STORE *store, struct bytes pem)
{
	BIO *in = reader(pem);
	X509 *x = in ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;

	if (x)
		(void)X509_STORE_add_cert(store, x);
	X509_free(x);
	BIO_free(in);
}

/* libcrypto found nothing in the store: all of this subject go in, and the first of them is the answer. */
static int by_subject(X509_LOOKUP *l, X509_LOOKUP_TYPE type, const X509_NAME *name, X509_OBJECT *ret)
{
	struct bundle *b = X509_LOOKUP_get_method_data(l);
	X509_STORE *store = X509_LOOKUP_get_store(l);
	int ok = 0;
	unsigned long subject = X509_NAME_hash_ex(name, NULL, NULL, &ok);
	X509_OBJECT *found;
	X509 *x;

	if (type != X509_LU_X509 || ok != 1)
		return 0;
	for (size_t i = 0; i < b->n_places; i++)
		if (b->places[i].subject == subject && !b->places[i].parsed) {
			parse_into(store, bytes_skip(b->pem, b->places[i].at));
			b->places[i].parsed = true;
		}
	ERR_clear_error();
	found = X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), type, name);
	x = found ? X509_OBJECT_get0_X509(found) : NULL;
	if (!x || X509_OBJECT_set1_X509(ret, x) != 1)
		return 0;
	X509_free(x); /* *ret borrows from the store: the caller takes a reference of its own */
	return 1;
}

static void lookup_free(X509_LOOKUP *l)
{
	bundle_free(X509_LOOKUP_get_method_data(l));
	(void)X509_LOOKUP_set_method_data(l, NULL);
}

X509_LOOKUP_METHOD *tls_bundle_method(void)
{
	X509_LOOKUP_METHOD *m = X509_LOOKUP_meth_new("saw bundle");

	if (m && X509_LOOKUP_meth_set_get_by_subject(m, by_subject) == 1 && X509_LOOKUP_meth_set_free(m, lookup_free) == 1)
		return m;
	X509_LOOKUP_meth_free(m);
	return NULL;
}

static struct bundle *bundle_new(struct bytes pem, bool copy)
{
	struct bundle *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->pem = pem;
	if (copy && pem.len) {
		b->own = malloc(pem.len);
		if (!b->own) {
			bundle_free(b);
			return NULL;
		}
		memcpy(b->own, pem.p, pem.len);
		b->pem.p = b->own;
	}
	return b;
}

int tls_bundle_store(X509_STORE **ret, X509_LOOKUP_METHOD *method, struct bytes pem, bool copy, bool strict, struct err *e)
{
	X509_STORE *store = X509_STORE_new();
	X509_LOOKUP *l = store ? X509_STORE_add_lookup(store, method) : NULL;
	struct bundle *b = l ? bundle_new(pem, copy) : NULL;
	int r;

	if (!b) {
		X509_STORE_free(store);
		return err_set(e, ENOMEM, "out of memory for certificates");
	}
	(void)X509_LOOKUP_set_method_data(l, b);
	r = index_all(b, strict, e);
	if (r == 0 && b->n_places == 0)
		r = err_set(e, EINVAL, "the bundle holds no certificate in PEM");
	if (r < 0)
		X509_STORE_free(store);
	else
		*ret = store;
	return r;
}
