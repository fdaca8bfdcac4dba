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
int hold_fd(const struct hold *h);
const struct policy *hold_policy(const struct hold *h);
/* Of one that came in a signed bundle: which one, for the audit log. `bundle_fd` is taken. */
enum { HOLD_ORIGIN_MAX = 600 };
void hold_came_from(struct hold *h, int bundle_fd, uint64_t serial, const char *channel, const char *origin);
/* "" for one that came without a bundle. */
const char *hold_origin(const struct hold *h);
const char *hold_channel(const struct hold *h);
/* 0 for one that came without. */
uint64_t hold_serial(const struct hold *h);
/* The bundle itself, given away; -1 when it was already. */
int hold_take_bundle(struct hold *h);
size_t hold_ports(const struct hold *h, uint16_t ret[POLICY_PORTS_MAX]);

#endif
