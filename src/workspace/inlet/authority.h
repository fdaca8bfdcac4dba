/* The workspace's certificate authority as inlet has it: intermediates from keeper, bound to the names of the policy, and a leaf for each
 * name that is asked for. */
#ifndef SAW_INLET_AUTHORITY_H
#define SAW_INLET_AUTHORITY_H

#include "proxy/gate.h"

struct authority;
struct tls_cert;
struct evp_pkey_st;

/* Before anything of libcrypto and libssl, once: from then on private keys are in fenced memory, left out of core dumps and locked where
 * the host lets us. */
int authority_guard_memory(struct err *e);
/* Borrows the gate: only names that the policy in force intercepts are signed for. */
int authority_new(struct authority **ret, struct gate *g, struct err *e);
struct authority *authority_free(struct authority *a);
/* Takes `fd`, the channel to a (new) keeper. Certificates of the one before stay until it has sent its own. */
int authority_set_keeper(struct authority *a, int fd, struct err *e);

struct authority_leaf {
	struct tls_cert *leaf; /* given */
	struct tls_cert *intermediate; /* given */
	struct evp_pkey_st *key; /* borrowed */
};
/* REASON_OK; REASON_CA_MISSING: nothing from keeper yet, or not for this name yet; REASON_NAME_UNLISTED. */
enum reason authority_leaf(struct authority *a, struct bytes name, struct authority_leaf *ret);

#endif
