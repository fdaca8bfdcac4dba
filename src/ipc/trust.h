/* The keys whose signature a policy bundle must bear on this machine: one public key a file, <state>/keys/security/NAME.pub. Keeper puts the
 * local one there when it makes it; people add and remove Security's, by hand or with `saw policy key`, which works as that person. No
 * other process of the control plane writes there. */
#ifndef SAW_IPC_TRUST_H
#define SAW_IPC_TRUST_H

#include "base/err.h"
#include "rules/bundle_check.h"

#define TRUST_FOLDER "keys/security"
/* The key that keeper made, for policies given as plain files. */
#define TRUST_LOCAL "local"

enum { TRUST_NAME_MAX = 64 };

/* `why` NULL: a good key. Else what is wrong with the file, and `key` is NULL. False stops. */
typedef bool (*trust_fn)(void *ctx, const char *name, const uint8_t *key, const char *why);

/* Every *.pub of the folder, in no order; the name is the file's without its end. A folder that is not there holds none. A file that is a
 * link, is not ours or root's, can be written by others, or holds no Ed25519 public key is a fault of that file only. Negative errno when
 * the folder cannot be read, or a file not for want of descriptors or memory: which keys are trusted is not known then. */
int trust_each(const char *folder, trust_fn fn, void *ctx, struct err *e);

/* The good ones, at most BUNDLE_KEYS_MAX. Gives how many files were passed over; `e` then says why of one. */
int trust_read(const char *folder, struct bundle_keys *ret, struct err *e);

/* 1 to TRUST_NAME_MAX of a-z, 0-9, '.', '_' and '-', no dot first. */
bool trust_name_ok(struct bytes name);

#endif
