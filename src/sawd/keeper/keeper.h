/* sawd-keeper: the one process that holds keys and secrets. */
#ifndef SAW_SAWD_KEEPER_H
#define SAW_SAWD_KEEPER_H

#include "os/clock_watch.h"
#include "sawd/keeper/change.h"
#include "sawd/keeper/issuer.h"
#include "sawd/keeper/keys.h"
#include "sawd/keeper/supply.h"

struct keeper {
	struct loop *loop;
	struct chan *parent;
	struct chan *core;
	struct keys *keys;
	struct safe *safe;
	struct supplies *supplies;
	struct issuer *issuer;
	struct clock_watch clock;
	struct changes changes;
};

/* The one message being written to core or the parent. */
extern struct msg keeper_out;

/* secrets.c: core's questions about secrets. */
bool secrets_on_change(void *owner, struct msg_in *in);
bool secrets_on_commit(void *owner, struct msg_in *in);
bool secrets_on_list(void *owner, struct msg_in *in);
bool secrets_on_open(void *owner, struct msg_in *in);
bool secrets_on_bind(void *owner, struct msg_in *in);
/* A supply_end_fn. */
void secrets_outlet_ended(void *owner, struct bytes workspace);

/* authority.c: core's questions about workspaces' certificate authorities. */
bool authority_on_root(void *owner, struct msg_in *in);
bool authority_on_open(void *owner, struct msg_in *in);
bool authority_on_bind(void *owner, struct msg_in *in);
/* An issuer_end_fn. */
void authority_inlet_ended(void *owner, struct bytes workspace);

#endif
