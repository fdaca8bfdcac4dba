/* The four roles that are the gateway: front, inlet, outlet and dialer. */
#ifndef SAW_SUPERVISOR_GATEWAY_H
#define SAW_SUPERVISOR_GATEWAY_H

#include "workspace/supervisor/role.h"

extern const struct role_ops gateway_front_ops;
extern const struct role_ops gateway_inlet_ops;
extern const struct role_ops gateway_dialer_ops;
extern const struct role_ops gateway_outlet_ops;

/* Every role is ready and every listener is there. */
bool gateway_up(const struct ws *w);
/* The policy in force, to one role. */
void gateway_send_policy(struct role *r);
/* The text of resolv.conf, to dialer. */
void gateway_send_resolv(struct ws *w);

/* A role's channel to keeper (ops->keeper), as core last gave it; nothing when there is none yet. For `configure`. */
void gateway_send_keeper(struct role *r);
/* Core gave a fresh one: kept for later processes of the role, and handed to the one that runs. Takes `fd`. */
void gateway_keeper(struct ws *w, uint16_t type, int fd);

#endif
