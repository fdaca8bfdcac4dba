#include "workspace/supervisor/listeners.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "os/fd.h"
#include "rules/policy.h"
#include "wire/guest_net.h"
#include "workspace/supervisor/ws.h"

/* At most the ports of two policies at once (during a change), and the fixed ones. */
enum { FIXED = 4, SLOTS = 2 * POLICY_PORTS_MAX + FIXED };

struct slot {
	enum ipc_listener kind; /* 0: free */
	uint16_t port;
	int fd; /* -1: asked for */
	bool wanted; /* by the last list */
	bool wanted_before; /* by the list before that */
};

struct listeners {
	struct ws *ws;
	struct slot slots[SLOTS];
};

static struct msg out;

static struct slot *find(struct listeners *l, enum ipc_listener kind, uint16_t port)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind == kind && l->slots[i].port == port)
			return &l->slots[i];
	return NULL;
}

static void ask(struct listeners *l, const struct slot *s)
{
	msg_start(&out, MSG_LISTEN);
	msg_u64(&out, s->kind);
	msg_u64(&out, s->port);
	role_send(&l->ws->roles[ROLE_FRONT], &out);
}

static void drop(struct listeners *l, struct slot *s)
{
	if (s->fd >= 0) {
		msg_start(&out, MSG_UNLISTEN);
		msg_u64(&out, s->port);
		role_send(&l->ws->roles[ROLE_INLET], &out);
		(void)fd_close(s->fd);
	}
	*s = (struct slot){ .fd = -1 };
	s->kind = (enum ipc_listener)0;
}

/* A free one, else one of neither policy: front withholds it, or brought it when nobody wanted it any more. An answer that comes after all is
 * one that nobody asked for. */
static struct slot *room(struct listeners *l)
{
	struct slot *s = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		if (!l->slots[i].kind)
			return &l->slots[i];
		if (!l->slots[i].wanted && !l->slots[i].wanted_before)
			s = &l->slots[i];
	}
	if (s)
		drop(l, s);
	return s;
}

static void want(struct listeners *l, enum ipc_listener kind, uint16_t port)
{
	struct slot *s;

	if (find(l, kind, port))
		return;
	s = room(l);
	must(s);
	*s = (struct slot){ .kind = kind, .port = port, .fd = -1, .wanted = true };
	if (l->ws->roles[ROLE_FRONT].ready)
		ask(l, s);
}

int listeners_new(struct listeners **ret, struct ws *w, struct err *e)
{
	struct listeners *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(e, ENOMEM, "out of memory");
	l->ws = w;
	*ret = l;
	return 0;
}

struct listeners *listeners_free(struct listeners *l)
{
	for (size_t i = 0; l && i < SLOTS; i++)
		if (l->slots[i].kind)
			(void)fd_close(l->slots[i].fd);
	free(l);
	return NULL;
}

static const struct {
	enum ipc_listener kind;
	uint16_t port;
} fixed[FIXED] = {
	{ IPC_LISTEN_DNS_UDP, NET_DNS_PORT },
	{ IPC_LISTEN_DNS_TCP, NET_DNS_PORT },
	{ IPC_LISTEN_OBSERVER, 0 },
	{ IPC_LISTEN_TCP, NET_SELF_PORT }, /* http://saw.internal/, whatever policy lists */
};

static bool in_list(const struct slot *s, const uint16_t *ports, size_t n)
{
	for (size_t i = 0; i < FIXED; i++)
		if (s->kind == fixed[i].kind && s->port == fixed[i].port)
			return true;
	for (size_t i = 0; i < n; i++)
		if (s->kind == IPC_LISTEN_TCP && s->port == ports[i])
			return true;
	return false;
}

void listeners_want(struct listeners *l, const uint16_t *ports, size_t n)
{
	for (size_t i = 0; i < SLOTS; i++) {
		l->slots[i].wanted_before = l->slots[i].wanted;
		l->slots[i].wanted = in_list(&l->slots[i], ports, n);
	}
	for (size_t i = 0; i < FIXED; i++)
		want(l, fixed[i].kind, fixed[i].port);
	for (size_t i = 0; i < n; i++)
		want(l, IPC_LISTEN_TCP, ports[i]);
}

void listeners_ask_again(struct listeners *l)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind && l->slots[i].fd < 0)
			ask(l, &l->slots[i]);
}

static void give(struct listeners *l, const struct slot *s)
{
	msg_start(&out, MSG_LISTENER);
	msg_u64(&out, s->kind);
	msg_u64(&out, s->port);
	msg_fd(&out, s->fd);
	role_send(&l->ws->roles[ROLE_INLET], &out);
}

bool listeners_came(struct listeners *l, enum ipc_listener kind, uint16_t port, int fd)
{
	struct slot *s = find(l, kind, port);

	if (!s || s->fd >= 0) {
		(void)fd_close(fd);
		return false;
	}
	s->fd = fd;
	give(l, s);
	return true;
}

bool listeners_complete(const struct listeners *l)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind && l->slots[i].wanted && l->slots[i].fd < 0)
			return false;
	return true;
}

void listeners_give(struct listeners *l)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind && l->slots[i].fd >= 0)
			give(l, &l->slots[i]);
}

void listeners_prune(struct listeners *l)
{
	/* One that was asked for and has not come is waited for: front answers each question once. */
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind && !l->slots[i].wanted && l->slots[i].fd >= 0)
			drop(l, &l->slots[i]);
}
