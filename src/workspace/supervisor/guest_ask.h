/* Connections to the guest, asked of front for whoever wants one: control peers and the readiness probe. */
#ifndef SAW_SUPERVISOR_GUEST_ASK_H
#define SAW_SUPERVISOR_GUEST_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct ws;

enum { GUEST_ASKS_MAX = 64 };

/* fd >= 0: connected, given. -1: `why`. */
typedef void (*guest_ask_fn)(void *owner, uint64_t id, int fd, struct bytes why);

/* Answered once, unless the owner is forgotten; possibly from inside this call when front is down. `id` is the caller's own. */
void guest_ask(struct ws *w, uint16_t port, uint64_t id, guest_ask_fn done, void *owner);
void guest_ask_forget(struct ws *w, void *owner);

/* Front's answer; fd taken. False: nobody asked. */
bool guest_ask_answer(struct ws *w, uint64_t front_id, int fd, struct bytes why);
/* Front is gone: everybody is refused. */
void guest_ask_lost(struct ws *w);

#endif
