#include "proxy/gate_main.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "wire/packet.h"

/* The gate of an outlet whose dialer is the test. */

static struct {
	struct loop *loop;
	struct chan *dialer;
	struct gate *gate;
	unsigned n_dials;
	unsigned n_cancels;
	bool gone;
} rig;

struct asked {
	struct gate_wait wait;
	unsigned n;
	int fd;
	enum reason reason;
};

static bool on_dial(void *owner, struct msg_in *in)
{
	(void)owner;
	(void)msg_get_u64(in);
	(void)msg_get_bytes(in, NAME_MAX_LEN);
	(void)msg_get_u64(in);
	(void)msg_get_u64(in);
	rig.n_dials++;
	return msg_end(in);
}

static bool on_cancel(void *owner, struct msg_in *in)
{
	(void)owner;
	(void)msg_get_u64(in);
	rig.n_cancels++;
	return msg_end(in);
}

static void on_end(void *owner, const char *why)
{
	(void)owner;
	(void)why;
	rig.gone = true;
}

static bool no_secret(void *owner, struct bytes id, struct bytes *ret_value, uint64_t *ret_version)
{
	(void)owner;
	(void)id;
	(void)ret_value;
	(void)ret_version;
	return false;
}

static void begin(void)
{
	static const struct chan_permit permits[] = { { MSG_DIAL, on_dial }, { MSG_DIAL_CANCEL, on_cancel } };
	static const struct gate_who who;
	int pair[2];

	memset(&rig, 0, sizeof(rig));
	must(loop_new(&rig.loop, NULL) == 0 && chan_pair(pair, NULL) == 0);
	must(chan_new(&rig.dialer, rig.loop, pair[0], permits, 2, on_end, NULL, NULL) == 0);
	must(gate_new(&rig.gate, rig.loop, &who, NULL) == 0);
	gate_set_outlet(rig.gate, no_secret, NULL);
	must(gate_set_peer(rig.gate, GATE_DIALER, pair[1], NULL) == 0);
}

static void settle(void)
{
	for (int i = 0; i < 4; i++)
		must(loop_turn(rig.loop, 0, NULL) == 0);
}

static void end(void)
{
	rig.gate = gate_free(rig.gate);
	rig.dialer = chan_free(rig.dialer);
	rig.loop = loop_free(rig.loop);
}

static void on_answer(void *owner, int fd, struct ip ip, enum reason reason)
{
	struct asked *a = owner;

	(void)ip;
	a->n++;
	a->fd = fd;
	a->reason = reason;
}

static void dial(struct asked *a, uint64_t flow, const char *name)
{
	*a = (struct asked){ .fd = -1 };
	gate_dial(rig.gate, &a->wait, flow, bytes_str(name), 443, on_answer, a);
	settle();
}

/* A connection; gives the other end of it. */
static int answer(uint64_t flow)
{
	static struct msg out;
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	msg_start(&out, MSG_DIALED);
	msg_u64(&out, flow);
	msg_bytes(&out, bytes_of("\x7f\0\0\1", 4));
	msg_fd(&out, pair[0]);
	chan_send(rig.dialer, &out);
	(void)fd_close(pair[0]);
	settle();
	return pair[1];
}

static bool is_closed(int fd)
{
	char c;

	return read(fd, &c, 1) == 0;
}

/* Flow ids are inlet's. */
TEST(a_connection_that_was_dialled_for_one_name_is_never_given_to_another_dial_of_the_same_flow)
{
	struct asked first, second, third;
	int fd;

	begin();
	dial(&first, 5, "a.example");
	gate_wait_cancel(&first.wait);
	dial(&second, 5, "b.example");
	fd = answer(5);
	CHECK(first.n == 0 && second.n == 1 && second.fd == -1 && second.reason == REASON_ROLE_DOWN);
	CHECK(is_closed(fd));
	(void)fd_close(fd);
	dial(&third, 5, "b.example");
	fd = answer(5);
	CHECK(third.n == 1 && third.fd >= 0 && third.reason == REASON_OK);
	(void)fd_close(third.fd);
	(void)fd_close(fd);
	end();
}

TEST(two_dials_of_one_flow_at_a_time_do_not_reach_dialer)
{
	struct asked first, second;
	int fd;

	begin();
	dial(&first, 5, "a.example");
	dial(&second, 5, "b.example");
	CHECK_INT(rig.n_dials, 1);
	CHECK(second.n == 1 && second.reason == REASON_ROLE_DOWN);
	fd = answer(5);
	CHECK(first.n == 1 && first.fd >= 0);
	(void)fd_close(first.fd);
	(void)fd_close(fd);
	end();
}

TEST(what_was_cancelled_is_forgotten_with_its_dialer)
{
	struct asked first, second;
	int pair[2];

	begin();
	dial(&first, 5, "a.example");
	gate_wait_cancel(&first.wait);
	must(chan_pair(pair, NULL) == 0);
	must(gate_set_peer(rig.gate, GATE_DIALER, pair[1], NULL) == 0);
	settle();
	dial(&second, 5, "b.example");
	CHECK(first.n == 0 && second.n == 0);
	gate_wait_cancel(&second.wait);
	(void)fd_close(pair[0]);
	end();
}

static unsigned n_lost;
static uint64_t lost_way;

static bool on_lost(void *owner, struct msg_in *in)
{
	(void)owner;
	lost_way = msg_get_u64(in);
	n_lost++;
	return msg_end(in);
}

TEST(the_supervisor_hears_of_a_peer_that_was_lost_and_not_of_one_that_it_replaced)
{
	static const struct chan_permit permits[] = { { MSG_PEER_LOST, on_lost } };
	struct chan *ours, *supervisor;
	int parent[2], pair[2];

	begin();
	n_lost = 0;
	lost_way = GATE_WAYS;
	must(chan_pair(parent, NULL) == 0 && chan_pair(pair, NULL) == 0);
	must(chan_new(&ours, rig.loop, parent[0], NULL, 0, on_end, NULL, NULL) == 0);
	must(chan_new(&supervisor, rig.loop, parent[1], permits, 1, on_end, NULL, NULL) == 0);
	gate_set_parent(rig.gate, ours);
	must(gate_set_peer(rig.gate, GATE_DIALER, pair[1], NULL) == 0);
	settle();
	CHECK_INT(n_lost, 0);
	(void)fd_close(pair[0]);
	settle();
	CHECK(n_lost == 1 && lost_way == GATE_DIALER);
	rig.gate = gate_free(rig.gate);
	chan_free(ours);
	chan_free(supervisor);
	end();
}

TEST(more_dials_than_dialer_takes_wait_for_their_turn_and_those_given_up_meanwhile_are_asked_of_nobody)
{
	static struct asked many[GATE_DIALS_MAX + 3];
	int fd;

	begin();
	for (unsigned i = 0; i < GATE_DIALS_MAX + 3; i++)
		dial(&many[i], 1 + i, "a.example");
	CHECK_INT(rig.n_dials, GATE_DIALS_MAX);
	gate_wait_cancel(&many[GATE_DIALS_MAX].wait);
	gate_wait_cancel(&many[0].wait); /* of an outlet: still with dialer */
	settle();
	CHECK_INT(rig.n_dials, GATE_DIALS_MAX);
	fd = answer(1);
	CHECK(many[0].n == 0 && is_closed(fd));
	(void)fd_close(fd);
	CHECK_INT(rig.n_dials, GATE_DIALS_MAX + 1);
	fd = answer(GATE_DIALS_MAX + 1); /* given up: not its turn's */
	CHECK(many[GATE_DIALS_MAX].n == 0 && is_closed(fd));
	(void)fd_close(fd);
	fd = answer(GATE_DIALS_MAX + 2);
	CHECK(many[GATE_DIALS_MAX + 1].n == 1 && many[GATE_DIALS_MAX + 1].reason == REASON_OK);
	(void)fd_close(many[GATE_DIALS_MAX + 1].fd);
	(void)fd_close(fd);
	CHECK_INT(rig.n_dials, GATE_DIALS_MAX + 2);
	for (unsigned i = 0; i < GATE_DIALS_MAX + 3; i++)
		gate_wait_cancel(&many[i].wait);
	CHECK_INT(rig.n_cancels, 0);
	end();
}

/* A3: what waits at TCP may fill its own measure, not that of UDP, whose questions would be lost. */
TEST(questions_by_tcp_make_no_noise_for_those_by_udp)
{
	struct event ev = { .kind = EVENT_DNS, .action = EVENT_DENIED, .reason = REASON_NAME_UNLISTED, .ip_proto = PACKET_TCP };
	struct chan *parent = NULL;
	int pair[2];

	begin();
	must(chan_pair(pair, NULL) == 0 && chan_new(&parent, rig.loop, pair[0], NULL, 0, on_end, NULL, NULL) == 0);
	gate_set_parent(rig.gate, parent);
	for (unsigned i = 0; i < NOISE_BURST + 300; i++)
		gate_note(rig.gate, &ev);
	CHECK(gate_noisy(rig.gate, GATE_NOISE_DNS_TCP) && !gate_noisy(rig.gate, GATE_NOISE_DNS) && !gate_noisy(rig.gate, GATE_NOISE_FLOW));
	ev.ip_proto = PACKET_UDP;
	for (unsigned i = 0; i < NOISE_BURST + 300; i++)
		gate_note(rig.gate, &ev);
	CHECK(gate_noisy(rig.gate, GATE_NOISE_DNS));
	chan_free(parent);
	(void)fd_close(pair[1]);
	end();
}

struct order {
	unsigned n;
	unsigned host;
	unsigned record;
};

static void on_host(struct loop_io *io, uint32_t events)
{
	struct order *o = io->owner;

	(void)events;
	o->host = ++o->n;
	loop_io_remove(io);
}

static bool on_record(void *owner, struct msg_in *in)
{
	struct order *o = owner;

	(void)in;
	o->record = ++o->n;
	return true;
}

/* A request goes when its record is written: what its host said until then is heard before. */
TEST(the_parent_is_heard_after_all_hosts_of_the_turn)
{
	static const struct chan_permit permits[] = { { MSG_EVENT_DONE, on_record } };
	static struct msg out;
	struct order o = { 0 };
	struct loop_io host = { 0 };
	struct chan *parent = NULL;
	struct chan *supervisor = NULL;
	int pair[2];
	int pipes[2];

	begin();
	must(chan_pair(pair, NULL) == 0 && pipe(pipes) == 0);
	must(chan_new(&parent, rig.loop, pair[0], permits, 1, on_end, &o, NULL) == 0);
	must(chan_new(&supervisor, rig.loop, pair[1], NULL, 0, on_end, NULL, NULL) == 0);
	gate_set_parent(rig.gate, parent);
	msg_start(&out, MSG_EVENT_DONE);
	chan_send(supervisor, &out);
	must(write(pipes[1], "x", 1) == 1 && loop_io_add(rig.loop, &host, pipes[0], EPOLLIN, on_host, &o, NULL) == 0);
	must(loop_turn(rig.loop, 0, NULL) == 0);
	CHECK_INT(o.host, 1);
	CHECK_INT(o.record, 2);
	chan_free(parent);
	chan_free(supervisor);
	(void)fd_close(pipes[0]);
	(void)fd_close(pipes[1]);
	end();
}
