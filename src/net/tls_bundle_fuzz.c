#include "net/tls_bundle.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static X509 *look_up(X509_STORE_CTX *ctx, const X509_NAME *name)
{
	X509_OBJECT *found = X509_OBJECT_new();
	X509 *x;

	must(found);
	x = X509_STORE_CTX_get_by_subject(ctx, X509_LU_X509, name, found) == 1 ? X509_OBJECT_get0_X509(found) : NULL;
	must(!x || X509_up_ref(x) == 1);
	X509_OBJECT_free(found);
	return x;
}

/* Finds each of the certificates that libcrypto itself reads there by its own name. */
static void look_up_all(X509_STORE *store, BIO *in)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *x;

	must(ctx && X509_STORE_CTX_init(ctx, store, NULL, NULL) == 1);
	while ((x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL))) {
		X509 *found = look_up(ctx, X509_get_subject_name(x));

		must(found && X509_NAME_cmp(X509_get_subject_name(found), X509_get_subject_name(x)) == 0);
		X509_free(look_up(ctx, X509_get_issuer_name(x)));
		X509_free(found);
		X509_free(x);
	}
	X509_STORE_CTX_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static X509_LOOKUP_METHOD *method;

	if (!method)
		method = tls_bundle_method();
	for (int strict = 0; strict < 2; strict++) {
		X509_STORE *store = NULL;
		BIO *in = size ? BIO_new_mem_buf(data, (int)size) : NULL;

		if (tls_bundle_store(&store, method, bytes_of(data, size), strict != 0, strict != 0, NULL) == 0)
			look_up_all(store, in);
		X509_STORE_free(store);
		BIO_free(in);
	}
	return 0;
}
