/* A judged DNS question that waits until its event is on disk; only then its answer may leave. */
#ifndef SAW_INLET_ASKED_H
#define SAW_INLET_ASKED_H

#include "proxy/gate_main.h"
#include "workspace/inlet/question.h"

/* What questions have in common. Borrowed by each. */
struct asker {
	struct gate *gate;
	struct pool *pool;
};

struct asked {
	struct gate_wait wait;
	size_t reply_len; /* 0: say nothing */
	size_t failed_len;
	uint8_t reply[DNS_REPLY_MAX];
	void (*done)(void *owner, struct asked *a);
	void *owner;
	uint16_t port; /* the client's: where an answer by UDP goes */
};

/* Room for another one: the queue of events drains. */
bool asked_room(const struct asker *r);
/* The guest asks faster by `proto` than may be recorded one by one. */
bool asked_too_fast(const struct asker *r, uint8_t proto);

/* Judges `msg` and reports it; NULL when out of memory (then nothing was reported and nothing
 * may be answered). `done` is called from the loop and owns the result: it calls asked_free().
 * `proto`: 6 or 17. `bad` other than REASON_OK: not judged, not answered, recorded with that
 * reason. */
struct asked *asked_start(struct asker *r, struct bytes msg, struct ip src, uint16_t port,
			  uint8_t proto, enum reason bad,
			  void (*done)(void *owner, struct asked *a), void *owner);
/* Also cancels: the event stays written, the answer goes nowhere. */
struct asked *asked_free(struct asked *a);

#endif
