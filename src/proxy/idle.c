#include "proxy/idle.h"

#include <string.h>
#include <sys/socket.h>

#include "net/tls.h"
#include "os/fd.h"
#include "proxy/h2_host.h"

/* What was vetted when it was connected is vetted as long as the policy stands: with the policy all go. */

struct place {
	struct http_side side; /* as it was given; closed: a free place */
	struct idle_place at;
	struct loop_timer timer;
	uint64_t since;
};

static struct place places[IDLE_MAX];
static uint64_t count;

static void drop(struct place *p)
{
	loop_timer_disarm(&p->timer);
	http_side_close(&p->side);
}

static void on_time(struct loop_timer *t)
{
	drop(t->owner);
}

/* It should say nothing now; a host's session ticket is not for us, anything else is the end. */
static void on_side(void *owner, uint32_t events)
{
	struct place *p = owner;

	if ((events & (EPOLLHUP | EPOLLERR)) || !http_side_silent(&p->side))
		drop(p);
	else
		http_side_want(&p->side, true, false);
}

static struct place *free_place(void)
{
	struct place *oldest = &places[0];

	for (size_t i = 0; i < IDLE_MAX; i++) {
		if (!places[i].side.open)
			return &places[i];
		if (places[i].since < oldest->since)
			oldest = &places[i];
	}
	drop(oldest);
	return oldest;
}

void idle_put(struct http_side *s, struct loop *l, const struct idle_place *at)
{
	struct place *p = free_place();

	http_side_init(&p->side, HTTP_SIDE_READ);
	if (!http_side_move(&p->side, s, on_side, p))
		return;
	p->at = *at;
	p->since = ++count;
	if (!loop_timer_arm(l, &p->timer, IDLE_MS, on_time, p))
		drop(p);
}

static bool fits(const struct place *p, const struct idle_place *at)
{
	return p->side.open && p->at.port == at->port && bytes_eq(name_bytes(&p->at.name), name_bytes(&at->name));
}

bool idle_take(struct http_side *s, struct idle_place *at, bool now, http_side_fn fn, void *owner)
{
	for (;;) {
		struct place *best = NULL;

		for (size_t i = 0; i < IDLE_MAX; i++)
			if ((!best || places[i].since > best->since) && fits(&places[i], at))
				best = &places[i];
		if (!best)
			return false;
		if ((now || best->side.readable) && !http_side_silent(&best->side)) {
			drop(best);
			continue;
		}
		loop_timer_disarm(&best->timer);
		*at = best->at;
		return http_side_move(s, &best->side, fn, owner);
	}
}

void idle_clear(void)
{
	h2_host_retire();
	for (size_t i = 0; i < IDLE_MAX; i++)
		if (places[i].side.open)
			drop(&places[i]);
}
