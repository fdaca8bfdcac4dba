/* The keys themselves: three seeds on disk: the user CA's, the one that every workspace's host key is derived from, and the local Security
 * key's, which signs policies given as plain files. */
#ifndef SAW_SAWD_KEEPER_KEYS_H
#define SAW_SAWD_KEEPER_KEYS_H

#include "base/buf.h"
#include "base/err.h"
#include "crypt/ed25519.h"
#include "wire/ssh_cert.h"

struct keys;

/* Reads <folder>/user_ca.seed, <folder>/host_keys.seed and <folder>/security.seed, or makes them (0600, synced). Refuses files that others
 * can read, are not ours, or have another length. With a new Security key its public half becomes a trusted one, <folder>/security/local.pub:
 * only then, so that one who took it away there is not overruled. */
int keys_open(struct keys **ret, const char *folder, struct err *e);
/* Wipes them. */
struct keys *keys_free(struct keys *k);

void keys_ca(const struct keys *k, uint8_t ret[SSH_KEY_PUBLIC]);
/* The same id always gives the same key. */
bool keys_host_public(const struct keys *k, struct bytes id, uint8_t ret[SSH_KEY_PUBLIC]);
/* Appends the private key file for the seed disk; the caller wipes it. */
bool keys_host_private(const struct keys *k, struct bytes id, struct buf *out);
/* Fills nonce, serial and ca of `c` and appends the signed blob. False: refused (a text too long, validity over 5 minutes
 * plus the allowance for clocks). */
bool keys_certify(const struct keys *k, struct ssh_cert *c, struct buf *out);

/* The signature of a policy's manifest. False only when the library fails. */
bool keys_sign_policy(const struct keys *k, struct bytes manifest, uint8_t ret_key[ED25519_PUBLIC],
		      uint8_t ret_signature[ED25519_SIGNATURE]);

#endif
