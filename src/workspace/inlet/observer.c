#include "workspace/inlet/observer.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/must.h"
#include "os/fd.h"
#include "workspace/inlet/sightings.h"

/* Frames are read, judged (sightings.h) and forgotten. A guest that sends a flood makes at most
 * a batch of work in each pause, and the events that come of it are bounded by the tables of
 * sightings. */

struct observer {
	struct gate *gate;
	const struct pool *pool;
	const struct doors *doors;
	struct sightings_world world;
	struct sightings *sightings;
	int fd;
	struct loop_io io;
	struct loop_timer due;
	struct loop_timer pause;
};

static bool has_port(const void *owner, uint16_t port)
{
	const struct observer *o = owner;

	return doors_has(o->doors, port);
}

static bool name_of(const void *owner, struct ip address, struct name *ret)
{
	const struct observer *o = owner;

	return pool_name(o->pool, address, ret);
}

static enum reason port_of(const void *owner, const struct name *n, uint16_t port)
{
	const struct observer *o = owner;
	struct policy_entry entry;

	must(gate_has_policy(o->gate));
	return policy_find(gate_policy(o->gate), name_bytes(n), port, &entry);
}

static void report(void *owner, const struct sighting *s, uint64_t count)
{
	struct observer *o = owner;
	struct event ev = {
		.kind = EVENT_FLOW,
		.action = EVENT_DENIED,
		.reason = (uint16_t)s->reason,
		.flow = s->one_by_one ? gate_next_flow(o->gate) : 0,
		.count = count,
		.src = s->src,
		.dst = s->dst,
		.src_port = s->src_port,
		.dst_port = s->dst_port,
		.ip_proto = s->proto,
		.name = name_bytes(&s->name),
	};

	if (!s->ethertype && !s->dst.family)
		ev.detail = bytes_str("more destinations than are counted apart");
	gate_note(o->gate, &ev);
}

static bool tagged(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			struct tpacket_auxdata aux;

			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
			return (aux.tp_status & TP_STATUS_VLAN_VALID) != 0;
		}
	return false;
}

static void on_due(struct loop_timer *t)
{
	struct observer *o = t->owner;
	uint64_t now = loop_now_ms(gate_loop(o->gate));
	uint64_t next = sightings_tick(o->sightings, now);

	if (next)
		(void)loop_timer_arm(gate_loop(o->gate), t, next - now, on_due, o);
}

static void see(struct observer *o, struct bytes frame, bool astray)
{
	uint64_t now = loop_now_ms(gate_loop(o->gate));
	struct packet p;
	struct sighting s;

	if (!packet_read(frame, &p) || !sighting_judge(&p, astray, &o->world, &s))
		return;
	sightings_add(o->sightings, &s, now);
	/* A new kind is due sooner than those that have been counted for long. */
	if (!o->due.slot || o->due.at_ms > now + SIGHTINGS_FIRST_MS)
		(void)loop_timer_arm(gate_loop(o->gate), &o->due, SIGHTINGS_FIRST_MS, on_due, o);
}

static bool receive(struct observer *o)
{
	uint8_t frame[PACKET_READ_MAX];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct sockaddr_ll from = { 0 };
	struct iovec iov = { .iov_base = frame, .iov_len = sizeof(frame) };
	struct msghdr h = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.space,
			    .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(o->fd, &h, MSG_DONTWAIT);

	if (n >= 0)
		see(o, bytes_of(frame, (size_t)n), tagged(&h) || from.sll_pkttype == PACKET_OTHERHOST);
	/* ENETDOWN is told once when the guest's link goes down and comes back with it. */
	return n >= 0 || errno == EINTR || errno == ENETDOWN;
}

static void on_pause_over(struct loop_timer *t)
{
	struct observer *o = t->owner;

	loop_io_want(&o->io, EPOLLIN);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct observer *o = io->owner;
	unsigned n = 0;

	(void)events;
	while (!gate_busy(o->gate) && n < OBSERVER_BATCH && receive(o))
		n++;
	if ((n == OBSERVER_BATCH || gate_busy(o->gate)) &&
	    loop_timer_arm(gate_loop(o->gate), &o->pause, OBSERVER_PAUSE_MS, on_pause_over, o))
		loop_io_want(&o->io, 0);
}

int observer_new(struct observer **ret, struct gate *g, const struct pool *pool,
		 const struct doors *doors, struct bytes mac, int fd, struct err *e)
{
	struct observer *o = calloc(1, sizeof(*o));
	int r;

	if (!o || !(o->sightings = sightings_new(report, o))) {
		free(o);
		(void)fd_close(fd);
		return err_set(e, ENOMEM, "out of memory for the observer");
	}
	o->gate = g;
	o->pool = pool;
	o->doors = doors;
	o->fd = fd;
	o->world = (struct sightings_world){ .has_mac = mac.len == 6,
					     .owner = o,
					     .has_port = has_port,
					     .name_of = name_of,
					     .port_of = port_of };
	if (o->world.has_mac)
		memcpy(o->world.mac, mac.p, 6);
	r = loop_io_add(gate_loop(g), &o->io, fd, EPOLLIN, on_io, o, e);
	if (r < 0) {
		observer_free(o);
		return r;
	}
	*ret = o;
	return 0;
}

struct observer *observer_free(struct observer *o)
{
	if (!o)
		return NULL;
	sightings_flush(o->sightings);
	loop_timer_disarm(&o->due);
	loop_timer_disarm(&o->pause);
	loop_io_remove(&o->io);
	(void)fd_close(o->fd);
	sightings_free(o->sightings);
	free(o);
	return NULL;
}
