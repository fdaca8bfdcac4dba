/* What a workspace's outlet is supplied with: the values of the credentials that its policy binds, over a channel of its own. */
#ifndef SAW_SAWD_KEEPER_SUPPLY_H
#define SAW_SAWD_KEEPER_SUPPLY_H

#include "ipc/chan.h"
#include "ipc/sawd_row.h"
#include "ipc/types.h"
#include "sawd/keeper/safe.h"
#include "wire/credential.h"

enum {
	SUPPLY_GAP_MS = 200, /* between two answers to KEEPER_WANTED */
	SUPPLY_RETRY_MS = 2000, /* when a value could not be read for want of memory or descriptors; doubles up to the next */
	SUPPLY_RETRY_MAX_MS = 60 * 60 * 1000,
};

/* The credentials that a policy binds. */
struct supply_ids {
	uint64_t n;
	char text[IPC_SECRETS_MAX][CREDENTIAL_ID_MAX + 1];
};
/* u n, n times b id. False: malformed. */
bool supply_ids_get(struct msg_in *in, struct supply_ids *ret);

/* The other end hung up or misbehaved; the channel is gone already. */
typedef void (*supply_end_fn)(void *owner, struct bytes workspace);

struct supplies;
/* Borrows all. */
struct supplies *supplies_new(struct loop *l, struct safe *safe, supply_end_fn on_end, void *owner);
/* All channels end. Takes NULL. */
struct supplies *supplies_free(struct supplies *s);

/* A fresh channel for this workspace, in place of the one before; everything is said on it at once. Gives outlet's end. */
int supply_open(struct supplies *s, struct bytes workspace, struct bytes owner, const struct supply_ids *ids, int *ret_fd,
		struct err *e);
/* Other credentials from now on: new ones are said, those no longer bound are gone. Nothing when it has no channel. */
void supply_bind(struct supplies *s, struct bytes workspace, struct bytes owner, const struct supply_ids *ids);
/* This secret was set or removed: whoever is bound to it hears it now. */
void supply_changed(struct supplies *s, struct bytes owner, struct bytes id);
void supply_end(struct supplies *s, struct bytes workspace);

#endif
