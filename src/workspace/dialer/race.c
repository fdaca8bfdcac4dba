#include "workspace/dialer/race.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"
#include "os/fd.h"
#include "workspace/dialer/sock.h"

enum { ORDER_MAX = 64 };

static unsigned pick(const struct ip *ips, unsigned n, const bool *routable, bool want_routable, uint8_t family, struct ip *ret)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		if (routable[i] == want_routable && ips[i].family == family)
			ret[k++] = ips[i];
	return k;
}

void race_order(struct ip *ips, unsigned n)
{
	bool routable[ORDER_MAX];
	struct ip v6[ORDER_MAX];
	struct ip v4[ORDER_MAX];
	struct ip out[ORDER_MAX] = { 0 };
	unsigned k = 0;

	must(n <= ORDER_MAX);
	for (unsigned i = 0; i < n; i++)
		routable[i] = sock_routable(ips[i]);
	for (int turn = 1; turn >= 0; turn--) {
		unsigned n6 = pick(ips, n, routable, turn, 6, v6);
		unsigned n4 = pick(ips, n, routable, turn, 4, v4);

		for (unsigned i = 0; i < n6 || i < n4; i++) {
			if (i < n6)
				out[k++] = v6[i];
			if (i < n4)
				out[k++] = v4[i];
		}
	}
	memcpy(ips, out, n * sizeof(ips[0]));
}

static void stop_try(struct race_try *t)
{
	loop_io_remove(&t->io);
	t->fd = fd_close(t->fd);
}

void race_cancel(struct race *r)
{
	if (!r->loop)
		return;
	for (unsigned i = 0; i < r->n_started; i++)
		stop_try(&r->tries[i]);
	loop_timer_disarm(&r->next);
	loop_timer_disarm(&r->late);
	loop_later_cancel(&r->lost);
	r->loop = NULL;
}

static void on_lost(struct loop_later *l)
{
	struct race *r = l->owner;

	race_cancel(r);
	r->done(r->owner, -1, (struct ip){ 0 }, r->code);
}

static void on_late(struct loop_timer *t)
{
	struct race *r = t->owner;

	race_cancel(r);
	r->done(r->owner, -1, (struct ip){ 0 }, ETIMEDOUT);
}

static void on_connected(struct loop_io *io, uint32_t events);
static void on_next(struct loop_timer *t);

static bool start_try(struct race *r)
{
	struct race_try *t = &r->tries[r->n_started++];
	int fd = sock_connect(SOCK_STREAM, t->ip, r->port);

	t->fd = fd < 0 ? -1 : fd;
	if (fd >= 0 && loop_io_add(r->loop, &t->io, fd, EPOLLOUT, on_connected, t, NULL) == 0)
		return true;
	r->code = fd < 0 ? -fd : ENOMEM;
	r->n_lost++;
	stop_try(t);
	return false;
}

/* Starts attempts until one is under way; gives up when all are lost. */
static void go_on(struct race *r)
{
	while (r->n_started < r->n)
		if (start_try(r))
			break;
	if (r->n_lost == r->n)
		loop_later(r->loop, &r->lost, on_lost, r);
	else if (r->n_started < r->n && !loop_timer_arm(r->loop, &r->next, RACE_STAGGER_MS, on_next, r))
		r->n = r->n_started;
}

static void on_next(struct loop_timer *t)
{
	go_on(t->owner);
}

static void on_connected(struct loop_io *io, uint32_t events)
{
	struct race_try *t = io->owner;
	struct race *r = t->race;
	int code = sock_error(t->fd);
	int fd;

	(void)events;
	if (code) {
		stop_try(t);
		r->code = code;
		r->n_lost++;
		go_on(r);
		return;
	}
	loop_io_remove(&t->io);
	fd = fd_take(&t->fd);
	sock_tune(fd);
	race_cancel(r);
	r->done(r->owner, fd, t->ip, 0);
}

void race_start(struct race *r, struct loop *l, const struct ip *ips, unsigned n, uint16_t port,
		void (*done)(void *owner, int fd, struct ip ip, int code), void *owner)
{
	must(n > 0 && n <= RACE_MAX);
	*r = (struct race){ .loop = l, .n = n, .port = port, .code = ETIMEDOUT, .done = done, .owner = owner };
	for (unsigned i = 0; i < n; i++)
		r->tries[i] = (struct race_try){ .race = r, .ip = ips[i], .fd = -1 };
	if (!loop_timer_arm(l, &r->late, RACE_MS, on_late, r)) {
		r->code = ENOMEM;
		loop_later(l, &r->lost, on_lost, r);
		return;
	}
	go_on(r);
}
