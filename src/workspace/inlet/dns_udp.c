#include "workspace/inlet/dns_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "os/fd.h"
#include "wire/guest_net.h"
#include "wire/packet.h"

/* Answers go to the guest's one address, whatever source a packet claims: a question from
 * elsewhere is recorded and dropped. When there is no room the socket is not read for a moment
 * and the kernel drops what its buffer does not hold: clients ask again. Questions that come too
 * fast are read, dropped and counted, so that the next one after them does not wait. */

struct dns_udp {
	struct asker *asker;
	struct asked *open[DNS_UDP_OPEN_MAX];
	struct loop_io io;
	struct loop_timer pause;
	struct loop_timer told;
	uint64_t lost; /* dropped, and not yet reported */
	int fd;
};

static void on_pause_over(struct loop_timer *t)
{
	struct dns_udp *u = t->owner;

	loop_io_want(&u->io, EPOLLIN);
}

static struct asked **place_of(struct dns_udp *u, const struct asked *a)
{
	for (size_t i = 0; i < DNS_UDP_OPEN_MAX; i++)
		if (u->open[i] == a)
			return &u->open[i];
	return NULL;
}

static void on_done(void *owner, struct asked *a)
{
	struct dns_udp *u = owner;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(NET_GUEST),
				  .sin_port = htons(a->port) };
	struct asked **place = place_of(u, a);

	if (a->reply_len)
		(void)sendto(u->fd, a->reply, a->reply_len, MSG_DONTWAIT | MSG_NOSIGNAL,
			     (struct sockaddr *)&to, sizeof(to));
	if (place)
		*place = NULL;
	asked_free(a);
}

static void report_lost(struct dns_udp *u)
{
	const struct event ev = { .kind = EVENT_DNS,
				  .action = EVENT_DENIED,
				  .reason = REASON_DNS_TOO_FAST,
				  .count = u->lost,
				  .status = DNS_REFUSED,
				  .src = ip_v4(NET_GUEST),
				  .ip_proto = PACKET_UDP };

	if (u->lost)
		gate_note(u->asker->gate, &ev);
	u->lost = 0;
}

static void on_told(struct loop_timer *t)
{
	struct dns_udp *u = t->owner;

	if (u->lost)
		(void)loop_timer_arm(gate_loop(u->asker->gate), t, DNS_LOST_NEXT_MS, on_told, u);
	report_lost(u);
}

static void lose(struct dns_udp *u)
{
	u->lost++;
	if (!u->told.slot)
		(void)loop_timer_arm(gate_loop(u->asker->gate), &u->told, DNS_LOST_FIRST_MS, on_told,
				     u);
}

/* One datagram; false when there is none, or no room. */
static bool receive(struct dns_udp *u)
{
	uint8_t msg[DNS_ASK_MAX + 1]; /* one more: a longer question is seen to be longer */
	struct sockaddr_in from = { 0 };
	socklen_t from_len = sizeof(from);
	struct asked **place = place_of(u, NULL);
	struct ip src;
	ssize_t n;

	if (!place || !asked_room(u->asker)) {
		if (loop_timer_arm(gate_loop(u->asker->gate), &u->pause, DNS_PAUSE_MS,
				   on_pause_over, u))
			loop_io_want(&u->io, 0);
		return false;
	}
	n = recvfrom(u->fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	if (n < 0)
		return errno == EINTR;
	if (asked_too_fast(u->asker, PACKET_UDP)) {
		lose(u);
		return true;
	}
	src = ip_v4(ntohl(from.sin_addr.s_addr));
	*place = asked_start(
		u->asker, bytes_of(msg, (size_t)n), src, ntohs(from.sin_port), PACKET_UDP,
		ip_eq(src, ip_v4(NET_GUEST)) ? REASON_OK : REASON_SOURCE_SPOOFED, on_done, u);
	return true;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	(void)events;
	for (unsigned i = 0; i < DNS_UDP_BATCH; i++)
		if (!receive(io->owner))
			break;
}

int dns_udp_new(struct dns_udp **ret, struct asker *asker, int fd, struct err *e)
{
	struct dns_udp *u = calloc(1, sizeof(*u));
	int r;

	if (!u) {
		(void)fd_close(fd);
		return err_set(e, ENOMEM, "out of memory for DNS over UDP");
	}
	u->asker = asker;
	u->fd = fd;
	r = loop_io_add(gate_loop(asker->gate), &u->io, fd, EPOLLIN, on_io, u, e);
	if (r < 0) {
		dns_udp_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

struct dns_udp *dns_udp_free(struct dns_udp *u)
{
	if (!u)
		return NULL;
	report_lost(u);
	loop_timer_disarm(&u->pause);
	loop_timer_disarm(&u->told);
	loop_io_remove(&u->io);
	for (size_t i = 0; i < DNS_UDP_OPEN_MAX; i++)
		asked_free(u->open[i]);
	(void)fd_close(u->fd);
	free(u);
	return NULL;
}
