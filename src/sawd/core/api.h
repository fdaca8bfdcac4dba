/* Calls of front: what create.c and api.c share. */
#ifndef SAW_SAWD_CORE_API_H
#define SAW_SAWD_CORE_API_H

#include "sawd/core/core.h"

/* True when changes are possible now; else the call is answered 503. */
bool api_may_change(struct core *c, uint64_t req);
/* True with the record of this name or id; else the call is answered. */
bool api_record(struct core *c, uint64_t req, struct bytes name, struct workspace *ret);
void api_not_found(struct core *c, uint64_t req, struct bytes name);
void api_being_deleted(struct core *c, uint64_t req);

bool create_on_create(void *owner, struct msg_in *in);
bool create_on_policy(void *owner, struct msg_in *in);

#endif
