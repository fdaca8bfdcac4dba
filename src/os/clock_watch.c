#include "os/clock_watch.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "os/fd.h"

/* A timer that is never due: all it is for is to be told off (timerfd_create(2), ECANCELED). It stands as it was after that. */

#define NEVER_S ((time_t)9000000000) /* in the year 2255: within what the kernel can count */

static void on_io(struct loop_io *io, uint32_t events)
{
	struct clock_watch *w = io->owner;
	uint64_t n;

	(void)events;
	if (read(io->fd, &n, sizeof(n)) < 0 && errno == ECANCELED)
		w->fn(w->owner);
}

int clock_watch_start(struct clock_watch *w, struct loop *l, clock_watch_fn fn, void *owner, struct err *e)
{
	const struct itimerspec never = { .it_value = { .tv_sec = NEVER_S } };
	FD_AUTO int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int r;

	if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0)
		return err_sys(e, errno, "watch the system's clock");
	w->fn = fn;
	w->owner = owner;
	r = loop_io_add(l, &w->io, fd, EPOLLIN, on_io, w, e);
	if (r == 0)
		(void)fd_take(&fd);
	return r;
}

void clock_watch_stop(struct clock_watch *w)
{
	if (!w->io.loop)
		return;
	loop_io_remove(&w->io);
	w->io.fd = fd_close(w->io.fd);
}
