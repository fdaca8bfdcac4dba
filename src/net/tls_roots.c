#include "net/tls_roots.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "net/tls.h"

struct bundle {
	uint8_t id[SHA256_LEN];
	X509_STORE *store; /* NULL: empty place */
	uint64_t used_at;
};

struct tls_roots {
	struct bytes system;
	X509_STORE *system_store; /* NULL until somebody asks */
	struct bundle cached[TLS_ROOTS_CACHED];
	uint64_t now; /* counts the calls */
};

struct tls_roots *tls_roots_new(struct bytes system)
{
	struct tls_roots *r = calloc(1, sizeof(*r));

	if (r)
		r->system = system;
	return r;
}

struct tls_roots *tls_roots_free(struct tls_roots *r)
{
	if (!r)
		return NULL;
	X509_STORE_free(r->system_store);
	for (size_t i = 0; i < TLS_ROOTS_CACHED; i++)
		X509_STORE_free(r->cached[i].store);
	free(r);
	return NULL;
}

/* The certificates of `pem` into `store`: how many, or a negative errno. */
static int add_all(X509_STORE *store, struct bytes pem, bool strict, struct err *e)
{
	BIO *b = pem.len && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
	int n = 0;

	if (!pem.len)
		return 0;
	if (!b)
		return err_set(e, ENOMEM, "out of memory for certificates");
	for (bool end = false; !end && n >= 0;) {
		X509 *x = NULL;

		ERR_clear_error();
		x = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL);
		if (x && X509_STORE_add_cert(store, x) == 1)
			n++;
		else if (x)
			n = err_set(e, ENOMEM, "out of memory for certificates");
		else if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
			end = true;
		else if (strict)
			n = err_set(e, EINVAL, "certificate %d of the bundle cannot be read", n + 1);
		X509_free(x);
	}
	ERR_clear_error();
	BIO_free(b);
	return n;
}

static int store_new(X509_STORE **ret, struct bytes pem, bool strict, struct err *e)
{
	X509_STORE *store = X509_STORE_new();
	int n;

	if (!store)
		return err_set(e, ENOMEM, "out of memory for certificates");
	n = add_all(store, pem, strict, e);
	if (n > 0) {
		*ret = store;
		return 0;
	}
	X509_STORE_free(store);
	return n < 0 ? n : err_set(e, EINVAL, "%s", strict ? "the bundle holds no certificate in PEM" :
							     "the system has no root certificates: install ca-certificates, or "
							     "name the host's own with `ca`");
}

static struct bundle *find(struct tls_roots *r, const uint8_t id[SHA256_LEN])
{
	for (size_t i = 0; i < TLS_ROOTS_CACHED; i++)
		if (r->cached[i].store && memcmp(r->cached[i].id, id, SHA256_LEN) == 0)
			return &r->cached[i];
	return NULL;
}

static struct bundle *longest_unused(struct tls_roots *r)
{
	struct bundle *b = &r->cached[0];

	for (size_t i = 1; i < TLS_ROOTS_CACHED && b->store; i++)
		if (!r->cached[i].store || r->cached[i].used_at < b->used_at)
			b = &r->cached[i];
	return b;
}

static int get_system(struct tls_roots *r, X509_STORE **ret, uint8_t ret_id[SHA256_LEN], struct err *e)
{
	int err = r->system_store ? 0 : store_new(&r->system_store, r->system, false, e);

	if (err < 0)
		return err;
	*ret = r->system_store;
	memset(ret_id, 0, SHA256_LEN);
	return 0;
}

int tls_roots_get(struct tls_roots *r, struct bytes ca, X509_STORE **ret, uint8_t ret_id[SHA256_LEN], struct err *e)
{
	uint8_t id[SHA256_LEN];
	struct bundle *b = NULL;
	X509_STORE *store = NULL;
	int err;

	if (!ca.len)
		return get_system(r, ret, ret_id, e);
	if (ca.len > TLS_CA_MAX)
		return err_set(e, EINVAL, "the bundle is longer than %d bytes", TLS_CA_MAX);
	sha256(ca, id);
	b = find(r, id);
	if (!b) {
		err = store_new(&store, ca, true, e);
		if (err < 0)
			return err;
		/* What is named for one rule is trusted as it stands there, be it a root or not. */
		(void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		b = longest_unused(r);
		X509_STORE_free(b->store);
		b->store = store;
		memcpy(b->id, id, sizeof(id));
	}
	b->used_at = ++r->now;
	*ret = b->store;
	memcpy(ret_id, id, sizeof(id));
	return 0;
}
