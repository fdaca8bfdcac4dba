/* saw-front: makes the guest's network, then opens sockets in it on request and passes them on. It reads no byte of the guest. */
#include <string.h>
#include <unistd.h>

#include "ipc/pulse.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "workspace/front/guest.h"
#include "workspace/front/link.h"
#include "workspace/front/sockets.h"

enum { FRONT_FDS = 256, MAC_LEN = 6 };

struct front {
	struct loop *loop;
	struct chan *parent;
	struct guest *guest;
	uint8_t mac[MAC_LEN];
	int observer_fd;
	bool jailed;
};

static struct msg out;

static void say_fatal(struct front *f, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&out, MSG_FAILED);
	msg_str(&out, e->text);
	chan_send(f->parent, &out);
	loop_stop(f->loop, 1);
}

/* The namespaces are made already (link.c); what is left is to lose the way back. */
static int enter_jail(struct err *e)
{
	int r = jail_capabilities(0, FRONT_FDS, 0, e);

	r = r < 0 ? r : jail_no_files(JAIL_NET_ANY, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_CONNECT | JAIL_SYS_LISTEN, e);
}

static void become_ready(struct front *f)
{
	struct err e = { 0 };

	f->observer_fd = sockets_observer(f->mac, &e);
	if (f->observer_fd < 0 || enter_jail(&e) < 0) {
		say_fatal(f, &e);
		return;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	f->jailed = true;
	msg_start(&out, MSG_READY);
	chan_send(f->parent, &out);
}

static void send_link(struct front *f, const struct link *l)
{
	msg_start(&out, MSG_FRONT_LINK);
	msg_fd(&out, l->user_fd);
	msg_fd(&out, l->net_fd);
	if (l->tap_fd >= 0)
		msg_fd(&out, l->tap_fd);
	chan_send(f->parent, &out);
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	enum ipc_link kind = (enum ipc_link)msg_get_max(in, IPC_LINK_JOIN);
	uint64_t uid = msg_get_max(in, UINT32_MAX - 1);
	struct bytes mac = msg_get_bytes(in, MAC_LEN);
	FD_AUTO int user_fd = kind == IPC_LINK_JOIN ? msg_take_fd(in) : -1;
	FD_AUTO int net_fd = kind == IPC_LINK_JOIN ? msg_take_fd(in) : -1;
	struct link l = LINK_NONE;
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || !kind || mac.len != MAC_LEN || f->jailed)
		return false;
	memcpy(f->mac, mac.p, MAC_LEN);
	r = kind == IPC_LINK_JOIN ? link_join(user_fd, net_fd, uid, &e) : link_make(&l, kind, uid, f->mac, &e);
	if (r < 0) {
		say_fatal(f, &e);
		return true;
	}
	if (kind != IPC_LINK_JOIN)
		send_link(f, &l);
	link_deinit(&l);
	if (kind != IPC_LINK_VETH)
		become_ready(f);
	return true;
}

static bool on_attach(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	FD_AUTO int net_fd = msg_take_fd(in);
	struct err e = { 0 };

	if (!msg_end(in) || f->jailed)
		return false;
	if (link_attach(net_fd, &e) < 0)
		say_fatal(f, &e);
	else
		become_ready(f);
	return true;
}

static bool on_listen(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	uint64_t kind = msg_get_max(in, IPC_LISTEN_OBSERVER);
	uint16_t port = (uint16_t)msg_get_max(in, UINT16_MAX);
	FD_AUTO int fd = -1;
	struct err e = { 0 };

	if (!msg_end(in) || !kind || !f->jailed)
		return false;
	if (kind != IPC_LISTEN_OBSERVER) {
		fd = sockets_listen((enum ipc_listener)kind, port, &e);
		if (fd < 0) {
			say_fatal(f, &e);
			return true;
		}
	}
	msg_start(&out, MSG_LISTENER);
	msg_u64(&out, kind);
	msg_u64(&out, port);
	msg_fd(&out, fd >= 0 ? fd : f->observer_fd);
	chan_send(f->parent, &out);
	return true;
}

static void on_guest(void *owner, uint64_t id, int fd, const char *why)
{
	struct front *f = owner;

	msg_start(&out, fd >= 0 ? MSG_GUEST_CONNECTED : MSG_GUEST_REFUSED);
	msg_u64(&out, id);
	if (fd >= 0)
		msg_fd(&out, fd);
	else
		msg_str(&out, why);
	chan_send(f->parent, &out);
	(void)fd_close(fd);
}

static bool on_guest_connect(void *owner, struct msg_in *in)
{
	struct front *f = owner;
	uint64_t id = msg_get_u64(in);
	uint16_t port = (uint16_t)msg_get_max(in, UINT16_MAX);

	if (!msg_end(in) || !port || !f->jailed)
		return false;
	guest_connect(f->guest, id, port);
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
		log_line("channel to the supervisor: %s", why);
	loop_stop(f->loop, 1);
}

static const struct chan_permit permits[] = {
	{ MSG_FRONT_CONFIG, on_config }, { MSG_FRONT_ATTACH, on_attach },	      { MSG_LISTEN, on_listen },
	{ MSG_STOP, on_stop },		 { MSG_PING, on_ping },		{ MSG_GUEST_CONNECT, on_guest_connect },
};

int main(void)
{
	static struct front f = { .observer_fd = -1 };
	struct err e = { 0 };
	int r;

	log_init("front");
	r = jail_identity(0, &e);
	r = r < 0 ? r : loop_new(&f.loop, &e);
	r = r < 0 ? r : guest_new(&f.guest, f.loop, on_guest, &f, &e);
	r = r < 0 ? r :
		    chan_new(&f.parent, f.loop, IPC_PARENT_FD, permits, sizeof(permits) / sizeof(permits[0]), on_parent_end,
			     &f, &e);
	r = r < 0 ? r : loop_run(f.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	guest_free(f.guest);
	chan_free(f.parent);
	loop_free(f.loop);
	(void)fd_close(f.observer_fd);
	return r == 0 ? 0 : 1;
}
