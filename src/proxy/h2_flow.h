/* A guest's HTTP/2 connection: each of its streams is a flow of http (proxy/http_flow.h) of its own. */
#ifndef SAW_PROXY_H2_FLOW_H
#define SAW_PROXY_H2_FLOW_H

#include "proxy/flow.h"

enum {
	H2_FLOW_IDLE_MS = 75000, /* without a stream, from the end of the last one on: no frame renews it */
	H2_FLOW_FIRST_MS = 10000, /* until the first, likewise */
	H2_FLOW_STALL_MS = 60000, /* the guest keeps its windows shut, or takes nothing off the socket */
	H2_FLOW_PAUSE_MS = 50, /* the guest makes more events than it may: nothing more is read from it */
	H2_FLOW_READ = 64 * 1024,
};

/* Takes the flow's facts (copied), their fd, and `tls` on it, where h2 was chosen. */
void h2_flow_start(const struct flow *facts, struct tls *tls);

#endif
