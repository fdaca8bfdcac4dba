#include "net/tls_roots.h"

#include <errno.h>
#include <stdlib.h>

#include "net/tls.h"
#include "net/tls_bundle.h"

struct kept_bundle {
	uint8_t id[SHA256_LEN];
	X509_STORE *store; /* NULL: empty place */
	uint64_t used_at;
};

struct tls_roots {
	struct bytes system;
	X509_LOOKUP_METHOD *method;
	X509_STORE *system_store; /* NULL until somebody asks */
	struct kept_bundle cached[TLS_ROOTS_CACHED];
	uint64_t now; /* counts the calls */
};

struct tls_roots *tls_roots_new(struct bytes system)
{
	struct tls_roots *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->system = system;
	r->method = tls_bundle_method();
	return r->method ? r : tls_roots_free(r);
}

struct tls_roots *tls_roots_free(struct tls_roots *r)
{
	if (!r)
		return NULL;
	X509_STORE_free(r->system_store);
	for (size_t i = 0; i < TLS_ROOTS_CACHED; i++)
		X509_STORE_free(r->cached[i].store);
	X509_LOOKUP_meth_free(r->method);
	free(r);
	return NULL;
}

static struct kept_bundle *find(struct tls_roots *r, const uint8_t id[SHA256_LEN])
{
	for (size_t i = 0; i < TLS_ROOTS_CACHED; i++)
		if (r->cached[i].store && memcmp(r->cached[i].id, id, SHA256_LEN) == 0)
			return &r->cached[i];
	return NULL;
}

static struct kept_bundle *longest_unused(struct tls_roots *r)
{
	struct kept_bundle *b = &r->cached[0];

	for (size_t i = 1; i < TLS_ROOTS_CACHED && b->store; i++)
		if (!r->cached[i].store || r->cached[i].used_at < b->used_at)
			b = &r->cached[i];
	return b;
}

static int get_system(struct tls_roots *r, X509_STORE **ret, uint8_t ret_id[SHA256_LEN], struct err *e)
{
	int err = r->system_store ? 0 : tls_bundle_store(&r->system_store, r->method, r->system, false, false, e);

	if (err == -EINVAL)
		return err_set(e, EINVAL, "the system has no root certificates: install ca-certificates, or name the host's own with `ca`");
	if (err < 0)
		return err;
	*ret = r->system_store;
	memset(ret_id, 0, SHA256_LEN);
	return 0;
}

int tls_roots_get(struct tls_roots *r, struct bytes ca, X509_STORE **ret, uint8_t ret_id[SHA256_LEN], struct err *e)
{
	uint8_t id[SHA256_LEN];
	struct kept_bundle *b = NULL;
	X509_STORE *store = NULL;
	int err;

	if (!ca.len)
		return get_system(r, ret, ret_id, e);
	if (ca.len > TLS_CA_MAX)
		return err_set(e, EINVAL, "the bundle is longer than %d bytes", TLS_CA_MAX);
	sha256(ca, id);
	b = find(r, id);
	if (!b) {
		err = tls_bundle_store(&store, r->method, ca, true, true, e);
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
