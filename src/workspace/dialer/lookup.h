/* All addresses of a name, of both families at once. */
#ifndef SAW_DIALER_LOOKUP_H
#define SAW_DIALER_LOOKUP_H

#include "rules/reason.h"
#include "workspace/dialer/ask.h"

enum {
	LOOKUP_MS = 20000, /* for everything */
	LOOKUP_OTHER_MS = 50, /* for the other family once one gave what is needed (RFC 8305 3) */
};

struct lookup_family {
	bool done;
	enum dns_answer_result result;
	unsigned n;
	struct ip ips[DNS_ADDRESSES_MAX];
};

/* Embed, zero-initialise. */
struct lookup {
	struct loop *loop;
	struct lookup_family v6;
	struct lookup_family v4;
	struct ask ask6;
	struct ask ask4;
	struct loop_timer other;
	struct loop_timer late;
	/* The addresses of `f` are enough to go on without the other family's. */
	bool (*enough)(void *owner, const struct lookup_family *f);
	/* REASON_OK: there are addresses in v6 or v4. Else RESOLVE_NONE, RESOLVE_FAILED or CNAME_CHAIN. */
	void (*done)(void *owner, enum reason r);
	void *owner;
};

/* `done` is called once, from the loop, never from inside this call. False when out of memory (then it is not called). */
bool lookup_start(struct lookup *k, struct loop *l, const struct resolv_conf *conf, struct bytes name,
		  bool (*enough)(void *owner, const struct lookup_family *f), void (*done)(void *owner, enum reason r), void *owner);
void lookup_cancel(struct lookup *k);

#endif
