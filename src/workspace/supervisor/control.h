/* The workspace's control socket: how core (and only its user's processes) sees and steers a running workspace. */
#ifndef SAW_SUPERVISOR_CONTROL_H
#define SAW_SUPERVISOR_CONTROL_H

#include "base/err.h"

struct ws;
struct control;

enum { CONTROL_PEERS_MAX = 16 };

/* Listens on <run>/control.sock; a socket that is left over is replaced (the lock is ours). */
int control_new(struct control **ret, struct ws *w, struct err *e);
/* Removes the socket. */
struct control *control_free(struct control *c);
/* The state changed: every peer that said HELLO hears it. */
void control_tell(struct control *c);

#endif
