/* saw-outlet: holds this workspace's secrets. It never sees a byte of the guest, only canonical requests from inlet, which it judges
 * again by its own copy of the policy, gives their credential, and sends to the host over a connection that dialer made. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "crypt/secure_heap.h"
#include "ipc/pulse.h"
#include "ipc/types.h"
#include "net/tls.h"
#include "net/tls_heap.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "proxy/flows.h"
#include "proxy/idle.h"
#include "workspace/outlet/door.h"
#include "workspace/outlet/vault.h"

/* Life: OUTLET_CONFIG -> jail -> READY; then POLICY, PEERs and what keeper says, in any order. Without a policy nothing is opened. */

enum {
	OUTLET_FDS_MAX = 16384, /* a flow has two sockets */
	OUTLET_FDS_OWN = 128,
	OUTLET_FDS_FLOW = 3,
	OUTLET_SECRETS_BYTES = 4 * 1024 * 1024, /* guarded memory: IPC_SECRETS_MAX of common length; at their longest, about half as many */
	STOP_TURNS = 50,
	HEAP_KEEP = 4 * 1024 * 1024, /* free bytes at its end that malloc does not give back: buffers come and go with each request */
	STOP_TURN_MS = 20,
};

struct outlet {
	struct loop *loop;
	struct chan *parent;
	struct gate *gate;
	struct door *door;
	struct vault *vault;
	struct tls_ctx *tls;
	const void *roots; /* the host's root certificates, PEM; mapped until the end */
	size_t roots_len;
	struct gate_who who;
	char *who_text[3];
	bool ending; /* winding down: what is there to be changed is gone */
};

static struct msg out;

static void fail(struct outlet *o, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&out, MSG_FAILED);
	msg_str(&out, e->text);
	chan_send(o->parent, &out);
	loop_stop(o->loop, 1);
}

static uint64_t fds_limit(void)
{
	struct rlimit l = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_max < OUTLET_FDS_MAX ? l.rlim_max : OUTLET_FDS_MAX;
}

static int enter_jail(uint64_t uid, uint64_t fds, struct err *e)
{
	int r = jail_identity(uid, e);

	r = r < 0 ? r : jail_capabilities(0, fds, 0, e);
	r = r < 0 ? r : jail_namespaces(e);
	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_ACCEPT | JAIL_SYS_PAIR, e);
}

static bool secret(void *owner, struct bytes id, struct bytes *ret_value, uint64_t *ret_version)
{
	const struct outlet *o = owner;
	const struct secret *s = vault_find(o->vault, id, ret_version);

	if (s)
		*ret_value = secret_view(s);
	return s != NULL;
}

static void on_secret_changed(void *owner, struct bytes id)
{
	const struct outlet *o = owner;

	idle_clear();
	flows_on_secret(gate_flows(o->gate), id);
}

/* Fenced memory is a must; that the host lets us lock it is worth having. */
static int guard_memory(struct err *e)
{
	bool made = false;

	if (secure_heap_init_sized(OUTLET_SECRETS_BYTES, &made))
		return 0;
	if (!made)
		return err_set(e, ENOMEM, "guarded memory for secrets cannot be made");
	log_line("secrets may be swapped out: raise the limit of locked memory (ulimit -l)");
	return 0;
}

static int set_up(struct outlet *o, uint64_t uid, int roots_fd, struct err *e)
{
	uint64_t fds = fds_limit();
	int r;

	if (fds < 2 * OUTLET_FDS_OWN)
		return err_set(e, EMFILE, "the limit of open descriptors is %llu: raise it to %d (ulimit -n)", (unsigned long long)fds,
			       OUTLET_FDS_MAX);
	r = fd_map_sealed(roots_fd, IPC_ROOTS_MAX, &o->roots, &o->roots_len, e);
	r = r < 0 ? r : tls_ctx_new(bytes_of(o->roots, o->roots_len), &o->tls, e);
	r = r < 0 ? r : guard_memory(e);
	r = r < 0 ? r : vault_new(&o->vault, o->loop, on_secret_changed, o, e);
	r = r < 0 ? r : enter_jail(uid, fds, e);
	r = r < 0 ? r : gate_new(&o->gate, o->loop, &o->who, e);
	if (r < 0)
		return r;
	gate_set_parent(o->gate, o->parent);
	gate_set_outlet(o->gate, secret, o);
	gate_set_tls(o->gate, o->tls);
	return door_new(&o->door, o->gate, (size_t)(fds - OUTLET_FDS_OWN) / OUTLET_FDS_FLOW, e);
}

static bool copy_who(struct outlet *o, const struct bytes texts[3])
{
	for (unsigned i = 0; i < 3; i++) {
		o->who_text[i] = bytes_dup(texts[i]);
		if (!o->who_text[i])
			return false;
	}
	o->who = (struct gate_who){ .id = bytes_str(o->who_text[0]), .name = bytes_str(o->who_text[1]), .owner = bytes_str(o->who_text[2]) };
	return true;
}

static bool on_config(void *owner, struct msg_in *m)
{
	struct outlet *o = owner;
	uint64_t uid = msg_get_max(m, UINT32_MAX - 1);
	const struct bytes texts[3] = { msg_get_bytes(m, 256), msg_get_bytes(m, 256), msg_get_bytes(m, 256) };
	FD_AUTO int roots_fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || o->gate || !copy_who(o, texts))
		return false;
	if (set_up(o, uid, roots_fd, &e) < 0) {
		(void)err_in(&e, 0, "start outlet");
		fail(o, &e);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	msg_start(&out, MSG_READY);
	chan_send(o->parent, &out);
	return true;
}

static bool on_policy(void *owner, struct msg_in *m)
{
	struct outlet *o = owner;
	uint64_t generation = msg_get_u64(m);
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };
	bool ok;

	if (!msg_end(m) || !o->gate)
		return false;
	if (o->ending)
		return true;
	ok = gate_policy_set(o->gate, fd, generation, &e) == 0;
	if (ok) {
		idle_clear();
		flows_on_policy(gate_flows(o->gate));
	}
	msg_start(&out, MSG_POLICY_DONE);
	msg_u64(&out, generation);
	msg_u64(&out, ok);
	msg_str(&out, ok ? "" : e.text);
	chan_send(o->parent, &out);
	return true;
}

static bool on_peer(void *owner, struct msg_in *m)
{
	struct outlet *o = owner;
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || !o->gate)
		return false;
	if (!o->ending && gate_set_peer(o->gate, GATE_DIALER, fd_take(&fd), &e) < 0)
		fail(o, &e);
	return true;
}

static bool on_peer_inlet(void *owner, struct msg_in *m)
{
	struct outlet *o = owner;
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || !o->gate)
		return false;
	if (!o->ending && door_set_inlet(o->door, fd_take(&fd), &e) < 0)
		fail(o, &e);
	return true;
}

static bool on_keeper(void *owner, struct msg_in *m)
{
	struct outlet *o = owner;
	FD_AUTO int fd = msg_take_fd(m);
	struct err e = { 0 };

	if (!msg_end(m) || !o->gate)
		return false;
	if (!o->ending && vault_set_keeper(o->vault, fd_take(&fd), &e) < 0)
		fail(o, &e);
	return true;
}

static bool on_event_done(void *owner, struct msg_in *m)
{
	struct outlet *o = owner;
	uint64_t id = msg_get_u64(m);
	bool written = msg_get_max(m, 1) == 1;

	return msg_end(m) && o->gate && gate_event_done(o->gate, id, written);
}

static bool on_ping(void *owner, struct msg_in *in)
{
	struct outlet *o = owner;

	(void)in;
	pulse_answer(o->parent);
	return true;
}

static bool on_stop(void *owner, struct msg_in *m)
{
	struct outlet *o = owner;

	(void)m;
	loop_stop(o->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct outlet *o = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to the supervisor: %s", why);
	loop_stop(o->loop, 1);
}

static const struct chan_permit permits[] = {
	{ MSG_OUTLET_CONFIG, on_config }, { MSG_POLICY, on_policy },	     { MSG_PEER, on_peer },
	{ MSG_PEER_INLET, on_peer_inlet }, { MSG_KEEPER_OUTLET, on_keeper },
	{ MSG_EVENT_DONE, on_event_done }, { MSG_STOP, on_stop }, { MSG_PING, on_ping },
};

/* Flows say how they ended; what they said leaves while the supervisor reads, for a second at most. */
static void wind_down(struct outlet *o)
{
	struct err e = { 0 };

	o->ending = true;
	o->door = door_free(o->door);
	if (o->gate)
		flows_stop(gate_flows(o->gate));
	idle_clear();
	for (unsigned i = 0; i < STOP_TURNS && o->parent; i++) {
		if (loop_turn(o->loop, i ? STOP_TURN_MS : 0, &e) < 0 || !chan_queued(o->parent))
			break;
	}
	o->vault = vault_free(o->vault);
	o->gate = gate_free(o->gate);
	o->tls = tls_ctx_free(o->tls);
	o->parent = chan_free(o->parent);
	o->loop = loop_free(o->loop);
	for (unsigned i = 0; i < 3; i++)
		free(o->who_text[i]);
}

int main(void)
{
	static struct outlet o;
	struct err e = { 0 };
	int r;

	log_init("outlet");
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_KEEP);
	r = tls_heap_count(&e);
	r = r < 0 ? r : jail_identity(0, &e);
	r = r < 0 ? r : loop_new(&o.loop, &e);
	r = r < 0 ? r : chan_new(&o.parent, o.loop, IPC_PARENT_FD, permits, sizeof(permits) / sizeof(permits[0]), on_parent_end, &o, &e);
	r = r < 0 ? r : loop_run(o.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	wind_down(&o);
	return r == 0 ? 0 : 1;
}
