/* Connections to the guest from inside its namespace: for SSH sessions and for readiness. */
#ifndef SAW_FRONT_GUEST_H
#define SAW_FRONT_GUEST_H

#include <stdint.h>

#include "base/err.h"
#include "os/loop.h"

enum { GUEST_CONNECTS_MAX = 64, GUEST_CONNECT_MS = 3000 };

struct guest;

/* fd >= 0: connected, non-blocking, given. -1: `why` says what happened. */
typedef void (*guest_done_fn)(void *owner, uint64_t id, int fd, const char *why);

int guest_new(struct guest **ret, struct loop *l, guest_done_fn done, void *owner, struct err *e);
struct guest *guest_free(struct guest *g);
/* TCP to the guest's `port`, at most GUEST_CONNECT_MS long. Every call is answered once. */
void guest_connect(struct guest *g, uint64_t id, uint16_t port);

#endif
