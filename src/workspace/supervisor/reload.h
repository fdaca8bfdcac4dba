/* A change of policy while the workspace runs. */
#ifndef SAW_SUPERVISOR_RELOAD_H
#define SAW_SUPERVISOR_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "workspace/supervisor/bundle.h"

struct ws;
struct role;

enum { RELOAD_MS = 10000 }; /* a role that has not taken the policy by then is replaced */

/* RELOAD_DONE: every role judges by the new policy. Otherwise the old one stays in force, `why` says why: because of the policy itself, or
 * for what may have passed when it is handed over again. */
enum reload_end { RELOAD_DONE = 1, RELOAD_REFUSED, RELOAD_NOT_NOW };
typedef void (*reload_done_fn)(void *owner, uint64_t generation, enum reload_end end, const char *why);

/* Takes the descriptor. One change at a time; possibly answered from inside this call. */
void reload_start(struct ws *w, int blob_fd, uint64_t generation, reload_done_fn done, void *owner);
/* The same for a signed bundle. */
void reload_bundle(struct ws *w, int bundle_fd, const struct bundle_order *o, reload_done_fn done, void *owner);
/* Nobody waits for the answer any more; the change goes on. */
void reload_forget(void *owner);

/* POLICY_DONE of a role. */
void reload_answer(struct role *r, uint64_t generation, bool ok, struct bytes why);
/* A listener came, a role started: see whether the next step can be done. */
void reload_progress(struct ws *w);

#endif
