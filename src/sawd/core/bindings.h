/* What policies need of keeper: the credentials that they bind, and the names that they open. */
#ifndef SAW_SAWD_BINDINGS_H
#define SAW_SAWD_BINDINGS_H

#include "ipc/types.h"
#include "sawd/core/core.h"
#include "wire/credential.h"

struct bindings {
	size_t n;
	char ids[IPC_SECRETS_MAX][CREDENTIAL_ID_MAX + 1]; /* sorted, distinct */
};
/* Adds those of a stored policy (its hash, as in a record; "" adds nothing). What does not fit is left out. */
int bindings_add(struct core *c, const char *policy_sha256, struct bindings *b, struct err *e);
/* The stored policy is whole, and of this version; "" is. */
bool bindings_readable(struct core *c, const char *policy_sha256);
/* u n, n times b id */
void bindings_put(const struct bindings *b, struct msg *m);

/* The host patterns that these two stored policies open ("" for none), one a line, sorted and distinct, as sealed memory; -1 when there
 * are none. */
int bindings_names(struct core *c, const char *a_sha256, const char *b_sha256, uint64_t *ret_n, int *ret_fd, struct err *e);

/* Which workspaces' policies bind which credential, as of now. */
struct bound;
/* NULL without memory or when the store cannot be read. */
struct bound *bound_new(struct core *c);
struct bound *bound_free(struct bound *b);
/* u total, u n, n times b name. `b` NULL: nothing is known. */
void bound_put(const struct bound *b, struct bytes id, struct msg *m);

#endif
