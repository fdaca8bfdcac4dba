#include "workspace/inlet/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/held.h"
#include "os/fd.h"
#include "proxy/flows.h"
#include "wire/guest_net.h"
#include "workspace/inlet/intercept.h"
#include "workspace/inlet/refusal.h"

/* Every address of the pool is local here, so that one listener on 0.0.0.0 takes connections to
 * all of them, and getsockname() tells which one the guest dialled. When there is no room
 * (flows, refusals, descriptors, the audit queue) all doors pause: the guest's connections wait
 * in the kernel's bounded backlog. */

struct door {
	uint16_t port; /* 0: free place */
	int fd;
	struct loop_io io;
	struct doors *doors;
};

struct doors {
	struct gate *gate;
	struct pool *pool;
	struct authority *authority;
	size_t flows_max;
	bool open;
	struct loop_timer pause;
	struct door list[DOORS_MAX];
};

static void want_all(struct doors *d, uint32_t events)
{
	for (size_t i = 0; i < DOORS_MAX; i++)
		if (d->list[i].io.loop)
			loop_io_want(&d->list[i].io, events);
}

static void on_pause_over(struct loop_timer *t)
{
	want_all(t->owner, EPOLLIN);
}

static void pause_all(struct doors *d)
{
	if (d->pause.slot ||
	    !loop_timer_arm(gate_loop(d->gate), &d->pause, DOOR_PAUSE_MS, on_pause_over, d))
		return;
	want_all(d, 0);
}

static struct ip ip_of(const struct sockaddr_in *a)
{
	return ip_v4(ntohl(a->sin_addr.s_addr));
}

/* What is wrong with a connection before its first byte; REASON_OK with name and entry filled
 * in. */
static enum reason judge(const struct doors *d, struct flow *f)
{
	enum reason reason;

	if (!ip_eq(f->src, ip_v4(NET_GUEST)))
		return REASON_SOURCE_SPOOFED;
	if (ip_eq(f->dst, ip_v4(NET_GATEWAY)))
		return f->dst_port == NET_SELF_PORT ? REASON_OK : REASON_NO_LISTENER;
	if (!pool_has(f->dst))
		return REASON_NO_ROUTE;
	if (!pool_name(d->pool, f->dst, &f->name))
		return REASON_ADDRESS_STALE;
	reason = policy_find(gate_policy(d->gate), name_bytes(&f->name), f->dst_port, &f->entry);
	/* The name was listed when it got this address: the flow is stale, not a wrong name. */
	return reason == REASON_NAME_UNLISTED ? REASON_ADDRESS_STALE : reason;
}

static void start(const struct doors *d, struct flow *f)
{
	enum reason reason = judge(d, f);

	if (reason == REASON_OK &&
	    (flows_count(gate_flows(d->gate)) - refusal_count() >= d->flows_max || !held_may_begin()))
		reason = REASON_TOO_MANY_FLOWS;
	if (reason != REASON_OK) {
		refusal_explain(f, reason, bytes_of(NULL, 0));
		return;
	}
	if (f->dst_port == NET_SELF_PORT && ip_eq(f->dst, ip_v4(NET_GATEWAY)))
		self_flow_start(f);
	else if (f->entry.mode == POLICY_HTTP)
		http_flow_start(f);
	else if (f->entry.mode == POLICY_INTERCEPT)
		intercept_flow_start(f, d->authority);
	else
		tunnel_flow_start(f);
}

/* One connection; false when there is none, or no room for one. */
static bool accept_one(struct doors *d, int listen_fd)
{
	struct sockaddr_in from = { 0 };
	struct sockaddr_in to = { 0 };
	socklen_t from_len = sizeof(from);
	socklen_t to_len = sizeof(to);
	struct flow f = { .gate = d->gate, .started_ms = loop_now_ms(gate_loop(d->gate)) };

	if (gate_busy(d->gate) || gate_noisy(d->gate, GATE_NOISE_FLOW) ||
	    refusal_count() >= REFUSALS_MAX) {
		pause_all(d);
		return false;
	}
	f.fd = accept4(listen_fd, (struct sockaddr *)&from, &from_len,
		       SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (f.fd < 0) {
		int code = errno;

		if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM)
			pause_all(d);
		return code == ECONNABORTED || code == EINTR;
	}
	if (getsockname(f.fd, (struct sockaddr *)&to, &to_len) < 0 || from.sin_family != AF_INET ||
	    to.sin_family != AF_INET) {
		(void)fd_close(f.fd);
		return true;
	}
	f.id = gate_next_flow(d->gate);
	f.src = ip_of(&from);
	f.src_port = ntohs(from.sin_port);
	f.dst = ip_of(&to);
	f.dst_port = ntohs(to.sin_port);
	start(d, &f);
	return true;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct door *door = io->owner;

	(void)events;
	for (unsigned i = 0; i < DOOR_BATCH; i++)
		if (!accept_one(door->doors, door->fd))
			break;
}

int doors_new(struct doors **ret, struct gate *g, struct pool *pool, struct authority *authority, size_t flows_max,
	      struct err *e)
{
	struct doors *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(e, ENOMEM, "out of memory for listeners");
	d->gate = g;
	d->pool = pool;
	d->authority = authority;
	d->flows_max = flows_max < FLOWS_MAX ? flows_max : FLOWS_MAX;
	*ret = d;
	return 0;
}

static void shut(struct door *door)
{
	loop_io_remove(&door->io);
	(void)fd_close(door->fd);
	*door = (struct door){ 0 };
}

struct doors *doors_free(struct doors *d)
{
	if (!d)
		return NULL;
	loop_timer_disarm(&d->pause);
	for (size_t i = 0; i < DOORS_MAX; i++)
		if (d->list[i].port)
			shut(&d->list[i]);
	free(d);
	return NULL;
}

static struct door *door_of(struct doors *d, uint16_t port)
{
	for (size_t i = 0; i < DOORS_MAX; i++)
		if (d->list[i].port == port)
			return &d->list[i];
	return NULL;
}

static int listen_now(struct door *door, struct err *e)
{
	struct doors *d = door->doors;

	return loop_io_add(gate_loop(d->gate), &door->io, door->fd, d->pause.slot ? 0 : EPOLLIN,
			   on_io, door, e);
}

int doors_add(struct doors *d, uint16_t port, int fd, struct err *e)
{
	struct door *door;

	doors_remove(d, port);
	door = port ? door_of(d, 0) : NULL;
	if (!door || fd_nonblock(fd, e) < 0) {
		(void)fd_close(fd);
		return err_set(e, EINVAL, "no place for a listener on port %u", port);
	}
	*door = (struct door){ .port = port, .fd = fd, .doors = d };
	return d->open ? listen_now(door, e) : 0;
}

void doors_remove(struct doors *d, uint16_t port)
{
	struct door *door = port ? door_of(d, port) : NULL;

	if (door)
		shut(door);
}

int doors_open(struct doors *d, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < DOORS_MAX && r == 0 && !d->open; i++)
		if (d->list[i].port)
			r = listen_now(&d->list[i], e);
	d->open = r == 0;
	return r;
}

bool doors_has(const struct doors *d, uint16_t port)
{
	for (size_t i = 0; i < DOORS_MAX; i++)
		if (port && d->list[i].port == port)
			return true;
	return false;
}
