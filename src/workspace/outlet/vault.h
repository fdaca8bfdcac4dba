/* This workspace's secrets, as keeper sends them: one current value for each credential that the policy binds. */
#ifndef SAW_OUTLET_VAULT_H
#define SAW_OUTLET_VAULT_H

#include "base/err.h"
#include "crypt/secret.h"
#include "os/loop.h"

struct vault;

/* `changed` is called from the loop when a value was replaced or went: what was authenticated with it must not be used any more. */
int vault_new(struct vault **ret, struct loop *l, void (*changed)(void *owner, struct bytes id), void *owner, struct err *e);
struct vault *vault_free(struct vault *v);
/* Takes `fd`, the channel to a (new) keeper; what the one before said stays until this one says otherwise. */
int vault_set_keeper(struct vault *v, int fd, struct err *e);

/* Borrowed until the loop turns. NULL: there is none. */
const struct secret *vault_find(const struct vault *v, struct bytes id, uint64_t *ret_version);

#endif
