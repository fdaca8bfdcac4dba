/* Secrets as core sees them: calls of front about them, and the channels by which workspaces get them. */
#ifndef SAW_SAWD_SECRETS_H
#define SAW_SAWD_SECRETS_H

#include "sawd/core/ws.h"

/* secrets.c: calls of front. */
bool secrets_on_set(void *owner, struct msg_in *in);
bool secrets_on_rm(void *owner, struct msg_in *in);
bool secrets_on_list(void *owner, struct msg_in *in);

/* supply.c: the channels between keeper and a workspace's outlet and inlet. */
/* Makes both anew and hands them to the supervisor, if there is one that knows them. */
void supply_open(struct ws *w);
/* A new policy is on its way: until it is in force the old one's bindings stay too. */
void supply_widen(struct ws *w);
/* It is in force. */
void supply_settle(struct ws *w);
/* The workspace is being deleted, and what keeper has of it; ends in reconcile_forgotten() or reconcile_put_off(). */
void supply_forget(struct ws *w);
void supply_deinit(struct ws *w);
bool supply_on_ended(void *owner, struct msg_in *in);

#endif
