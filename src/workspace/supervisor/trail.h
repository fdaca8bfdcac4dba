/* The workspace's audit log: events of all processes in one order, made durable together at the end of a loop turn. */
#ifndef SAW_SUPERVISOR_TRAIL_H
#define SAW_SUPERVISOR_TRAIL_H

#include "base/err.h"
#include "os/loop.h"
#include "wire/event.h"

struct ws;
struct trail;

/* Opens (makes, repairs a torn last line) the log at `path`. Negative errno with a sentence: the workspace does not start. */
int trail_new(struct trail **ret, struct ws *w, const char *path, struct err *e);
struct trail *trail_free(struct trail *t);

/* ok: on disk. Called once, from the loop, after this turn's fdatasync. */
typedef void (*trail_done_fn)(void *owner, uint64_t id, bool ok);

/* Copies `ev`. id 0: no answer is wanted. */
void trail_write(struct trail *t, const struct event *ev, uint64_t id, trail_done_fn done, void *owner);
/* The same for what nobody waits for and nothing follows from, such as the end of a flow: in the file with this turn, on disk at most a
 * tenth of a second later. */
void trail_lazily(struct trail *t, const struct event *ev);
/* An event of the supervisor itself. */
void trail_note(struct trail *t, const struct event *ev);
/* No answer goes to this owner any more. */
void trail_forget(struct trail *t, void *owner);
/* Writes what is waiting, now. */
void trail_flush(struct trail *t);
/* Label and lab marker of a policy that is about to come into force: events about it (EVENT_POLICY with its generation) get them,
 * until trail_came(). */
void trail_coming(struct trail *t, uint64_t generation, struct bytes label, bool lab);
void trail_came(struct trail *t);
/* Label and marker of the policy in force, for the events that follow; but those of the generation before keep theirs. */
void trail_policy(struct trail *t, uint64_t generation, struct bytes label, bool lab);
/* It is that of the policy in force, or of the one before: no role decides by another. */
bool trail_knows(const struct trail *t, uint64_t generation);

#endif
