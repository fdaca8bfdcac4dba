#include "os/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "os/fd.h"

/* The kernel knows an io by its descriptor, so that the one who watches can change without it. An io may be removed by an earlier
 * callback of the same turn, while its event already lies in `batch`. Removal therefore clears it there; nothing is
 * delivered to memory that may be gone, or to the next owner of the number. Timers stand in a
 * binary heap by time; `slot` lets one be moved or removed without a search. */

enum { LOOP_BATCH = 128, TIMERS_FIRST = 32, IOS_FIRST = 64, CLEARED = -1 };

struct loop {
	int fd;
	bool stopped;
	int code;
	uint64_t now_ms;
	struct loop_io **ios; /* by descriptor */
	size_t n_ios;
	struct loop_timer **heap;
	size_t n_heap;
	size_t cap_heap;
	struct loop_later *later_first;
	struct loop_later **later_tail;
	struct epoll_event batch[LOOP_BATCH];
	int n_batch;
	bool saw_all; /* of this turn: the kernel told of all */
	uint64_t turn;
};

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

uint64_t clock_real_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

uint64_t clock_boot_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(e, ENOMEM, "out of memory for an event loop");
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0) {
		int code = errno;

		free(l);
		return err_sys(e, code, "create an event loop");
	}
	l->later_tail = &l->later_first;
	l->now_ms = clock_mono_ms();
	*ret = l;
	return 0;
}

struct loop *loop_free(struct loop *l)
{
	if (l) {
		(void)fd_close(l->fd);
		free(l->heap);
		free(l->ios);
		free(l);
	}
	return NULL;
}

static int room_for(struct loop *l, int fd, struct err *e)
{
	size_t n = l->n_ios ? l->n_ios : IOS_FIRST;
	struct loop_io **ios;

	while (n <= (size_t)fd)
		n *= 2;
	if (n == l->n_ios)
		return 0;
	ios = reallocarray(l->ios, n, sizeof(struct loop_io *));
	if (!ios)
		return err_set(e, ENOMEM, "out of memory to watch descriptor %d", fd);
	memset(ios + l->n_ios, 0, (n - l->n_ios) * sizeof(struct loop_io *));
	l->ios = ios;
	l->n_ios = n;
	return 0;
}

int loop_io_add(struct loop *l, struct loop_io *io, int fd, uint32_t events, loop_io_fn fn, void *owner,
		struct err *e)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	int r;

	must(!io->loop);
	if (fd < 0)
		return err_sys(e, EBADF, "watch descriptor %d", fd);
	r = room_for(l, fd, e);
	if (r < 0)
		return r;
	if (epoll_ctl(l->fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_sys(e, errno, "watch descriptor %d", fd);
	l->ios[fd] = io;
	*io = (struct loop_io){ .fn = fn, .owner = owner, .fd = fd, .events = events, .armed = events, .since = l->turn, .loop = l };
	return 0;
}

static void arm(struct loop_io *io)
{
	struct epoll_event ev = { .events = io->events, .data.fd = io->fd };

	must(epoll_ctl(io->loop->fd, EPOLL_CTL_MOD, io->fd, &ev) == 0);
	io->armed = io->events;
	io->since = io->loop->turn;
}

/* EPOLLIN is given up only when an event comes that nobody wants: on a connection that asks and waits for the answer, none does. */
void loop_io_want(struct loop_io *io, uint32_t events)
{
	must(io->loop);
	io->events = events;
	if (io->armed != events && io->armed != (events | EPOLLIN))
		arm(io);
}

static void clear_batch(struct loop *l, int fd)
{
	for (int i = 0; i < l->n_batch; i++)
		if (l->batch[i].data.fd == fd)
			l->batch[i].data.fd = CLEARED;
}

void loop_io_move(struct loop_io *to, struct loop_io *from, loop_io_fn fn, void *owner)
{
	struct loop *l = from->loop;

	must(l && !to->loop);
	*to = *from;
	to->fn = fn;
	to->owner = owner;
	to->since = l->turn;
	l->ios[to->fd] = to;
	clear_batch(l, to->fd); /* the kernel tells it again, to the new one */
	*from = (struct loop_io){ .fd = from->fd };
}

void loop_io_remove(struct loop_io *io)
{
	struct loop *l = io->loop;

	if (!l)
		return;
	if (l->ios[io->fd] == io) { /* else it was closed, and the number has another owner */
		(void)epoll_ctl(l->fd, EPOLL_CTL_DEL, io->fd, NULL);
		l->ios[io->fd] = NULL;
		clear_batch(l, io->fd);
	}
	io->loop = NULL;
	io->events = 0;
	io->armed = 0;
}

static void deliver(struct loop_io *io, uint32_t events)
{
	if ((events & EPOLLIN) && !(io->events & EPOLLIN)) {
		arm(io);
		events &= ~(uint32_t)EPOLLIN;
	}
	if (events)
		io->fn(io, events);
}

static void deliver_batch(struct loop *l, unsigned rank)
{
	for (int i = 0; i < l->n_batch; i++) {
		struct epoll_event *ev = &l->batch[i];
		struct loop_io *io = ev->data.fd == CLEARED ? NULL : l->ios[ev->data.fd];

		if (!io || io->rank != rank)
			continue;
		ev->data.fd = CLEARED;
		deliver(io, ev->events);
	}
}

void loop_io_rank(struct loop_io *io, unsigned rank)
{
	must(rank <= LOOP_RANK_MAX);
	io->rank = rank;
}

bool loop_io_heard(const struct loop_io *io)
{
	return io->loop && io->loop->saw_all && io->since != io->loop->turn && (io->events & io->armed & EPOLLIN);
}

static void heap_put(struct loop *l, size_t at, struct loop_timer *t)
{
	l->heap[at] = t;
	t->slot = at + 1;
}

static void heap_settle(struct loop *l, size_t at, struct loop_timer *t)
{
	while (at > 0 && l->heap[(at - 1) / 2]->at_ms > t->at_ms) {
		heap_put(l, at, l->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < l->n_heap && l->heap[child + 1]->at_ms < l->heap[child]->at_ms)
			child++;
		if (child >= l->n_heap || l->heap[child]->at_ms >= t->at_ms)
			break;
		heap_put(l, at, l->heap[child]);
		at = child;
	}
	heap_put(l, at, t);
}

bool loop_timer_arm(struct loop *l, struct loop_timer *t, uint64_t in_ms, loop_timer_fn fn, void *owner)
{
	t->fn = fn;
	t->owner = owner;
	t->loop = l;
	t->due_ms = l->now_ms + in_ms;
	if (t->slot && t->at_ms <= t->due_ms) /* most are put off again and again: its place is found when its old time has come */
		return true;
	t->at_ms = t->due_ms;
	if (t->slot) {
		heap_settle(l, t->slot - 1, t);
		return true;
	}
	if (l->n_heap == l->cap_heap) {
		size_t cap = l->cap_heap ? l->cap_heap * 2 : TIMERS_FIRST;
		struct loop_timer **heap = reallocarray(l->heap, cap, sizeof(struct loop_timer *));

		if (!heap)
			return false;
		l->heap = heap;
		l->cap_heap = cap;
	}
	l->n_heap++;
	heap_settle(l, l->n_heap - 1, t);
	return true;
}

void loop_timer_disarm(struct loop_timer *t)
{
	struct loop *l = t->loop;
	struct loop_timer *last;
	size_t at;

	if (!t->slot)
		return;
	at = t->slot - 1;
	t->slot = 0;
	last = l->heap[--l->n_heap];
	if (last != t)
		heap_settle(l, at, last);
}

void loop_later(struct loop *l, struct loop_later *later, loop_later_fn fn, void *owner)
{
	if (later->loop)
		return;
	*later = (struct loop_later){ .fn = fn, .owner = owner, .loop = l };
	*l->later_tail = later;
	l->later_tail = &later->next;
}

void loop_later_cancel(struct loop_later *later)
{
	struct loop *l = later->loop;
	struct loop_later **at;

	if (!l)
		return;
	for (at = &l->later_first; *at != later; at = &(*at)->next)
		must(*at);
	*at = later->next;
	if (l->later_tail == &later->next)
		l->later_tail = at;
	later->loop = NULL;
}

uint64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

static void run_timers(struct loop *l)
{
	while (l->n_heap && l->heap[0]->at_ms <= l->now_ms && !l->stopped) {
		struct loop_timer *t = l->heap[0];

		if (t->due_ms > l->now_ms) {
			t->at_ms = t->due_ms;
			heap_settle(l, 0, t);
			continue;
		}
		loop_timer_disarm(t);
		t->fn(t);
	}
}

static void run_later(struct loop *l)
{
	while (l->later_first) {
		struct loop_later *later = l->later_first;

		l->later_first = later->next;
		if (!l->later_first)
			l->later_tail = &l->later_first;
		later->loop = NULL;
		later->next = NULL;
		later->fn(later);
	}
}

static int wait_of(const struct loop *l, int wait_ms)
{
	uint64_t now = clock_mono_ms();
	uint64_t in;

	if (l->later_first)
		return 0;
	if (!l->n_heap)
		return wait_ms;
	in = l->heap[0]->at_ms > now ? l->heap[0]->at_ms - now : 0;
	if (in > 60000)
		in = 60000;
	return wait_ms >= 0 && (uint64_t)wait_ms < in ? wait_ms : (int)in;
}

int loop_turn(struct loop *l, int wait_ms, struct err *e)
{
	int n = epoll_wait(l->fd, l->batch, LOOP_BATCH, wait_of(l, wait_ms));

	if (n < 0 && errno != EINTR)
		return err_sys(e, errno, "wait for events");
	l->now_ms = clock_mono_ms();
	l->n_batch = n > 0 ? n : 0;
	l->saw_all = n >= 0 && n < LOOP_BATCH;
	l->turn++;
	for (unsigned rank = 0; rank <= LOOP_RANK_MAX; rank++)
		deliver_batch(l, rank);
	l->n_batch = 0;
	run_timers(l);
	run_later(l);
	return 0;
}

int loop_run(struct loop *l, struct err *e)
{
	l->stopped = false;
	while (!l->stopped) {
		int r = loop_turn(l, -1, e);

		if (r < 0)
			return r;
	}
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->stopped = true;
	l->code = code;
}
