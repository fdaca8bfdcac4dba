/* The policy in force: a sealed blob that was opened and checked here before any role gets it. */
#ifndef SAW_SUPERVISOR_HOLD_H
#define SAW_SUPERVISOR_HOLD_H

#include "base/err.h"
#include "rules/policy.h"

struct hold;

/* Reads the file `policy.blob` of the workspace, seals a copy. Negative errno with a sentence. */
int hold_load(struct hold **ret, const char *path, uint64_t generation, struct err *e);
/* From a descriptor that core sent (taken, also on failure): must be sealed already. */
int hold_take(struct hold **ret, int fd, uint64_t generation, struct err *e);
struct hold *hold_free(struct hold *h);

uint64_t hold_generation(const struct hold *h);
/* The sealed copy, still owned here. */
int hold_fd(const struct hold *h);
const struct policy *hold_policy(const struct hold *h);
/* All TCP ports of the policy, each once. Gives how many. */
size_t hold_ports(const struct hold *h, uint16_t ret[POLICY_PORTS_MAX]);

/* It came in a signed bundle: `origin` says which one in the audit log. Takes `bundle_fd`; copies the texts. */
enum { HOLD_ORIGIN_MAX = 600 };
void hold_came_from(struct hold *h, int bundle_fd, uint64_t serial, const char *channel, const char *origin);
/* What hold_came_from() said: "", "" and 0 when it was never called. */
const char *hold_origin(const struct hold *h);
const char *hold_channel(const struct hold *h);
uint64_t hold_serial(const struct hold *h);
/* The bundle itself, given away; -1 when it was already. */
int hold_take_bundle(struct hold *h);

#endif
