/* The register of open flows: a count against FLOWS_MAX, and a walk over all when the policy
 * changes or inlet stops. */
#ifndef SAW_PROXY_FLOWS_H
#define SAW_PROXY_FLOWS_H

#include "proxy/flow.h"

struct flows *flows_new(void);
/* All flows are gone by then (flows_stop). */
struct flows *flows_free(struct flows *fs);

size_t flows_count(const struct flows *fs);
/* Each flow judges itself against the policy that is in force now. */
void flows_on_policy(struct flows *fs);
/* What was authenticated with this credential's last value is not used any more. */
void flows_on_secret(struct flows *fs, struct bytes id);
/* Each flow ends now. */
void flows_stop(struct flows *fs);

#endif
