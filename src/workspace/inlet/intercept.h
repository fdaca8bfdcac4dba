/* Intercepted flows: TLS towards the guest with a certificate of the workspace's own authority, then http. */
#ifndef SAW_INLET_INTERCEPT_H
#define SAW_INLET_INTERCEPT_H

#include "proxy/flow.h"
#include "workspace/inlet/authority.h"

enum { INTERCEPT_HANDSHAKE_MS = 10000 /* from the whole ClientHello on */ };

/* Takes the flow's facts (copied) and its fd. Borrows the authority. */
void intercept_flow_start(const struct flow *facts, struct authority *a);

#endif
