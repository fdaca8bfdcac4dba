/* saw-inlet: reads every byte of the guest. It has no secret, no file, no way to open a
 * connection or a program: it judges, asks dialer for connections that it may use, and reports
 * to the supervisor. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "crypt/leaf.h"
#include "ipc/pulse.h"
#include "ipc/types.h"
#include "net/tls.h"
#include "net/tls_heap.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "workspace/inlet/dns_tcp.h"
#include "workspace/inlet/dns_udp.h"
#include "workspace/inlet/door.h"
#include "proxy/flows.h"
#include "proxy/idle.h"
#include "workspace/inlet/observer.h"
#include "workspace/inlet/relay.h"

/* Life: INLET_CONFIG -> jail -> READY; then POLICY, PEER and LISTENERs in any order. Sockets
 * that come before the first policy wait: without a policy nothing is answered, accepted or
 * observed. */

enum {
	INLET_FDS_MAX = 32768, /* FLOWS_MAX with two sockets and two pipes each, and room */
	INLET_FDS_OWN = 128, /* listeners, channels, DNS connections, kept pipes */
	INLET_FDS_FLOW = 6,
	STOP_TURNS = 50,
	HEAP_KEEP = 4 * 1024 * 1024, /* free bytes at its end that malloc does not give back: buffers come and go with each request */
	STOP_TURN_MS = 20,
};

struct inlet {
	struct loop *loop;
	struct chan *parent;
	struct gate *gate;
	struct pool *pool;
	struct doors *doors;
	struct observer *observer;
	struct dns_udp *dns_udp;
	struct dns_tcp *dns_tcp;
	struct asker asker;
	struct tls_ctx *tls;
	struct authority *authority;
	const void *roots; /* the host's root certificates, PEM; mapped until the end */
	size_t roots_len;
	struct gate_who who;
	char *who_text[3];
	uint8_t mac[6];
	size_t mac_len;
	int early[IPC_LISTEN_OBSERVER + 1]; /* by enum ipc_listener: came before the first policy */
	bool ending; /* winding down: what is there to be changed is gone */
};

static struct msg out;

/* The supervisor reads why; the exit code says the rest. */
static void fail(struct inlet *in, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&out, MSG_FAILED);
	msg_str(&out, e->text);
	chan_send(in->parent, &out);
	loop_stop(in->loop, 1);
}

static uint64_t fds_limit(void)
{
	struct rlimit l = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_max < INLET_FDS_MAX ? l.rlim_max : INLET_FDS_MAX;
}

static int enter_jail(uint64_t uid, uint64_t fds, struct err *e)
{
	int r = jail_identity(uid, e);

	r = r < 0 ? r : jail_capabilities(0, fds, 0, e);
	r = r < 0 ? r : jail_namespaces(e);
	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_ACCEPT | JAIL_SYS_SPLICE, e);
}

static int set_up(struct inlet *in, uint64_t uid, int journal_fd, int roots_fd, struct err *e)
{
	uint64_t fds = fds_limit();
	int r;

	if (fds < 2 * INLET_FDS_OWN)
		return err_set(e, EMFILE,
			       "the limit of open descriptors is %llu: raise it to %d (ulimit -n)",
			       (unsigned long long)fds, INLET_FDS_MAX);
	r = authority_guard_memory(e);
	r = r < 0 ? r : pool_open(&in->pool, journal_fd, e);
	r = r < 0 ? r : fd_map_sealed(roots_fd, IPC_ROOTS_MAX, &in->roots, &in->roots_len, e);
	if (r == 0 && !leaf_warm())
		r = err_set(e, EIO, "libcrypto cannot make certificates");
	r = r < 0 ? r : tls_ctx_new(bytes_of(in->roots, in->roots_len), &in->tls, e);
	r = r < 0 ? r : enter_jail(uid, fds, e);
	r = r < 0 ? r : gate_new(&in->gate, in->loop, &in->who, e);
	r = r < 0 ? r : authority_new(&in->authority, in->gate, e);
	if (r < 0)
		return r;
	gate_set_parent(in->gate, in->parent);
	gate_set_tls(in->gate, in->tls);
	in->asker = (struct asker){ .gate = in->gate, .pool = in->pool };
	return doors_new(&in->doors, in->gate, in->pool, in->authority,
			 (size_t)(fds - INLET_FDS_OWN) / INLET_FDS_FLOW, e);
}

static bool copy_who(struct inlet *in, const struct bytes texts[3])
{
	for (unsigned i = 0; i < 3; i++) {
		in->who_text[i] = bytes_dup(texts[i]);
		if (!in->who_text[i])
			return false;
	}
	in->who = (struct gate_who){ .id = bytes_str(in->who_text[0]),
				     .name = bytes_str(in->who_text[1]),
				     .owner = bytes_str(in->who_text[2]) };
	return true;
}

static bool on_config(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;
	uint64_t uid = msg_get_max(m, UINT32_MAX - 1);
	const struct bytes texts[3] = { msg_get_bytes(m, 256), msg_get_bytes(m, 256),
					msg_get_bytes(m, 256) };
	struct bytes mac = msg_get_bytes(m, sizeof(in->mac));
	FD_AUTO int journal_fd = msg_take_fd(m);
	FD_AUTO int roots_fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || in->gate || (mac.len && mac.len != sizeof(in->mac)) ||
	    !copy_who(in, texts))
		return false;
	if (mac.len)
		memcpy(in->mac, mac.p, mac.len);
	in->mac_len = mac.len;
	if (set_up(in, uid, journal_fd, roots_fd, &e) < 0) {
		(void)err_in(&e, 0, "start inlet");
		fail(in, &e);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	msg_start(&out, MSG_READY);
	chan_send(in->parent, &out);
	return true;
}

/* Sets to work what waited for a policy. Each kind has one socket; a new one replaces it (front
 * was restarted). */
static int serve(struct inlet *in, enum ipc_listener kind, int fd, struct err *e)
{
	switch (kind) {
	case IPC_LISTEN_DNS_UDP:
		in->dns_udp = dns_udp_free(in->dns_udp);
		return dns_udp_new(&in->dns_udp, &in->asker, fd, e);
	case IPC_LISTEN_DNS_TCP:
		in->dns_tcp = dns_tcp_free(in->dns_tcp);
		return dns_tcp_new(&in->dns_tcp, &in->asker, fd, e);
	case IPC_LISTEN_OBSERVER:
		in->observer = observer_free(in->observer);
		return observer_new(&in->observer, in->gate, in->pool, in->doors,
				    bytes_of(in->mac, in->mac_len), fd, e);
	case IPC_LISTEN_TCP:
	default:
		(void)fd_close(fd);
		return err_set(e, EINVAL, "a listener of an unknown kind");
	}
}

static int serve_early(struct inlet *in, struct err *e)
{
	int r = doors_open(in->doors, e);

	for (unsigned kind = IPC_LISTEN_DNS_UDP; kind <= IPC_LISTEN_OBSERVER && r == 0; kind++)
		if (in->early[kind] >= 0)
			r = serve(in, (enum ipc_listener)kind, fd_take(&in->early[kind]), e);
	return r;
}

static bool on_listener(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;
	uint64_t kind = msg_get_max(m, IPC_LISTEN_OBSERVER);
	uint16_t port = (uint16_t)msg_get_max(m, UINT16_MAX);
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };
	int r = 0;

	if (!msg_end(m) || !kind || !in->gate)
		return false;
	if (in->ending)
		return true;
	if (kind == IPC_LISTEN_TCP) {
		r = doors_add(in->doors, port, fd_take(&fd), &e);
	} else if (gate_has_policy(in->gate)) {
		r = serve(in, (enum ipc_listener)kind, fd_take(&fd), &e);
	} else {
		(void)fd_close(in->early[kind]);
		in->early[kind] = fd_take(&fd);
	}
	if (r < 0)
		fail(in, &e);
	return true;
}

static bool on_unlisten(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;
	uint16_t port = (uint16_t)msg_get_max(m, UINT16_MAX);

	if (!msg_end(m) || !in->gate)
		return false;
	if (!in->ending)
		doors_remove(in->doors, port);
	return true;
}

static bool lists(const void *policy, struct bytes name, struct policy_host *ret)
{
	return policy_find_host(policy, name, ret);
}

static void say_policy(struct inlet *in, uint64_t generation, const struct err *e, bool ok)
{
	msg_start(&out, MSG_POLICY_DONE);
	msg_u64(&out, generation);
	msg_u64(&out, ok);
	msg_str(&out, ok ? "" : e->text);
	chan_send(in->parent, &out);
}

static bool on_policy(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;
	uint64_t generation = msg_get_u64(m);
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || !in->gate)
		return false;
	if (in->ending)
		return true;
	if (gate_policy_set(in->gate, fd, generation, &e) < 0) {
		say_policy(in, generation, &e, false);
		return true;
	}
	if (!pool_recount(in->pool, lists, gate_policy(in->gate))) {
		(void)err_set(&e, ENOMEM, "out of memory for the counts of names");
		fail(in, &e);
		return true;
	}
	idle_clear();
	flows_on_policy(gate_flows(in->gate));
	gate_policy_settled(in->gate);
	if (serve_early(in, &e) < 0) {
		fail(in, &e);
		return true;
	}
	say_policy(in, generation, &e, true);
	return true;
}

static bool take_peer(struct inlet *in, enum gate_way way, struct msg_in *m)
{
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || !in->gate)
		return false;
	if (!in->ending && gate_set_peer(in->gate, way, fd_take(&fd), &e) < 0)
		fail(in, &e);
	return true;
}

static bool on_peer(void *owner, struct msg_in *m)
{
	return take_peer(owner, GATE_DIALER, m);
}

static bool on_peer_outlet(void *owner, struct msg_in *m)
{
	return take_peer(owner, GATE_OUTLET, m);
}

static bool on_keeper(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || !in->gate)
		return false;
	if (!in->ending && authority_set_keeper(in->authority, fd_take(&fd), &e) < 0)
		fail(in, &e);
	return true;
}

static bool on_event_done(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;
	uint64_t id = msg_get_u64(m);
	bool written = msg_get_max(m, 1) == 1;

	return msg_end(m) && in->gate && gate_event_done(in->gate, id, written);
}

static bool on_ping(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;

	(void)m;
	pulse_answer(in->parent);
	return true;
}

static bool on_stop(void *owner, struct msg_in *m)
{
	struct inlet *in = owner;

	(void)m;
	loop_stop(in->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct inlet *in = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to the supervisor: %s", why);
	loop_stop(in->loop, 1);
}

static const struct chan_permit permits[] = {
	{ MSG_INLET_CONFIG, on_config }, { MSG_LISTENER, on_listener },
	{ MSG_UNLISTEN, on_unlisten },   { MSG_POLICY, on_policy },
	{ MSG_PEER, on_peer },           { MSG_PEER_OUTLET, on_peer_outlet },
	{ MSG_KEEPER_INLET, on_keeper },
	{ MSG_EVENT_DONE, on_event_done }, { MSG_STOP, on_stop }, { MSG_PING, on_ping },
};

/* Flows say how they ended; what they said leaves while the supervisor reads, for a second at
 * most. */
static void wind_down(struct inlet *in)
{
	struct err e = { 0 };

	in->ending = true;
	for (unsigned kind = 0; kind <= IPC_LISTEN_OBSERVER; kind++)
		in->early[kind] = fd_close(in->early[kind]);
	if (in->gate) {
		in->doors = doors_free(in->doors);
		in->dns_udp = dns_udp_free(in->dns_udp);
		in->dns_tcp = dns_tcp_free(in->dns_tcp);
		in->observer = observer_free(in->observer);
		flows_stop(gate_flows(in->gate));
		idle_clear();
	}
	for (unsigned i = 0; i < STOP_TURNS; i++) {
		if (in->parent && loop_turn(in->loop, i ? STOP_TURN_MS : 0, &e) < 0)
			break;
		if (!in->parent || !chan_queued(in->parent))
			break;
	}
	relay_pipes_drop();
	in->authority = authority_free(in->authority);
	in->gate = gate_free(in->gate);
	in->tls = tls_ctx_free(in->tls);
	in->pool = pool_free(in->pool);
	in->parent = chan_free(in->parent);
	in->loop = loop_free(in->loop);
	for (unsigned i = 0; i < 3; i++)
		free(in->who_text[i]);
}

int main(void)
{
	static struct inlet in = { .early = { -1, -1, -1, -1, -1 } };
	struct err e = { 0 };
	int r;

	_Static_assert(IPC_LISTEN_OBSERVER == 4, "a place for each kind of listener");
	log_init("inlet");
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_KEEP);
	r = tls_heap_count(&e);
	r = r < 0 ? r : jail_identity(0, &e);
	r = r < 0 ? r : loop_new(&in.loop, &e);
	r = r < 0 ? r
		  : chan_new(&in.parent, in.loop, IPC_PARENT_FD, permits,
			     sizeof(permits) / sizeof(permits[0]), on_parent_end, &in, &e);
	r = r < 0 ? r : loop_run(in.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	wind_down(&in);
	return r == 0 ? 0 : 1;
}
