/* The certificate authority of one workspace: a root that the guest trusts, and name-constrained intermediates below it.
 *
 * A dNSName subtree permits the name itself and *everything* below it (RFC 5280, 4.2.1.10): an intermediate for "a.example" could
 * sign "x.a.example", one for "*.wild.example" also "wild.example" and "a.b.wild.example". That only what the policy lists is ever
 * signed is the minter's business (crypt/leaf.h, `listed`); the constraint bounds what a stolen intermediate is worth. */
#ifndef SAW_CRYPT_CA_H
#define SAW_CRYPT_CA_H

#include "crypt/cert.h"

enum {
	CA_NAMES_MAX = 64, /* of one intermediate */
	CA_ROOT_DAYS = 3650,
	CA_INTERMEDIATE_DAYS = 30,
	CA_DAYS_MAX = 36500,
	CA_ROOT_MAX = 1024, /* bytes of DER */
	CA_INTERMEDIATE_MAX = 20 * 1024,
};

/* Appends the self-signed certificate of `key`, a fresh one of this workspace: "saw workspace NAME (ID)", the name cut where over-long, so
 * that people see whose it is where a client lists it. Valid from a day before `now_ms` to `days` after it; may sign intermediates
 * only, and one level of them (pathlen 1). -EINVAL: days 0 or over CA_DAYS_MAX. */
int ca_root(const struct key *key, const char *name, const char *id, uint64_t now_ms, unsigned days, struct buf *out, struct err *e);

struct ca_intermediate {
	const char *id; /* of the workspace */
	const uint8_t *public_key; /* KEY_PUBLIC */
	const struct bytes *names; /* host patterns as a policy has them: "name", "*.name", "**.name", canonical */
	size_t n_names; /* 1 to CA_NAMES_MAX; of one subtree several may be given */
	uint64_t now_ms;
	unsigned days; /* ends with the root if that is earlier */
};

/* Appends a certificate for an intermediate that may sign servers' certificates for these names only: critical nameConstraints permit
 * their dNSName subtrees, no IP address, and mail and URI names of a host that cannot exist; pathlen 0; serverAuth. Each has a
 * subject of its own, since a client may keep one and find it by subject. -EINVAL: a name or number out of bounds, or no point
 * on the curve. -EKEYREJECTED: `root` is not `key`'s. -EKEYEXPIRED: the root's time is over, or does not begin for more than a day. */
int ca_intermediate(const struct key *key, const struct cert *root, const struct ca_intermediate *ask, struct buf *out,
		    struct err *e);

/* What a pattern becomes: "wild.example" of "**.wild.example". False when it is no pattern. */
bool ca_subtree(struct bytes pattern, struct bytes *ret);

#endif
