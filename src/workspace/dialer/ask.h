/* One DNS question to the host's name servers: UDP first, TCP where it helps, the next server where it does not. */
#ifndef SAW_DIALER_ASK_H
#define SAW_DIALER_ASK_H

#include "os/loop.h"
#include "wire/dns_answer.h"
#include "wire/resolv_conf.h"

/* `a` is set for OK, NONE and NXDOMAIN only. Other results: CHAIN, and FAILED: no server gave a usable answer in its time. */
typedef void (*ask_done_fn)(void *owner, enum dns_answer_result r, const struct dns_answer *a);

/* Embed, zero-initialise. Fields are private to ask.c. */
struct ask {
	struct loop *loop; /* set while it runs */
	struct resolv_conf conf;
	struct dns_query q;
	unsigned turn; /* servers tried, over all rounds */
	unsigned n_cnames;
	unsigned n_follow; /* questions for the end of a chain that left its answer */
	bool tcp;
	int fd;
	struct loop_io io;
	struct loop_timer timer;
	struct loop_later given_up;
	uint8_t *in; /* over TCP: length and answer so far */
	size_t in_len;
	ask_done_fn done;
	void *owner;
};

/* `done` is called once, from the loop, never from inside this call. */
void ask_start(struct ask *a, struct loop *l, const struct resolv_conf *conf, const struct dns_name *name, uint16_t type,
	       ask_done_fn done, void *owner);
/* No call will come any more. Safe when nothing runs. */
void ask_cancel(struct ask *a);

#endif
