/* sawd-front: the API's socket was made by sawd; here is who reads from it. It can open nothing and reach nobody. */
#include <stdio.h>
#include <string.h>

#include "ipc/pulse.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "sawd/front/front.h"

enum { FRONT_FDS = 2 * FRONT_CONNS_MAX + 2 * FRONT_TUNNELS_MAX + 64 };

struct msg front_out;

static int enter_jail(struct err *e)
{
	int r = jail_capabilities(0, FRONT_FDS, 0, e);

	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_ACCEPT | JAIL_SYS_APPEND | JAIL_SYS_MEMFD, e);
}

static bool take_text(struct msg_in *in, char *ret, size_t size)
{
	struct bytes t = msg_get_bytes(in, size - 1);

	if (in->bad)
		return false;
	memcpy(ret, t.p, t.len);
	ret[t.len] = '\0';
	return true;
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	uint64_t role_uid = msg_get_max(in, UINT32_MAX - 1);
	struct err e = { 0 };
	int r;

	f->uid = msg_get_max(in, UINT32_MAX);
	f->launcher_pid = msg_get_u64(in);
	f->lab = msg_get_max(in, 1);
	f->idle_ms = msg_get_max(in, SAWD_SESSION_IDLE_MS);
	if (!take_text(in, f->state, sizeof(f->state)) || !take_text(in, f->run, sizeof(f->run)) || f->listen_fd >= 0)
		return false;
	f->listen_fd = msg_take_fd(in);
	if (!msg_end(in))
		return false;
	r = jail_identity(role_uid, &e);
	r = r < 0 ? r : enter_jail(&e);
	r = r < 0 ? r : loop_io_add(f->loop, &f->listen_io, f->listen_fd, EPOLLIN, conn_accept, f, &e);
	if (r < 0) {
		log_line("%s", e.text);
		msg_start(&front_out, MSG_FAILED);
		msg_bytes(&front_out, bytes_of(e.text, strnlen(e.text, 300)));
		chan_send(f->parent, &front_out);
		loop_stop(f->loop, 1);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	msg_start(&front_out, MSG_READY);
	chan_send(f->parent, &front_out);
	return true;
}

static void on_core_end(void *owner, const char *why)
{
	struct front *f = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to core: %s", why);
	f->core = chan_free(f->core);
	conn_core_gone(f);
}

static bool on_peer(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	uint64_t role = msg_get_max(in, SAWD_ROLE_END - 1);
	FD_AUTO int fd = msg_try_fd(in);
	struct err e = { .text = "no descriptor is free for the channel to core" };

	if (!msg_end(in) || role != SAWD_CORE)
		return false;
	if (f->core)
		on_core_end(f, "closed");
	if (fd < 0 ||
	    chan_new(&f->core, f->loop, fd_take(&fd), answer_permits, n_answer_permits, on_core_end, f, &e) < 0)
		log_line("%s", e.text);
	return true;
}

static bool on_ping(void *owner, struct msg_in *in)
{
	struct front *f = owner;

	(void)in;
	pulse_answer(f->parent);
	return true;
}

static bool on_stop(void *owner, struct msg_in *in)
{
	struct front *f = owner;

	(void)in;
	loop_stop(f->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct front *f = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to sawd: %s", why);
	loop_stop(f->loop, 1);
}

static const struct chan_permit parent_permits[] = {
	{ MSG_SAWD_FRONT_CONFIG, on_config },
	{ MSG_SAWD_PEER, on_peer },
	{ MSG_STOP, on_stop }, { MSG_PING, on_ping },
};

int main(void)
{
	static struct front f = { .listen_fd = -1 };
	struct err e = { 0 };
	int r;

	log_init("sawd-front");
	/* Numbers of an earlier front may still be on their way in answers: none of ours is the same. */
	f.next_req = clock_real_ms() << 16;
	r = loop_new(&f.loop, &e);
	r = r < 0 ? r :
		    chan_new(&f.parent, f.loop, IPC_PARENT_FD, parent_permits,
			     sizeof(parent_permits) / sizeof(parent_permits[0]), on_parent_end, &f, &e);
	r = r < 0 ? r : loop_run(f.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	f.core = chan_free(f.core);
	while (f.conns)
		conn_free(f.conns);
	tunnel_cut(&f, NULL, NULL, "");
	loop_timer_disarm(&f.accept_again);
	loop_io_remove(&f.listen_io);
	(void)fd_close(f.listen_fd);
	chan_free(f.parent);
	loop_free(f.loop);
	return r == 0 ? 0 : 1;
}
