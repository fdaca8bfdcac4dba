/* saw-dialer: from a listed name to a connected descriptor. It reads resolvers' answers and, behind an upstream proxy, the head of its
 * answer to CONNECT; it holds its own copy of the policy and believes nothing that inlet says but the wish itself. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/pulse.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "wire/proxy_reply.h"
#include "workspace/dialer/dial.h"

enum {
	DIALER_FDS = 1024,
	RESOLV_TEXT_MAX = 32 * 1024,
	PROXY_TEXT_MAX = 300,
	BUSY_BYTES = 1024 * 1024, /* queued towards the supervisor: peers wait */
};

struct role {
	struct dialer d;
	const void *blob;
	size_t blob_len;
	const void *before; /* the one that d.before shows */
	size_t before_len;
	char proxy[PROXY_TEXT_MAX];
	struct loop_timer pause;
	bool jailed;
};

static struct msg out;

static void fail(struct role *r, const char *why)
{
	log_line("%s", why);
	msg_start(&out, MSG_FAILED);
	msg_str(&out, why);
	chan_send(r->d.parent, &out);
	loop_stop(r->d.loop, 1);
}

static int enter_jail(uint64_t uid, struct err *e)
{
	int r = jail_identity(uid, e);

	r = r < 0 ? r : jail_capabilities(0, DIALER_FDS, 0, e);
	r = r < 0 ? r : jail_no_files(JAIL_NET_CONNECT, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_CONNECT, e);
}

static bool take_proxy(struct role *r, struct bytes text)
{
	struct name name;
	struct ip ip;

	if (!text.len)
		return true;
	memcpy(r->proxy, text.p, text.len);
	if (!proxy_address_parse(bytes_of(r->proxy, text.len), &r->d.proxy_host, &r->d.proxy_port))
		return false;
	if (ip_parse(r->d.proxy_host, &ip))
		return ip_scope_of(ip) != IP_SCOPE_NEVER;
	return name_parse_strict(r->d.proxy_host, &name) == NAME_OK;
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t uid = msg_get_max(in, UINT32_MAX - 1);
	struct bytes proxy = msg_get_bytes(in, PROXY_TEXT_MAX);
	struct err e = { 0 };

	if (!msg_end(in) || r->jailed)
		return false;
	if (!take_proxy(r, proxy)) {
		fail(r, "the upstream proxy is not \"host:port\" with a host name or an address: correct the setting");
		return true;
	}
	if (enter_jail(uid, &e) < 0) {
		fail(r, e.text);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	r->jailed = true;
	msg_start(&out, MSG_READY);
	chan_send(r->d.parent, &out);
	return true;
}

static bool on_policy(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t generation = msg_get_u64(in);
	FD_AUTO int fd = msg_take_fd(in);
	struct policy fresh = { 0 };
	struct err e = { 0 };
	const void *blob = NULL;
	size_t len = 0;
	bool ok;

	if (!msg_end(in))
		return false;
	ok = fd_map_sealed(fd, POLICY_BLOB_MAX, &blob, &len, &e) == 0;
	if (ok && !policy_open(&fresh, bytes_of(blob, len), &e)) {
		(void)munmap((void *)(uintptr_t)blob, len);
		ok = false;
	}
	if (ok) {
		if (r->before)
			(void)munmap((void *)(uintptr_t)r->before, r->before_len);
		r->before = r->blob;
		r->before_len = r->blob_len;
		r->d.before = r->d.policy;
		r->d.has_before = r->d.has_policy;
		r->blob = blob;
		r->blob_len = len;
		r->d.policy = fresh;
		r->d.has_policy = true;
		r->d.generation = generation;
	}
	msg_start(&out, MSG_POLICY_DONE);
	msg_u64(&out, generation);
	msg_u64(&out, ok);
	msg_str(&out, e.text);
	chan_send(r->d.parent, &out);
	if (ok)
		dial_policy_changed(&r->d);
	return true;
}

static bool on_resolv(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	struct bytes text = msg_get_bytes(in, RESOLV_TEXT_MAX);

	if (!msg_end(in))
		return false;
	resolv_conf_parse(text, &r->d.resolv);
	return true;
}

static void pause_over(struct loop_timer *t);

/* A peer whose wishes make more refusals than the log is to take is not listened to for a moment, and none is while the supervisor is slow: no
 * peer can fill the log, or the queue to the supervisor. Each refusal is still written. */
static void pause_noisy(struct role *r)
{
	bool busy = chan_queued(r->d.parent) > BUSY_BYTES;

	for (unsigned i = 0; i < DIAL_PEERS; i++) {
		bool pause = busy || noise_over(&r->d.noise[i], loop_now_ms(r->d.loop));

		if (r->d.peers[i])
			chan_hold(r->d.peers[i], pause && loop_timer_arm(r->d.loop, &r->pause, NOISE_PAUSE_MS, pause_over, r));
	}
}

static void pause_over(struct loop_timer *t)
{
	pause_noisy(t->owner);
}

static bool take_dial(struct role *r, enum dial_peer peer, struct msg_in *in)
{
	bool ok;
	uint64_t flow = msg_get_u64(in);
	struct bytes text = msg_get_bytes(in, NAME_MAX_LEN);
	uint16_t port = (uint16_t)msg_get_max(in, UINT16_MAX);
	struct name name;

	(void)msg_get_u64(in);
	if (!msg_end(in) || !flow || !port)
		return false;
	if (name_parse_strict(text, &name) != NAME_OK || !bytes_eq(name_bytes(&name), text))
		return false;
	ok = dial_start(&r->d, peer, flow, &name, port);
	pause_noisy(r);
	return ok;
}

static bool take_cancel(struct role *r, enum dial_peer peer, struct msg_in *in)
{
	uint64_t flow = msg_get_u64(in);

	if (!msg_end(in))
		return false;
	dial_cancel(&r->d, peer, flow);
	return true;
}

/* Never from one of its own messages. At once: what a peer that was replaced has still sent would be
 * answered to its successor. */
static void drop_peer(struct role *r, enum dial_peer peer)
{
	dial_cancel_all(&r->d, peer);
	r->d.peers[peer] = chan_free(r->d.peers[peer]);
}

static void lose_peer(struct role *r, enum dial_peer peer, const char *why)
{
	if (strcmp(why, "closed") != 0)
		log_line("channel to %s: %s", peer == DIAL_INLET ? "inlet" : "outlet", why);
	drop_peer(r, peer);
}

#define PEER_DOORS(word, peer)                                                  \
	static bool word##_dial(void *owner, struct msg_in *in)                 \
	{                                                                       \
		return take_dial(owner, peer, in);                              \
	}                                                                       \
	static bool word##_cancel(void *owner, struct msg_in *in)               \
	{                                                                       \
		return take_cancel(owner, peer, in);                            \
	}                                                                       \
	static void word##_end(void *owner, const char *why)                    \
	{                                                                       \
		lose_peer(owner, peer, why);                                    \
	}                                                                       \
	static const struct chan_permit word##_permits[] = {                    \
		{ MSG_DIAL, word##_dial },                                      \
		{ MSG_DIAL_CANCEL, word##_cancel },                             \
	};

PEER_DOORS(inlet, DIAL_INLET)
PEER_DOORS(outlet, DIAL_OUTLET)

static bool take_peer(struct role *r, enum dial_peer peer, struct msg_in *in)
{
	const struct chan_permit *permits = peer == DIAL_INLET ? inlet_permits : outlet_permits;
	int fd = msg_take_fd(in);
	struct err e = { 0 };

	if (!msg_end(in) || !r->jailed) {
		(void)fd_close(fd);
		return false;
	}
	drop_peer(r, peer);
	if (chan_new(&r->d.peers[peer], r->d.loop, fd, permits, 2, peer == DIAL_INLET ? inlet_end : outlet_end, r, &e) < 0)
		fail(r, e.text);
	else
		pause_noisy(r);
	return true;
}

static bool on_peer(void *owner, struct msg_in *in)
{
	return take_peer(owner, DIAL_INLET, in);
}

static bool on_peer_outlet(void *owner, struct msg_in *in)
{
	return take_peer(owner, DIAL_OUTLET, in);
}

static bool on_event_done(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t id = msg_get_u64(in);
	bool written = msg_get_max(in, 1) == 1;

	if (!msg_end(in))
		return false;
	dial_event_done(&r->d, id, written);
	return true;
}

static bool on_ping(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	(void)in;
	pulse_answer(r->d.parent);
	return true;
}

static bool on_stop(void *owner, struct msg_in *in)
{
	struct role *r = owner;

	(void)in;
	loop_stop(r->d.loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct role *r = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to the supervisor: %s", why);
	loop_stop(r->d.loop, 1);
}

static const struct chan_permit permits[] = {
	{ MSG_DIALER_CONFIG, on_config }, { MSG_POLICY, on_policy },	     { MSG_RESOLV, on_resolv },
	{ MSG_PEER, on_peer },		  { MSG_PEER_OUTLET, on_peer_outlet },
	{ MSG_EVENT_DONE, on_event_done },
	{ MSG_STOP, on_stop }, { MSG_PING, on_ping },
};

int main(void)
{
	static struct role r;
	struct err e = { 0 };
	int code;

	log_init("dialer");
	code = jail_identity(0, &e);
	code = code < 0 ? code : loop_new(&r.d.loop, &e);
	code = code < 0 ? code :
			  chan_new(&r.d.parent, r.d.loop, IPC_PARENT_FD, permits, sizeof(permits) / sizeof(permits[0]), on_parent_end,
				   &r, &e);
	code = code < 0 ? code : loop_run(r.d.loop, &e);
	if (code < 0)
		log_line("%s", e.text);
	if (r.d.loop) {
		for (unsigned i = 0; i < DIAL_PEERS; i++)
			drop_peer(&r, (enum dial_peer)i);
		loop_timer_disarm(&r.pause);
		chan_free(r.d.parent);
		(void)loop_turn(r.d.loop, 0, NULL); /* frees what was cancelled */
		loop_free(r.d.loop);
	}
	return code == 0 ? 0 : 1;
}
