/* Whether a process behind a channel still serves: its parent asks now and then, and misses the answers of one that hangs. */
#ifndef SAW_IPC_PULSE_H
#define SAW_IPC_PULSE_H

#include "ipc/chan.h"

enum { PULSE_MS = 4000, PULSE_MISSED_MAX = 4 /* a process that serves nothing for this many turns hangs: found within 20 s */ };

struct pulse;
typedef void (*pulse_fn)(struct pulse *p);

/* Fields are private but for `owner`. Zero-initialise. */
struct pulse {
	struct loop *loop;
	struct chan *chan;
	struct loop_timer timer;
	unsigned unanswered; /* turns without an answer, the latest ones */
	uint64_t owed; /* answers that may still come: who was slow answers all that it was asked */
	pulse_fn fn;
	void *owner;
};

/* Asks by `c` from now on, until `fn` is called (once) or pulse_stop(). A turn of ours that comes late counts as one: where the whole machine
 * stood still nobody hangs. False: out of memory. */
bool pulse_start(struct pulse *p, struct loop *l, struct chan *c, pulse_fn fn, void *owner);
/* Before the channel is freed; safe when it is not started. */
void pulse_stop(struct pulse *p);
/* MSG_PONG came. False: nobody asked. */
bool pulse_heard(struct pulse *p);

/* MSG_PING came from `parent`. */
void pulse_answer(struct chan *parent);

#endif
