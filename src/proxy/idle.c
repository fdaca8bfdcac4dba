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
	uint64_t until_ms;
	struct place *next; /* in its list */
};

static struct place places[IDLE_MAX];
static size_t n_places; /* that were ever used */
static struct place *unused;
static struct place *used; /* the youngest first */
static struct loop_timer timer; /* for the oldest, or one that was */

static void drop(struct place *p)
{
	struct place **at = &used;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->next = unused;
	unused = p;
	http_side_close(&p->side);
	if (!used)
		loop_timer_disarm(&timer);
}

static void on_time(struct loop_timer *t)
{
	struct loop *l = t->owner;
	uint64_t now = loop_now_ms(l);
	struct place *oldest = NULL;
	struct place *next;

	for (struct place *p = used; p; p = next) {
		next = p->next;
		if (p->until_ms <= now)
			drop(p);
		else
			oldest = p;
	}
	if (oldest)
		(void)loop_timer_arm(l, t, oldest->until_ms - now, on_time, l); /* where it stood a moment ago is room */
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
	struct place *p = used;

	if (!unused && n_places < IDLE_MAX)
		return &places[n_places++];
	if (!unused) {
		while (p->next)
			p = p->next;
		drop(p);
	}
	p = unused;
	unused = p->next;
	return p;
}

void idle_put(struct http_side *s, struct loop *l, const struct idle_place *at)
{
	struct place *p = free_place();

	p->next = used;
	used = p;
	p->at = *at;
	p->until_ms = loop_now_ms(l) + IDLE_MS;
	http_side_init(&p->side, HTTP_SIDE_READ);
	if (!http_side_move(&p->side, s, on_side, p) || (!timer.slot && !loop_timer_arm(l, &timer, IDLE_MS, on_time, l)))
		drop(p);
}

static bool fits(const struct place *p, const struct idle_place *at)
{
	return p->at.port == at->port && bytes_eq(name_bytes(&p->at.name), name_bytes(&at->name));
}

bool idle_take(struct http_side *s, struct idle_place *at, bool now, http_side_fn fn, void *owner)
{
	struct place *next;

	for (struct place *p = used; p; p = next) {
		bool taken;

		next = p->next;
		if (!fits(p, at))
			continue;
		if ((now || p->side.readable) && !http_side_silent(&p->side)) {
			drop(p);
			continue;
		}
		*at = p->at;
		taken = http_side_move(s, &p->side, fn, owner);
		drop(p);
		return taken;
	}
	return false;
}

void idle_clear(void)
{
	h2_host_retire();
	while (used)
		drop(used);
}
