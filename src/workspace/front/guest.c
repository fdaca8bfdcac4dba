#include "workspace/front/guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/fd.h"
#include "wire/guest_net.h"

struct attempt {
	struct guest *guest;
	struct loop_io io;
	struct loop_timer timer;
	uint64_t id;
	int fd;
	int code; /* errno that ends it at once; 0: under way */
	bool used;
};

struct guest {
	struct loop *loop;
	guest_done_fn done;
	void *owner;
	struct attempt attempts[GUEST_CONNECTS_MAX];
};

static void finish(struct attempt *a, int code)
{
	struct guest *g = a->guest;
	int fd = code == 0 ? fd_take(&a->fd) : -1;

	loop_io_remove(&a->io);
	loop_timer_disarm(&a->timer);
	a->fd = fd_close(a->fd);
	a->used = false;
	g->done(g->owner, a->id, fd, code == 0 ? "" : strerrordesc_np(code));
}

static void on_connected(struct loop_io *io, uint32_t events)
{
	struct attempt *a = io->owner;
	int code = 0;
	socklen_t len = sizeof(code);

	(void)events;
	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		code = errno;
	finish(a, code);
}

static void on_timer(struct loop_timer *t)
{
	struct attempt *a = t->owner;

	finish(a, a->code ? a->code : ETIMEDOUT);
}

static int start(struct attempt *a, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(NET_GUEST) };

	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd < 0)
		return errno;
	if (connect(a->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		return errno;
	return loop_io_add(a->guest->loop, &a->io, a->fd, EPOLLOUT, on_connected, a, NULL) < 0 ? ENOMEM : 0;
}

void guest_connect(struct guest *g, uint64_t id, uint16_t port)
{
	struct attempt *a = NULL;

	for (size_t i = 0; i < GUEST_CONNECTS_MAX && !a; i++)
		if (!g->attempts[i].used)
			a = &g->attempts[i];
	if (!a) {
		g->done(g->owner, id, -1, "too many connections to the guest at once");
		return;
	}
	*a = (struct attempt){ .guest = g, .id = id, .fd = -1, .used = true };
	a->code = start(a, port);
	/* An error at once still answers from the loop, so that the caller never sees an answer before it asked. */
	if (!loop_timer_arm(g->loop, &a->timer, a->code ? 0 : GUEST_CONNECT_MS, on_timer, a))
		finish(a, ENOMEM);
}

int guest_new(struct guest **ret, struct loop *l, guest_done_fn done, void *owner, struct err *e)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(e, ENOMEM, "out of memory");
	g->loop = l;
	g->done = done;
	g->owner = owner;
	*ret = g;
	return 0;
}

struct guest *guest_free(struct guest *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < GUEST_CONNECTS_MAX; i++) {
		loop_io_remove(&g->attempts[i].io);
		loop_timer_disarm(&g->attempts[i].timer);
		if (g->attempts[i].used)
			(void)fd_close(g->attempts[i].fd);
	}
	free(g);
	return NULL;
}
