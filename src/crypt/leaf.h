/* Certificates for the names that a gateway answers for, minted when they are asked for: one key, one signature each, kept for a while. */
#ifndef SAW_CRYPT_LEAF_H
#define SAW_CRYPT_LEAF_H

#include "crypt/cert.h"

enum {
	LEAF_DAYS = 7, /* never longer than its issuer */
	LEAF_MAX = 1280, /* bytes of DER */
	LEAF_CACHE = 256, /* names; the longest unused one goes first */
};

/* Whether the policy in force intercepts this name. The issuers' constraints permit everything below a name too (crypt/ca.h); the
 * minter signs for what this says only, and asks each time. */
typedef bool leaf_listed_fn(void *ctx, struct bytes name);

struct leaf_minter;

/* Before the jail, once: libcrypto opens its settings and makes what minting needs. False when a leaf minted here does not work:
 * nothing would. */
bool leaf_warm(void);

/* `issuer`: the key of all intermediates; taken, also when it fails. Makes the leaves' own key. NULL when the library fails. */
struct leaf_minter *leaf_minter_new(struct key *issuer, leaf_listed_fn *listed, void *ctx);
/* An intermediate's certificate, copied. -EBADMSG: none of ours, or without permitted names; -EKEYREJECTED: of another key. */
int leaf_minter_add(struct leaf_minter *m, struct bytes der, struct err *e);
struct leaf_minter *leaf_minter_free(struct leaf_minter *m);
void leaf_minter_freep(struct leaf_minter **m);
#define LEAF_MINTER_AUTO __attribute__((cleanup(leaf_minter_freep)))

/* The key of all its leaves. Borrowed. */
const struct key *leaf_minter_key(const struct leaf_minter *m);

/* Read only. A server sends `der`, then `issuer->der`. */
struct leaf {
	struct bytes der;
	struct x509_st *handle; /* as cert.handle, but made in a tenth of the time that parsing `der` takes */
	const struct cert *issuer;
	uint64_t not_after_ms;
};

/* The name's leaf, from the cache while less than half of its life is over, else a fresh one. `name` is canonical (wire/name.h).
 * Borrowed until the next call on this minter; whoever keeps `handle` takes a reference. -EACCES: not listed. -ENOENT: listed, but
 * no issuer may sign for it (a policy younger than the issuers). -EKEYEXPIRED: its issuer is not valid at `now_ms`. -EINVAL: no
 * name. -EIO, -ENOMEM. */
int leaf_get(struct leaf_minter *m, struct bytes name, uint64_t now_ms, const struct leaf **ret, struct err *e);

/* Appends a fresh leaf's DER; the cache stays as it is. Answers as above. */
int leaf_mint(struct leaf_minter *m, struct bytes name, uint64_t now_ms, struct buf *out, struct err *e);

#endif
