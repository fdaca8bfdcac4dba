/* The command of `saw try`: runs where a guest would be. */
#ifndef SAW_SUPERVISOR_COMMAND_H
#define SAW_SUPERVISOR_COMMAND_H

#include "workspace/supervisor/role.h"

extern const struct role_ops command_ops;

/* The gateway serves: let the command begin. Once. */
void command_go(struct ws *w);
/* The channel to `saw try`: its end stops the workspace. */
int command_parent(struct ws *w, struct err *e);
/* Tells `saw try` how it ended (nothing when there is no such channel). */
void command_tell_end(struct ws *w);

#endif
